//! A strict RFC 8259 pull reader with byte spans.
//!
//! A body is checked to be UTF-8 once, then walked once. Nothing is built: a string is a span and a flag, unescaped
//! only when somebody asks for its text, so that an edit can later replace exactly those bytes. The reader validates all
//! it passes over, skipped values too: what a lenient reader would repair and a provider would read differently is
//! refused here.
//!
//! - Duplicate keys are reported each time they occur (RFC 8259 section 4 leaves their meaning open).
//! - A lone surrogate escape is grammatical (section 8.2) and decodes to U+FFFD.
//! - A byte order mark is not (section 8.1).

#[cfg(test)]
mod conformance;
mod number;
mod reader;
mod string;

pub(crate) use reader::{Kind, Reader, document};
pub(crate) use string::{Str, Unescaped, next_unescaped};
pub use string::{escape_into, unescape};

/// Deepest nesting of arrays and objects that is read. Real tool schemas stay under 20; serde_json's own bound is 128;
/// deeper documents are refused because a recursive reader at the provider may differ from us in what it makes of them.
pub const MAX_DEPTH: u32 = 128;

/// Where and how a document departs from RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {offset}: {fault}")]
pub struct JsonError {
    /// Byte offset from the start of the document.
    pub offset: usize,
    /// What is wrong there.
    pub fault: JsonFault,
}

/// The ways a document can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// The document is not UTF-8 (RFC 8259 section 8.1).
    #[error("not UTF-8")]
    Utf8,
    /// The document ends inside a value.
    #[error("the document ends too early")]
    Truncated,
    /// A byte that cannot stand here.
    #[error("unexpected byte")]
    Unexpected,
    /// A control character inside a string must be escaped (RFC 8259 section 7).
    #[error("unescaped control character in a string")]
    Control,
    /// An escape sequence that RFC 8259 section 7 does not have.
    #[error("invalid escape sequence")]
    Escape,
    /// A number not formed as RFC 8259 section 6 says.
    #[error("invalid number")]
    Number,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Something other than white space follows the document.
    #[error("bytes after the end of the document")]
    Trailing,
}
