//! Frame headers (RFC 6455, section 5.2).

use super::{MaskingKey, MessageKind, Sender, WebSocketError, mask};

/// The longest header: two bytes, a 64-bit length, a key.
pub(super) const MAX_HEADER_BYTES: usize = 14;
/// The longest payload of a control frame (section 5.5).
const MAX_CONTROL_BYTES: u64 = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// More of the message under way.
    Continuation,
    /// A control frame, or the start of a message.
    Kind(MessageKind),
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Its own length in bytes.
    pub len: usize,
    /// The frame is the last of its message.
    pub fin: bool,
    pub opcode: Opcode,
    pub key: Option<MaskingKey>,
    /// Bytes of payload.
    pub payload_len: u64,
}

impl Header {
    /// Whether it is a control frame's.
    pub(super) const fn is_control(&self) -> bool {
        matches!(self.opcode, Opcode::Kind(kind) if kind.is_control())
    }
}

/// Reads the header at the start of `input`; `None` while it is not whole. What is wrong with it is said as soon as it is
/// there.
pub(super) fn parse(input: &[u8], sender: Sender) -> Result<Option<Header>, WebSocketError> {
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    if first & RESERVED != 0 {
        return Err(WebSocketError::ReservedBit);
    }
    let fin = first & FIN != 0;
    let opcode = match first & OPCODE {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Kind(MessageKind::Text),
        0x2 => Opcode::Kind(MessageKind::Binary),
        0x8 => Opcode::Kind(MessageKind::Close),
        0x9 => Opcode::Kind(MessageKind::Ping),
        0xA => Opcode::Kind(MessageKind::Pong),
        _ => return Err(WebSocketError::ReservedOpcode),
    };
    let Some(&second) = input.get(1) else {
        return Ok(None);
    };
    let masked = second & MASKED != 0;
    if masked != (sender == Sender::Client) {
        return Err(WebSocketError::Mask);
    }
    let rest = input.get(2..).unwrap_or_default();
    let (payload_len, rest) = match second & !MASKED {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    let shortest = match second & !MASKED {
        126 => payload_len > 125,
        127 => payload_len > u64::from(u16::MAX) && payload_len >> 63 == 0,
        _ => true,
    };
    if !shortest {
        return Err(WebSocketError::Length);
    }
    let is_control = matches!(opcode, Opcode::Kind(kind) if kind.is_control());
    if is_control && (!fin || payload_len > MAX_CONTROL_BYTES) {
        return Err(WebSocketError::Control);
    }
    let (key, rest) = match (masked, rest.split_first_chunk()) {
        (false, _) => (None, rest),
        (true, Some((key, rest))) => (Some(*key), rest),
        (true, None) => return Ok(None),
    };
    Ok(Some(Header {
        len: input.len() - rest.len(),
        fin,
        opcode,
        key,
        payload_len,
    }))
}

/// One frame that is a whole message.
pub(super) fn encode(opcode: u8, payload: &[u8], key: Option<MaskingKey>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + payload.len());
    let masked = if key.is_some() { MASKED } else { 0 };
    frame.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short <= 125 => frame.push(masked | short),
        (_, Ok(length)) => {
            frame.push(masked | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        frame.extend_from_slice(&key);
    }
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(key, 0, frame.get_mut(start..).unwrap_or_default());
    }
    frame
}
