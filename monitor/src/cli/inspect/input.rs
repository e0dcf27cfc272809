//! One line of `weir inspect`'s input.

use std::borrow::Cow;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Part;

/// Longest line that is read: twice the largest request body that is accepted by default, for what JSON escapes.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A line, without its end.
    Line,
    /// A line longer than [`MAX_LINE_BYTES`], passed over.
    TooLong,
    /// Nothing: the input has ended.
    End,
}

/// Reads the next line into `line`.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Read> {
    line.clear();
    loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            return Ok(if line.is_empty() { Read::End } else { Read::Line });
        }
        let end = memchr::memchr(b'\n', available);
        let taken = end.unwrap_or(available.len());
        if line.len() + taken > MAX_LINE_BYTES {
            // What was kept of it is given back: the next line is most likely a short one.
            *line = Vec::new();
            input.skip_until(b'\n')?;
            return Ok(Read::TooLong);
        }
        line.extend_from_slice(available.get(..taken).unwrap_or_default());
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Read::Line);
        }
    }
}

/// What is wrong with a line. It never quotes the line: that is prompt text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("longer than {MAX_LINE_BYTES} bytes, passed over; split its text")]
    TooLong,
    #[error("not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    #[error("not JSON at column {0}; each line is one object: {{\"id\": \"1\", \"text\": \"…\"}}")]
    NotJson(usize),
    #[error("not an object with each key once; each line is one object: {{\"id\": \"1\", \"text\": \"…\"}}")]
    NotObject,
    #[error("no `id`; give each input a string or a number")]
    NoId,
    #[error("the `id` is neither a string nor a number")]
    BadId,
    #[error("no `text`")]
    NoText,
    #[error("the `text` is not a string of whole characters")]
    BadText,
    #[error(
        "the `part` is none of system, user, assistant, tool_definition, tool_call, tool_result, document, other, text, \
         reasoning, tool_arguments, tool_output"
    )]
    BadPart,
}

/// The object of a line, each value still as it is written. Keys beside these are the user's own.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    part: Option<&'a RawValue>,
}

/// A text in a JSON string, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// One text to inspect.
pub(super) struct Input<'a> {
    /// As it is written, to be written so again.
    pub(super) id: &'a RawValue,
    pub(super) text: Cow<'a, str>,
    pub(super) part: Option<Part>,
}

impl<'a> Input<'a> {
    /// Reads a line.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Problem> {
        let line = str::from_utf8(line).map_err(|error| Problem::NotUtf8(error.valid_up_to() + 1))?;
        // Serde would take an array for the fields in their order.
        if !line.trim_ascii_start().starts_with('{') {
            return Err(Problem::NotObject);
        }
        let line: Line<'a> = serde_json::from_str(line).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Problem::NotObject,
            _ => Problem::NotJson(error.column()),
        })?;
        let id = line.id.ok_or(Problem::NoId)?;
        if !id
            .get()
            .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
        {
            return Err(Problem::BadId);
        }
        let text = line.text.ok_or(Problem::NoText)?;
        let Text(text) = serde_json::from_str(text.get()).map_err(|_| Problem::BadText)?;
        let part = match line.part {
            Some(part) => Some(
                Part::ALL
                    .iter()
                    .copied()
                    .find(|known| part.get().trim_matches('"') == known.name())
                    .ok_or(Problem::BadPart)?,
            ),
            None => None,
        };
        Ok(Self { id, text, part })
    }
}
