//! Close frames: codes and reasons (RFC 6455, section 7.4).

use super::WebSocketError;

/// Bytes of a close frame's reason: the 125 of a control frame without the code.
pub const CLOSE_REASON_BYTES: usize = 123;

/// Why a WebSocket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// An endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The other endpoint broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A message does not hold what it should: text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// A message breaks a policy.
    pub const POLICY: Self = Self(1008);
    /// A message is too large to be read.
    pub const TOO_LARGE: Self = Self(1009);

    /// Whether an endpoint may send it: 1004 to 1006 and 1015 never stand in a frame; 1012 to 1014 are registered with
    /// IANA; 3000 to 4999 are for libraries and applications (section 7.4.2).
    #[must_use]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// The payload of a close frame. A reason over [`CLOSE_REASON_BYTES`] is cut at a character.
#[must_use]
pub fn close_payload(code: CloseCode, reason: &str) -> Vec<u8> {
    let reason = reason
        .get(..reason.floor_char_boundary(CLOSE_REASON_BYTES))
        .unwrap_or_default();
    let mut payload = code.0.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// Checks the payload of a close frame that came.
pub(super) fn check(payload: &[u8]) -> Result<(), WebSocketError> {
    match payload.split_first_chunk() {
        None if payload.is_empty() => Ok(()),
        None => Err(WebSocketError::CloseCode),
        Some((code, _)) if !CloseCode(u16::from_be_bytes(*code)).may_be_sent() => {
            Err(WebSocketError::CloseCode)
        }
        Some((_, reason)) => match std::str::from_utf8(reason) {
            Ok(_) => Ok(()),
            Err(_) => Err(WebSocketError::Utf8),
        },
    }
}
