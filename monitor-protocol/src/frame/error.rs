//! Why a stream cannot be divided into frames.

use crate::WebSocketError;

/// A stream that cannot be read on. Its decoder yields nothing more; [`crate::FrameDecoder::remainder`] gives back what
/// was not yielded, so that the stream can be passed on unread or be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame is longer than the decoder's limit.
    #[error("a frame of the stream is longer than the {limit_bytes} bytes that are read")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// A stream that should be one JSON array is none.
    #[error("the stream is not a JSON array of documents")]
    NotAnArray,
    /// The lengths of an AWS event stream message contradict each other.
    #[error("the lengths of an event stream message contradict each other")]
    Lengths,
    /// A CRC32 of an AWS event stream message is not that of its bytes.
    #[error("the checksum of an event stream message is not that of its bytes")]
    Checksum,
    /// The headers of an AWS event stream message cannot be read, or name one thing twice.
    #[error("the headers of an event stream message cannot be read")]
    Headers,
    /// The payload of an AWS `chunk` event does not hold its bytes once, in base64.
    #[error("a `chunk` event does not hold its bytes once, in base64")]
    Chunk,
    /// The server of a WebSocket breaks the protocol.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
}
