//! One message: read, changed, made.

use std::{fmt, ops::Range};

use bytes::{BufMut, Bytes};

use super::{CHECKSUM_BYTES, MAX_HEADERS_BYTES, PRELUDE_BYTES, chunk::Chunk, headers::Headers};
use crate::{Edit, EditError, FrameError, edit};

/// One message of an AWS event stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    raw: Bytes,
    name: Range<usize>,
    is_exception: bool,
    payload: Range<usize>,
    chunk: Option<Chunk>,
}

impl Message {
    /// Reads a message, given whole, whose prelude was checked.
    pub(super) fn read(raw: Bytes, headers_len: usize) -> Result<Self, FrameError> {
        #[cfg(test)]
        crate::work::look_at(raw.len());
        let payload = PRELUDE_BYTES + headers_len..raw.len().saturating_sub(CHECKSUM_BYTES);
        let (Some(checked), Some(checksum)) = (raw.get(..payload.end), raw.last_chunk()) else {
            return Err(FrameError::Lengths);
        };
        if crc32fast::hash(checked) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Checksum);
        }
        let header_bytes = checked
            .get(PRELUDE_BYTES..payload.start)
            .ok_or(FrameError::Lengths)?;
        let headers = Headers::read(header_bytes)?;
        let at = |span: &Range<usize>| PRELUDE_BYTES + span.start..PRELUDE_BYTES + span.end;
        let value = |span: &Option<Range<usize>>| {
            let span = span.clone().unwrap_or_default();
            header_bytes.get(span).unwrap_or_default()
        };
        let kind = value(&headers.message_type);
        let is_exception = matches!(kind, b"exception" | b"error");
        let name = match kind {
            b"exception" => headers.exception_type,
            b"error" => headers.error_code,
            _ => headers.event_type,
        };
        let name = name.as_ref().map_or(0..0, at);
        let chunk = if !is_exception && raw.get(name.clone()) == Some(b"chunk") {
            Chunk::read(raw.get(payload.clone()).unwrap_or_default())?
        } else {
            None
        };
        Ok(Self {
            raw,
            name,
            is_exception,
            payload,
            chunk,
        })
    }

    /// The message's bytes exactly as they came.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Its `:event-type`; of an exception, its `:exception-type`; of an error without a model, its `:error-code`.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.raw.get(self.name.clone()).unwrap_or_default()
    }

    /// Whether it says that the stream has failed: a message of type `exception` or `error`.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.is_exception
    }

    /// Its payload; of a `chunk` event, the document inside.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match &self.chunk {
            Some(chunk) => chunk.document(),
            None => self.payload(),
        }
    }

    fn payload(&self) -> &[u8] {
        self.raw.get(self.payload.clone()).unwrap_or_default()
    }

    /// The message with edits made to its data: headers stay, lengths and checksums follow.
    pub(in crate::frame) fn edited(&self, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
        if edits.is_empty() {
            return Ok(self.raw.clone());
        }
        let data = edit(self.data(), edits)?;
        let payload = match &self.chunk {
            Some(chunk) => chunk.wrap(self.payload(), &data),
            None => data,
        };
        let headers = self
            .raw
            .get(PRELUDE_BYTES..self.payload.start)
            .unwrap_or_default();
        let message = encode(headers, &payload).ok_or(EditError::TooLarge {
            limit_bytes: u32::MAX as usize,
        })?;
        Ok(message.into())
    }
}

impl fmt::Debug for Message {
    /// Never shows the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("raw_bytes", &self.raw.len())
            .field("is_exception", &self.is_exception)
            .finish_non_exhaustive()
    }
}

/// A message that ends a stream by an exception whose document is `payload`; empty when they cannot be sent.
pub(crate) fn exception(exception_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":exception-type", exception_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ] {
        let (Ok(name_len), Ok(value_len)) = (u8::try_from(name.len()), u16::try_from(value.len())) else {
            return Vec::new();
        };
        headers.put_u8(name_len);
        headers.put_slice(name.as_bytes());
        headers.put_u8(STRING);
        headers.put_u16(value_len);
        headers.put_slice(value.as_bytes());
    }
    encode(&headers, payload).unwrap_or_default()
}

/// The type of a header value that is a string.
const STRING: u8 = 7;

/// The message; `None` when it is longer than its lengths can tell.
fn encode(headers: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    debug_assert!(headers.len() <= MAX_HEADERS_BYTES);
    let total = PRELUDE_BYTES + headers.len() + payload.len() + CHECKSUM_BYTES;
    let mut out = Vec::with_capacity(total);
    out.put_u32(u32::try_from(total).ok()?);
    out.put_u32(u32::try_from(headers.len()).ok()?);
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(headers);
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    Some(out)
}
