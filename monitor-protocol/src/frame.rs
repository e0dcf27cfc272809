//! One unit of a streamed answer, whatever the framing: its bytes as they came, and the document in it.

mod document;
mod error;
mod event_stream;
mod json_array;
mod ndjson;
mod pending;
mod sse;

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

pub use document::Document;
pub use error::FrameError;
pub(crate) use event_stream::exception;
pub use event_stream::{EventStreamDecoder, Message};
pub use json_array::JsonArrayDecoder;
pub use ndjson::NdjsonDecoder;
pub use sse::{SseDecoder, SseEvent};

use crate::{Edit, EditError, Sender, WebSocketDecoder, WebSocketMessage, json::unescape};

/// Longest frame that is read, in bytes. Text deltas are some hundred bytes; the largest legitimate frames hold a whole
/// image in base64, some megabytes. It bounds what one stream can make us hold. A longer frame ends the reading of the
/// stream: [`FrameError::TooLarge`].
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// How a streamed answer is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events: `text/event-stream`.
    Sse,
    /// One JSON document a line: `application/x-ndjson`.
    Ndjson,
    /// One JSON array that grows: `application/json`, of an operation whose path asks for a stream.
    JsonArray,
    /// Messages of an AWS event stream: `application/vnd.amazon.eventstream`.
    EventStream,
    /// WebSocket messages (RFC 6455), after the handshake.
    WebSocket,
}

impl Framing {
    /// Every variant, for tests.
    pub const ALL: &[Self] = &[
        Self::Sse,
        Self::Ndjson,
        Self::JsonArray,
        Self::EventStream,
        Self::WebSocket,
    ];
}

/// One unit of a streamed answer, or a run of bytes between two that must be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A server-sent event.
    Sse(SseEvent),
    /// A line of NDJSON, with its end.
    Ndjson(Document),
    /// An element of a JSON array, with what stands before it.
    JsonArray(Document),
    /// A message of an AWS event stream.
    EventStream(Message),
    /// A message of a WebSocket, or a control frame.
    WebSocket(WebSocketMessage),
}

impl Frame {
    /// The bytes exactly as they came.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        match self {
            Self::Sse(event) => event.raw(),
            Self::Ndjson(document) | Self::JsonArray(document) => document.raw(),
            Self::EventStream(message) => message.raw(),
            Self::WebSocket(message) => message.raw(),
        }
    }

    /// The name that the framing gives it: an `event` field, an `:event-type` or `:exception-type` header; empty where
    /// there is none.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Sse(event) => event.name(),
            Self::Ndjson(_) | Self::JsonArray(_) => &[],
            Self::EventStream(message) => message.name(),
            Self::WebSocket(_) => &[],
        }
    }

    /// The document in it; empty where there is none.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match self {
            Self::Sse(event) => event.data(),
            Self::Ndjson(document) | Self::JsonArray(document) => document.data(),
            Self::EventStream(message) => message.data(),
            Self::WebSocket(message) if message.kind().is_control() => &[],
            Self::WebSocket(message) => message.data(),
        }
    }

    /// Whether the framing itself says that the stream has failed: an exception of an AWS event stream. [`Self::name`]
    /// then says which.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        match self {
            Self::Sse(_) | Self::Ndjson(_) | Self::JsonArray(_) | Self::WebSocket(_) => false,
            Self::EventStream(message) => message.is_exception(),
        }
    }

    /// The text of a string in [`Self::data`], given its span ([`crate::Delta::span`]); empty when it is not a span of one.
    /// For a frame that is held back while the [`crate::StreamEvent`] that borrowed from it is gone.
    #[must_use]
    pub fn text(&self, span: Range<usize>) -> Cow<'_, str> {
        let raw = self
            .data()
            .get(span)
            .and_then(|raw| std::str::from_utf8(raw).ok())
            .unwrap_or_default();
        unescape(raw)
    }

    /// The frame with edits made to its data ([`crate::Delta::span`], [`crate::StreamEvent::echoes`]). Every other byte
    /// stays, but for lengths and checksums that cover the data.
    ///
    /// # Errors
    ///
    /// [`EditError`] when an edit reaches outside the data or overlaps another, or makes the frame longer than its framing
    /// allows.
    pub fn edited(&self, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
        match self {
            Self::Sse(event) => sse::edited(event, edits),
            Self::Ndjson(document) | Self::JsonArray(document) => document.edited(edits),
            Self::EventStream(message) => message.edited(edits),
            Self::WebSocket(message) => message.edited(edits),
        }
    }
}

