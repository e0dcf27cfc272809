//! The headers of a message: which kind it is, and what it is called.

use std::ops::Range;

use crate::FrameError;

/// What the headers say that is of use here. Spans are of the header bytes.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) message_type: Option<Range<usize>>,
    pub(super) event_type: Option<Range<usize>>,
    pub(super) exception_type: Option<Range<usize>>,
    pub(super) error_code: Option<Range<usize>>,
}

impl Headers {
    /// Reads the header bytes of a message.
    ///
    /// # Errors
    ///
    /// [`FrameError::Headers`] when they are not well formed, or one that is read comes twice or is no string.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut headers = Self::default();
        let mut rest = Cursor { bytes, at: 0 };
        while rest.at < bytes.len() {
            let (name, value) = rest.header().ok_or(FrameError::Headers)?;
            let slot = match bytes.get(name).unwrap_or_default() {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                _ => continue,
            };
            match value {
                Value::String(span) if slot.is_none() => *slot = Some(span),
                _ => return Err(FrameError::Headers),
            }
        }
        Ok(headers)
    }
}

enum Value {
    String(Range<usize>),
    Other,
}

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Cursor<'_> {
    /// One header: length of the name (u8), name, type of the value (u8), value.
    fn header(&mut self) -> Option<(Range<usize>, Value)> {
        #[cfg(test)]
        crate::work::look_at(1);
        let name_len = self.byte()?;
        let name = self.take(usize::from(name_len))?;
        // The types of the specification: true, false, byte, short, integer, long, bytes, string, timestamp, UUID.
        let value = match self.byte()? {
            0 | 1 => Value::Other,
            2 => self.skip(1)?,
            3 => self.skip(2)?,
            4 => self.skip(4)?,
            5 | 8 => self.skip(8)?,
            6 => {
                let len = self.length()?;
                self.skip(len)?
            }
            7 => {
                let len = self.length()?;
                Value::String(self.take(len)?)
            }
            9 => self.skip(16)?,
            _ => return None,
        };
        Some((name, value))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn length(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])))
    }

    fn take(&mut self, len: usize) -> Option<Range<usize>> {
        let span = self.at..self.at + len;
        if span.end > self.bytes.len() {
            return None;
        }
        self.at = span.end;
        Some(span)
    }

    fn skip(&mut self, len: usize) -> Option<Value> {
        self.take(len).map(|_| Value::Other)
    }
}
