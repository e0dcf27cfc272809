//! What one event of a streamed answer says, and how to change it.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::{
    Api, Edit, EditError, Operation, ReadError, SseEvent, UsageCounters, anthropic, edit, json::Str, openai,
};

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

/// A piece of a channel's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Delta<'e> {
    /// The text it is a piece of.
    pub channel: Channel,
    /// Its bytes in [`SseEvent::data`], without the quotes; for [`edit_event`].
    pub span: Range<usize>,
    /// The piece, unescaped.
    pub text: Cow<'e, str>,
}

impl<'e> Delta<'e> {
    pub(crate) fn new(string: Str<'e>, choice: u32, part: Part, index: u32) -> Self {
        Self {
            channel: Channel { choice, part, index },
            span: string.span(),
            text: string.text(),
        }
    }
}

impl fmt::Debug for Delta<'_> {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta")
            .field("channel", &self.channel)
            .field("span", &self.span)
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
    /// Where the usage object stands in [`SseEvent::data`].
    pub usage_span: Option<Range<usize>>,
    /// Whether the event is there for its usage only (OpenAI's extra chunk): it can be withheld from a client that did
    /// not ask for it.
    pub usage_only: bool,
    /// The model that answers.
    pub model: Option<Cow<'e, str>>,
    /// Spans in [`SseEvent::data`] of JSON values that repeat a text in another form: who edits a text must also replace
    /// these by `null`.
    pub echoes: SmallVec<[Range<usize>; 0]>,
    /// Why the model stopped.
    pub finish: Option<Finish>,
    /// Whether the event is the provider's error: the stream has failed.
    pub error: bool,
    /// Whether the stream ends here by its protocol.
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

/// Reads one event in one pass.
///
/// # Errors
///
/// [`ReadError`] when the event's data is not what the operation's streams carry.
pub fn read_event<'e>(
    api: Api,
    operation: Operation,
    event: &'e SseEvent,
) -> Result<StreamEvent<'e>, ReadError> {
    match operation.shape(api) {
        _ if operation == Operation::Other => Err(ReadError::NotRead),
        Api::OpenAi => openai::read_event(event),
        Api::Anthropic => anthropic::read_event(event),
    }
}

/// The event with edits made to its data ([`Delta::span`], [`StreamEvent::echoes`]). Every other byte stays, unless the
/// data came in several `data:` lines: then they become one (line ends between them can only be JSON white space).
///
/// # Errors
///
/// [`EditError`] when an edit reaches outside the data or overlaps another.
pub fn edit_event(event: &SseEvent, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
    let data = edit(event.data(), edits)?;
    let raw = event.raw();
    let mut out = BytesMut::with_capacity(raw.len() + data.len());
    let lines = event.data_lines();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Ok(raw.clone());
    };
    out.put_slice(raw.get(..first.start).unwrap_or_default());
    out.extend(
        data.iter()
            .map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
    );
    if let [_, rest @ ..] = lines {
        // What stands between the data lines (other fields, comments) is kept, the data lines are not.
        let mut at = first.end;
        for line in rest {
            out.put_slice(before_data_line(raw.get(at..line.start).unwrap_or_default()));
            at = line.end;
        }
    }
    out.put_slice(raw.get(last.end..).unwrap_or_default());
    Ok(out.freeze())
}

/// Of the bytes between two data values (line end, other lines, `data:`), those before the last line.
fn before_data_line(between: &[u8]) -> &[u8] {
    let line = memchr::memrchr2(b'\n', b'\r', between).map_or(0, |at| at + 1);
    let head = between.get(..line).unwrap_or_default();
    // The line end that closes the last kept line is written by what follows.
    head.strip_suffix(b"\r\n")
        .or_else(|| head.strip_suffix(b"\n"))
        .or_else(|| head.strip_suffix(b"\r"))
        .unwrap_or(head)
}
