//! What a whole (not streamed) answer says.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{
    Call, Channel, Finish, Operation, Part, RawSpans, ReadError, UsageCounters,
    json::{Str, unescape},
};

/// One string of an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseText<'b> {
    /// Which choice and part it belongs to.
    pub channel: Channel,
    /// Its bytes in the body, without the quotes.
    pub span: Range<usize>,
    /// Those bytes, still escaped.
    pub raw: &'b str,
    pub(crate) escaped: bool,
}

impl<'b> ResponseText<'b> {
    pub(crate) fn new(string: Str<'b>, choice: u32, part: Part, index: u32) -> Self {
        let channel = Channel { choice, part, index };
        Self {
            channel,
            span: string.span(),
            raw: string.raw,
            escaped: string.escaped,
        }
    }

    /// The text, unescaped; borrowed when nothing is escaped.
    #[must_use]
    pub fn text(&self) -> Cow<'b, str> {
        if self.escaped {
            unescape(self.raw)
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Maps ranges of [`Self::text`] to spans of the body, for [`crate::edit`].
    #[must_use]
    pub fn raw_spans(&self) -> RawSpans<'b> {
        RawSpans::new(self.raw, self.span.start, self.escaped)
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
