//! What breaks the rules of a WebSocket.

use super::CloseCode;

/// A byte stream that is no WebSocket, or not one that can be read here. The decoder yields nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketError {
    /// A reserved bit is set, though no extension was agreed on (RFC 6455, section 5.2).
    #[error("a WebSocket frame has a reserved bit set, and no extension was agreed on")]
    ReservedBit,
    /// An opcode that the RFC does not define.
    #[error("a WebSocket frame has a reserved opcode")]
    ReservedOpcode,
    /// A length that fits into fewer bytes, or has its highest bit set (section 5.2).
    #[error("the length of a WebSocket frame is not in its shortest form")]
    Length,
    /// A client's frame without a mask, or a server's with one (section 5.1).
    #[error("a WebSocket frame is masked where it must not be, or is not where it must be")]
    Mask,
    /// A control frame in fragments, or longer than 125 bytes (section 5.5).
    #[error("a WebSocket control frame is fragmented or longer than 125 bytes")]
    Control,
    /// A continuation of nothing, or a new message before the last one has ended (section 5.4).
    #[error("the fragments of a WebSocket message are out of order")]
    Fragment,
    /// Text that is not UTF-8 (section 8.1).
    #[error("a WebSocket text is not UTF-8")]
    Utf8,
    /// A close frame with half a code, or a code that must not be sent (section 7.4).
    #[error("a WebSocket close frame has no valid code")]
    CloseCode,
    /// A message longer than what is read.
    #[error("a WebSocket message is longer than the {limit_bytes} bytes that are read")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
}

impl WebSocketError {
    /// The code to close the connection with (section 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Utf8 => CloseCode::INVALID_DATA,
            Self::TooLarge { .. } => CloseCode::TOO_LARGE,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
