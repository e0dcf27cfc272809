//! What one event of a streamed answer says, and how to change it.

use std::{borrow::Cow, fmt, ops::Range};

use smallvec::SmallVec;

use crate::{Call, Frame, Operation, ReadError, UsageCounters, json::Str};

/// What kind of text a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The answer.
    Text,
    /// The model's thinking.
    Reasoning,
    /// The model's refusal to answer.
    Refusal,
    /// The name of a tool it calls.
    ToolName,
    /// The arguments of a tool it calls: JSON in pieces, or (a whole Anthropic answer) each string in it.
    ToolArguments,
    /// What a tool run by the provider answered.
    ToolResult,
    /// A source it quotes.
    Citation,
    /// What spoken output says.
    Transcript,
}

impl Part {
    /// The name used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Reasoning => "reasoning",
            Self::Refusal => "refusal",
            Self::ToolName => "tool_name",
            Self::ToolArguments => "tool_arguments",
            Self::ToolResult => "tool_result",
            Self::Citation => "citation",
            Self::Transcript => "transcript",
        }
    }
}

/// A text of an answer that arrives in pieces: the pieces of one channel, joined, are one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Which answer, when several were asked for.
    pub choice: u32,
    /// What kind of text.
    pub part: Part,
    /// Which one of its kind: OpenAI's tool call index, Anthropic's content block index.
    pub index: u32,
}

/// Whether an event tells a text for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Telling {
    /// A piece of the text that no other event has.
    Piece,
    /// The whole text, as OpenAI's `….done` events have it. Where its channel has had other pieces it is a repeat; where not,
    /// the first telling.
    Whole,
    /// A repeat, in whichever channel the text was told.
    Again,
}

impl Telling {
    /// Whether it is a repeat, which is no piece of its channel's text: it counts for nothing, and is scanned and edited by
    /// itself. `known`: the channel has had other pieces.
    #[must_use]
    pub const fn repeats(self, known: bool) -> bool {
        match self {
            Self::Piece => false,
            Self::Whole => known,
            Self::Again => true,
        }
    }
}

/// A piece of a channel's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Delta<'e> {
    /// The text it is a piece of.
    pub channel: Channel,
    /// Its bytes in [`Frame::data`], without the quotes; for [`Frame::edited`].
    pub span: Range<usize>,
    /// The piece, unescaped.
    pub text: Cow<'e, str>,
    /// Whether it has been told before.
    pub telling: Telling,
}

impl<'e> Delta<'e> {
    pub(crate) fn new(string: Str<'e>, choice: u32, part: Part, index: u32) -> Self {
        Self {
            channel: Channel { choice, part, index },
            span: string.span(),
            text: string.text(),
            telling: Telling::Piece,
        }
    }
}

impl fmt::Debug for Delta<'_> {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta")
            .field("channel", &self.channel)
            .field("span", &self.span)
            .field("telling", &self.telling)
            .finish_non_exhaustive()
    }
}

/// Why a model stopped, in words common to all providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It was done, or met a stop sequence.
    Stop,
    /// It ran into the output limit or the context window.
    Length,
    /// It calls a tool.
    ToolCalls,
    /// The provider's filter or the model itself refused.
    Filtered,
    /// The provider paused a long turn, to be continued.
    Paused,
    /// The provider failed.
    Error,
    /// A reason not known here.
    Other,
}

impl Finish {
    /// The name used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Filtered => "filtered",
            Self::Paused => "paused",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}

/// What one event says. An event that says nothing (a keep-alive) has no deltas and nothing set.
#[derive(Clone, Default)]
pub struct StreamEvent<'e> {
    /// Pieces of text, in the order of the event.
    pub deltas: SmallVec<[Delta<'e>; 1]>,
    /// Usage counters, when the event has some; to be merged with those seen before.
    pub usage: Option<UsageCounters>,
    /// Where the usage object stands in [`Frame::data`].
    pub usage_span: Option<Range<usize>>,
    /// Whether the event is there for its usage only (OpenAI's extra chunk): it can be withheld from a client that did
    /// not ask for it.
    pub usage_only: bool,
    /// The model that answers.
    pub model: Option<Cow<'e, str>>,
    /// Spans in [`Frame::data`] of JSON values that repeat a text in another form: who edits a text must also replace
    /// these by `null`.
    pub echoes: SmallVec<[Range<usize>; 0]>,
    /// Why the model stopped.
    pub finish: Option<Finish>,
    /// Whether the event is the provider's error: the stream has failed.
    pub error: bool,
    /// Which of the answers that a WebSocket carries side by side it belongs to, where it says so: OpenAI's `stream_id` of
    /// responses, `response_id` of realtime. A constant where answers never run side by side (Gemini's Live), so that each
    /// event is of the one that has begun.
    pub lane: Option<Cow<'e, str>>,
    /// Whether an answer begins here, on a WebSocket that carries several and where the provider may begin one unasked.
    pub begins: bool,
    /// Whether the stream ends here by its protocol; on a WebSocket, the answer.
    pub terminal: bool,
}

impl fmt::Debug for StreamEvent<'_> {
    /// Never shows a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEvent")
            .field("deltas", &self.deltas)
            .field("usage", &self.usage)
            .field("model", &self.model)
            .field("finish", &self.finish)
            .field("error", &self.error)
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

/// Reads one frame in one pass.
///
/// # Errors
///
/// [`ReadError`] when the frame's data is not what the operation's streams carry.
pub fn read_event<'e>(call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
    if call.operation == Operation::Other {
        return Err(ReadError::NotRead);
    }
    call.shape.shape().read_event(call, frame)
}
