//! One unit of a streamed answer, whatever the framing: its bytes as they came, and the document in it.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use crate::{Edit, EditError, EventTooLarge, SseDecoder, SseEvent, json::unescape, sse};

/// How a streamed answer is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events: `text/event-stream`.
    Sse,
}

/// One unit of a streamed answer, or a run of bytes between two that must be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A server-sent event.
    Sse(SseEvent),
}

impl Frame {
    /// The bytes exactly as they came.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        match self {
            Self::Sse(event) => event.raw(),
        }
    }

    /// The name that the framing gives it: an `event` field, an `:event-type` header; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Sse(event) => event.name(),
        }
    }

    /// The document in it; empty where there is none.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match self {
            Self::Sse(event) => event.data(),
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
    /// [`EditError`] when an edit reaches outside the data or overlaps another.
    pub fn edited(&self, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
        match self {
            Self::Sse(event) => sse::edited(event, edits),
        }
    }
}

/// Finds the frames in a stream of bytes: in at any split, out with their bytes exactly as they came. Joined, the raw
/// bytes of all frames and [`Self::remainder`] are the input.
#[derive(Debug)]
pub enum FrameDecoder {
    /// Of server-sent events.
    Sse(SseDecoder),
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(SseDecoder::new()),
        }
    }

    /// Adds bytes as they came from the network.
    pub fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(decoder) => decoder.push(chunk),
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
    pub fn next(&mut self) -> Result<Option<Frame>, EventTooLarge> {
        match self {
            Self::Sse(decoder) => Ok(decoder.next()?.map(Frame::Sse)),
        }
    }

    /// What was pushed and not yielded, for the end of the stream.
    pub fn remainder(&mut self) -> Bytes {
        match self {
            Self::Sse(decoder) => decoder.remainder(),
        }
    }
}
