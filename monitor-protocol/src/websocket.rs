//! WebSocket messages (RFC 6455): bytes of either endpoint in at any split, messages out with their bytes as they came.
//!
//! The decoder keeps the rules that tell where a message begins and ends and what it says, because two readers that differ
//! in them read different conversations: masking, reserved bits and opcodes, lengths in their shortest form, the order of
//! fragments, UTF-8. What breaks one is an error with the close code that the RFC gives it. Extensions are not spoken:
//! who reads a WebSocket must take their offer (`sec-websocket-extensions`) out of its handshake.
//!
//! A control frame in the middle of a fragmented message is handed out when it is whole, before the message: nobody's
//! keep-alive waits for a long message to end. Apart from that, and from what follows a close frame (nothing may, section
//! 5.5.1), the raw bytes of all messages and [`WebSocketDecoder::remainder`] joined are the input.

mod close;
#[cfg(test)]
mod conformance;
mod decoder;
mod error;
mod header;
mod mask;
mod utf8;

use std::fmt;

use bytes::Bytes;

use crate::{Edit, EditError, edit};

pub use close::{CLOSE_REASON_BYTES, CloseCode, close_payload};
pub use decoder::{MAX_MESSAGE_BYTES, WebSocketDecoder};
pub use error::WebSocketError;

/// An endpoint of a WebSocket, as the sender of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The client, which masks every frame (section 5.3).
    Client,
    /// The server, which masks none (section 5.1).
    Server,
}

/// The key that a client's frame is masked with (section 5.3).
pub type MaskingKey = [u8; 4];

/// What a message is: data, or one of the control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes. Gemini's Live API puts its JSON in binary messages, too (google-genai 3.4.0, `live.py`, takes either).
    Binary,
    /// The sender will send no more.
    Close,
    /// To be answered by a pong.
    Ping,
    /// The answer to a ping, or a keep-alive of its own.
    Pong,
}

impl MessageKind {
    /// Whether it is a control frame: never fragmented, at most 125 bytes, and passed on at once.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn opcode(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// One message, or one control frame.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocketMessage {
    kind: MessageKind,
    /// The bytes of all its frames.
    raw: Bytes,
    /// The payloads, joined and unmasked.
    data: Bytes,
    /// Of its first frame.
    key: Option<MaskingKey>,
}

impl WebSocketMessage {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The bytes of all its frames exactly as they came.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// What it carries, unmasked and joined. Of a close frame: code and reason.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// The key that its first frame is masked with.
    #[must_use]
    pub const fn key(&self) -> Option<MaskingKey> {
        self.key
    }

    /// The code of a close frame, where it has one (section 5.5.1).
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        match (self.kind, self.data.first_chunk()) {
            (MessageKind::Close, Some(code)) => Some(u16::from_be_bytes(*code)),
            _ => None,
        }
    }

    /// The message with edits made to its data, as one frame; without edits, as it came. A client's is masked with the key it had: the sender chose
    /// it, so it stays as unpredictable as section 10.3 asks.
    ///
    /// # Errors
    ///
    /// [`EditError`] when an edit reaches outside the data or overlaps another.
    pub fn edited(&self, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
        if edits.is_empty() {
            return Ok(self.raw.clone());
        }
        let data = edit(&self.data, edits)?;
        Ok(encode_message(self.kind, &data, self.key))
    }
}

impl fmt::Debug for WebSocketMessage {
    /// Never shows the data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketMessage")
            .field("kind", &self.kind)
            .field("raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// A message as one frame (section 5.2): masked with `key`, as a client's must be, or without, as a server's. A control
/// frame's payload must not be longer than 125 bytes.
#[must_use]
pub fn encode_message(kind: MessageKind, payload: &[u8], key: Option<MaskingKey>) -> Bytes {
    header::encode(kind.opcode(), payload, key).into()
}