/// Finds the frames in a stream of bytes: in at any split, out with their bytes exactly as they came. Joined, the raw
/// bytes of all frames and [`Self::remainder`] are the input.
#[derive(Debug)]
pub enum FrameDecoder {
    /// Of server-sent events.
    Sse(SseDecoder),
    /// Of NDJSON.
    Ndjson(NdjsonDecoder),
    /// Of a JSON array.
    JsonArray(JsonArrayDecoder),
    /// Of an AWS event stream.
    EventStream(EventStreamDecoder),
    /// Of what the server of a WebSocket sends.
    WebSocket(WebSocketDecoder),
}

impl FrameDecoder {
    /// A decoder at the start of a stream, for frames up to [`MAX_FRAME_BYTES`].
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self::with_limit(framing, MAX_FRAME_BYTES)
    }

    /// A decoder at the start of a stream, for frames up to `limit_bytes`.
    #[must_use]
    pub fn with_limit(framing: Framing, limit_bytes: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(SseDecoder::new(limit_bytes)),
            Framing::Ndjson => Self::Ndjson(NdjsonDecoder::new(limit_bytes)),
            Framing::JsonArray => Self::JsonArray(JsonArrayDecoder::new(limit_bytes)),
            Framing::EventStream => Self::EventStream(EventStreamDecoder::new(limit_bytes)),
            Framing::WebSocket => Self::WebSocket(WebSocketDecoder::with_limit(Sender::Server, limit_bytes)),
        }
    }

    /// Adds bytes as they came from the network.
    pub fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(decoder) => decoder.push(chunk),
            Self::Ndjson(decoder) => decoder.push(chunk),
            Self::JsonArray(decoder) => decoder.push(chunk),
            Self::EventStream(decoder) => decoder.push(chunk),
            Self::WebSocket(decoder) => decoder.push(chunk),
        }
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// The stream cannot be read on, then and at every later call; [`Self::remainder`] gives back what was not yielded.
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible, and `None` is not the end: more may be pushed"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        Ok(match self {
            Self::Sse(decoder) => decoder.next()?.map(Frame::Sse),
            Self::Ndjson(decoder) => decoder.next()?.map(Frame::Ndjson),
            Self::JsonArray(decoder) => decoder.next()?.map(Frame::JsonArray),
            Self::EventStream(decoder) => decoder.next()?.map(Frame::EventStream),
            Self::WebSocket(decoder) => decoder.next()?.map(Frame::WebSocket),
        })
    }

    /// The frame that the end of the stream ends, where the framing has such a one (NDJSON, whose last line need not
    /// end). To be called when [`Self::next`] has said `None` for the last time; a stream that failed has none.
    pub fn finish(&mut self) -> Option<Frame> {
        match self {
            Self::Ndjson(decoder) => decoder.finish().map(Frame::Ndjson),
            Self::Sse(_) | Self::JsonArray(_) | Self::EventStream(_) | Self::WebSocket(_) => None,
        }
    }

    /// What was pushed and not yielded, for the end of the stream.
    pub fn remainder(&mut self) -> Bytes {
        match self {
            Self::Sse(decoder) => decoder.remainder(),
            Self::Ndjson(decoder) => decoder.remainder(),
            Self::JsonArray(decoder) => decoder.remainder(),
            Self::EventStream(decoder) => decoder.remainder(),
            Self::WebSocket(decoder) => decoder.remainder(),
        }
    }
}
