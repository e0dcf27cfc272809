//! A text as it is written in a body.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{
    RawSpans,
    json::{Str, unescape},
};

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As a JSON string in which nothing is escaped.
    Json,
    /// As a JSON string with escape sequences.
    JsonEscaped,
    /// As it is: a field of a form, a body of plain text.
    Plain,
}

/// A text as it is written in a body: where, and in which coding.
#[derive(Clone, PartialEq, Eq)]
pub struct Literal<'b> {
    /// Its bytes in the body; of a JSON string, those between the quotes.
    pub span: Range<usize>,
    /// Those bytes, as written.
    pub raw: &'b str,
    coding: Coding,
}

impl<'b> Literal<'b> {
    /// A text that stands as it is at `start` of the body.
    pub(crate) fn plain(raw: &'b str, start: usize) -> Self {
        Self {
            span: start..start + raw.len(),
            raw,
            coding: Coding::Plain,
        }
    }

    /// Moves it: what it was read from stands at `start` of the body.
    pub(crate) fn shift(&mut self, start: usize) {
        self.span = self.span.start + start..self.span.end + start;
    }

    /// The text; borrowed when nothing is escaped.
    #[must_use]
    pub fn text(&self) -> Cow<'b, str> {
        match self.coding {
            Coding::JsonEscaped => unescape(self.raw),
            Coding::Json | Coding::Plain => Cow::Borrowed(self.raw),
        }
    }

    /// Maps ranges of [`Self::text`] to spans of the body and edits of them, for [`crate::edit`].
    #[must_use]
    pub fn raw_spans(&self) -> RawSpans<'b> {
        RawSpans::new(self.raw, self.span.start, self.coding)
    }
}

impl<'b> From<Str<'b>> for Literal<'b> {
    fn from(string: Str<'b>) -> Self {
        Self {
            span: string.span(),
            raw: string.raw,
            coding: if string.escaped {
                Coding::JsonEscaped
            } else {
                Coding::Json
            },
        }
    }
}

impl fmt::Debug for Literal<'_> {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Literal")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
