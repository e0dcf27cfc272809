//! The pull reader.

use std::ops::Range;

use super::{JsonError, JsonFault, MAX_DEPTH, Str, number, string};
use crate::ReadError;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A place in a document.
pub(crate) struct Reader<'b> {
    text: &'b str,
    bytes: &'b [u8],
    at: usize,
    depth: u32,
}

type Result<T> = std::result::Result<T, JsonError>;

/// Reads a document that must be one object. `member` is called after each key and must read exactly one value. Returns
/// the offset after the opening brace.
pub(crate) fn document<'b>(
    body: &'b [u8],
    member: impl FnMut(&mut Reader<'b>, Str<'b>) -> Result<()>,
) -> std::result::Result<usize, ReadError> {
    let mut reader = Reader::new(body)?;
    let inside = reader.position()? + 1;
    let is_object = reader.object(member)?;
    reader.finish()?;
    if is_object {
        Ok(inside)
    } else {
        Err(ReadError::NotAnObject)
    }
}

impl<'b> Reader<'b> {
    /// Begins to read a document. The whole document must be UTF-8.
    pub(crate) fn new(document: &'b [u8]) -> Result<Self> {
        let text = std::str::from_utf8(document).map_err(|error| JsonError {
            offset: error.valid_up_to(),
            fault: JsonFault::Utf8,
        })?;
        Ok(Self {
            text,
            bytes: document,
            at: 0,
            depth: 0,
        })
    }

    fn fail<T>(&self, fault: JsonFault) -> Result<T> {
        let fault = if self.at >= self.bytes.len() {
            JsonFault::Truncated
        } else {
            fault
        };
        Err(JsonError {
            offset: self.at,
            fault,
        })
    }

    /// The next byte that is not white space.
    fn next_byte(&mut self) -> Option<u8> {
        #[cfg(test)]
        crate::work::look_at(1);
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.next_byte() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.fail(JsonFault::Unexpected)
        }
    }

    fn enter(&mut self) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return self.fail(JsonFault::Depth);
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// What the next value is, judged by its first byte.
    pub(crate) fn peek(&mut self) -> Result<Kind> {
        match self.next_byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => self.fail(JsonFault::Unexpected),
        }
    }

    /// Reads an object. `member` is called after each key and must read exactly one value. Any other kind of value is
    /// skipped, and `false` returned.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Str<'b>) -> Result<()>,
    ) -> Result<bool> {
        if self.peek()? != Kind::Object {
            self.skip()?;
            return Ok(false);
        }
        self.enter()?;
        if self.next_byte() == Some(b'}') {
            self.leave();
            return Ok(true);
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            match self.next_byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.leave();
                    return Ok(true);
                }
                _ => return self.fail(JsonFault::Unexpected),
            }
        }
    }

    /// Reads an array. `element` is called before each element and must read exactly one value. Any other kind of
    /// value is skipped, and `false` returned.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<bool> {
        if self.peek()? != Kind::Array {
            self.skip()?;
            return Ok(false);
        }
        self.enter()?;
        if self.next_byte() == Some(b']') {
            self.leave();
            return Ok(true);
        }
        loop {
            element(self)?;
            match self.next_byte() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.leave();
                    return Ok(true);
                }
                _ => return self.fail(JsonFault::Unexpected),
            }
        }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Result<Str<'b>> {
        if self.next_byte() != Some(b'"') {
            return self.fail(JsonFault::Unexpected);
        }
        let key = self.string_here()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// The string whose opening quote is at `at`.
    fn string_here(&mut self) -> Result<Str<'b>> {
        let start = self.at + 1;
        let (end, escaped) = string::scan(self.bytes, start)?;
        self.at = end + 1;
        // The quotes are ASCII, so both ends are character boundaries.
        let raw = self.text.get(start..end).unwrap_or_default();
        Ok(Str { raw, start, escaped })
    }

    /// Reads a string; any other kind of value is skipped and gives `None`.
    pub(crate) fn string(&mut self) -> Result<Option<Str<'b>>> {
        if self.peek()? == Kind::String {
            return self.string_here().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// Reads a whole number that is not negative, with its span; any other value is skipped and gives `None`.
    pub(crate) fn count(&mut self) -> Result<Option<(u64, Range<usize>)>> {
        let is_number = self.peek()? == Kind::Number;
        let span = self.skip()?;
        if !is_number {
            return Ok(None);
        }
        Ok(self
            .text
            .get(span.clone())
            .and_then(number::as_u64)
            .map(|count| (count, span)))
    }

    /// Reads a value and says whether it is `true`.
    pub(crate) fn is_true(&mut self) -> Result<bool> {
        let is_true = self.peek()? == Kind::True;
        self.skip()?;
        Ok(is_true)
    }

    /// Passes over one value of any kind, checking it, and returns its span.
    pub(crate) fn skip(&mut self) -> Result<Range<usize>> {
        // One bit per open container, set for an object; MAX_DEPTH bits are enough.
        let mut objects: u128 = 0;
        let outer = self.depth;
        self.next_byte();
        let start = self.at;
        loop {
            match self.peek()? {
                Kind::Object => {
                    self.enter()?;
                    if self.next_byte() == Some(b'}') {
                        self.leave();
                    } else {
                        objects = objects << 1 | 1;
                        self.key()?;
                        continue;
                    }
                }
                Kind::Array => {
                    self.enter()?;
                    if self.next_byte() == Some(b']') {
                        self.leave();
                    } else {
                        objects <<= 1;
                        continue;
                    }
                }
                Kind::String => {
                    self.string_here()?;
                }
                Kind::Number => self.at = number::scan(self.bytes, self.at)?,
                Kind::True => self.literal("true")?,
                Kind::False => self.literal("false")?,
                Kind::Null => self.literal("null")?,
            }
            loop {
                if self.depth == outer {
                    return Ok(start..self.at);
                }
                let in_object = objects & 1 == 1;
                match self.next_byte() {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => self.leave(),
                    Some(b']') if !in_object => self.leave(),
                    _ => return self.fail(JsonFault::Unexpected),
                }
                objects >>= 1;
            }
        }
    }

    fn literal(&mut self, literal: &str) -> Result<()> {
        for byte in literal.bytes() {
            if self.bytes.get(self.at) != Some(&byte) {
                return self.fail(JsonFault::Unexpected);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Calls `found` for every string value in the next value, at any depth, and `key` for every key; `key` says
    /// whether the value under it is to be walked or passed over.
    pub(crate) fn strings(
        &mut self,
        key: &mut dyn FnMut(Str<'b>) -> bool,
        found: &mut dyn FnMut(Str<'b>),
    ) -> Result<()> {
        match self.peek()? {
            Kind::Object => self
                .object(|reader, name| {
                    if key(name) {
                        reader.strings(key, found)
                    } else {
                        reader.skip().map(drop)
                    }
                })
                .map(drop),
            Kind::Array => self.array(|reader| reader.strings(key, found)).map(drop),
            Kind::String => self.string_here().map(found),
            _ => self.skip().map(drop),
        }
    }

    /// Offset of the next value's first byte.
    pub(crate) fn position(&mut self) -> Result<usize> {
        self.peek()?;
        Ok(self.at)
    }

    /// Offset after the value read last.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The text of a span that [`Self::skip`] returned.
    pub(crate) fn slice(&self, span: Range<usize>) -> &'b str {
        self.text.get(span).unwrap_or_default()
    }

    /// Nothing but white space may follow the document.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.next_byte().is_some() {
            self.fail(JsonFault::Trailing)
        } else {
            Ok(())
        }
    }
}
