//! What a whole (not streamed) answer says.

use std::{
    borrow::Cow,
    fmt,
    ops::{Deref, Range},
};

use crate::{Call, Channel, Finish, Literal, Operation, Part, ReadError, UsageCounters};

/// One text of an answer; where it stands is its [`Literal`]'s.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseText<'b> {
    /// Which choice and part it belongs to.
    pub channel: Channel,
    /// The text as written.
    pub literal: Literal<'b>,
}

impl<'b> ResponseText<'b> {
    pub(crate) fn new(literal: impl Into<Literal<'b>>, choice: u32, part: Part, index: u32) -> Self {
        Self {
            channel: Channel { choice, part, index },
            literal: literal.into(),
        }
    }
}

impl<'b> Deref for ResponseText<'b> {
    type Target = Literal<'b>;

    fn deref(&self) -> &Literal<'b> {
        &self.literal
    }
}

impl fmt::Debug for ResponseText<'_> {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseText")
            .field("channel", &self.channel)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// What the body of an answer says.
#[derive(Clone, Default)]
pub struct Response<'b> {
    /// The model that answered, as the provider names it.
    pub model: Option<Cow<'b, str>>,
    /// Tokens spent, when the provider says so.
    pub usage: Option<UsageCounters>,
    /// The provider's usage object as written, for the record: numbers and fixed words, no text of the exchange.
    pub usage_raw: Option<&'b str>,
    /// Every text of the answer, in the order of the body.
    pub texts: Vec<ResponseText<'b>>,
    /// Spans of JSON values that repeat a text in another form (log probabilities, detailed reasoning): who edits a text
    /// must also replace these by `null`, or the edited text can be read there.
    pub echoes: Vec<Range<usize>>,
    /// Why the model stopped (of the last choice listed).
    pub finish: Option<Finish>,
    /// Whether the body is the provider's error object.
    pub error: bool,
}

impl fmt::Debug for Response<'_> {
    /// Never shows a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("model", &self.model)
            .field("usage", &self.usage)
            .field("texts", &self.texts)
            .field("finish", &self.finish)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// Reads an answer's body in one pass.
///
/// # Errors
///
/// [`ReadError`] when the body is not what the operation's answers are, or the operation is [`Operation::Other`].
pub fn read_response<'b>(call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
    if call.operation == Operation::Other {
        return Err(ReadError::NotRead);
    }
    call.shape.shape().read_response(call, body)
}
