//! AWS event streams (`application/vnd.amazon.eventstream`): binary messages of headers and a payload, each length and all
//! bytes checked by CRC32.
//!
//! ```text
//! message = total length (u32) · headers length (u32) · CRC32 of both · headers · payload · CRC32 of all before
//! ```
//!
//! Framing as smithy's "Amazon Event Stream Specification" says, with botocore's strictness about what names a message
//! (botocore 1.40, `eventstream.py`: a header that comes twice is an error).
//!
//! Bedrock's `InvokeModelWithResponseStream` wraps the model's own document once more: the payload of a `chunk` event is
//! `{"bytes":"<base64>","p":"<padding>"}` (botocore, `bedrock-runtime` service model, `PayloadPart`; `p` is not in the
//! model). Such a frame's document is the one inside.

mod chunk;
mod headers;
mod message;

pub use message::Message;
pub(crate) use message::exception;

use bytes::Bytes;

use super::{FrameError, pending::Pending};

/// Total length, headers length, CRC32.
const PRELUDE_BYTES: usize = 12;
/// The CRC32 at the end.
const CHECKSUM_BYTES: usize = 4;
/// Longest headers that are read: AWS's own bound (botocore 1.40, `eventstream.py`, `_MAX_HEADERS_LENGTH`).
const MAX_HEADERS_BYTES: usize = 128 << 10;

/// Finds the messages in a stream of bytes.
#[derive(Debug)]
pub struct EventStreamDecoder {
    pending: Pending,
    /// Of the message that is arriving, when its prelude has come.
    lengths: Option<Lengths>,
    limit_bytes: usize,
    failed: Option<FrameError>,
}

impl EventStreamDecoder {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            pending: Pending::default(),
            lengths: None,
            limit_bytes,
            failed: None,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next(&mut self) -> Result<Option<Message>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read().inspect_err(|error| self.failed = Some(*error))
    }

    fn read(&mut self) -> Result<Option<Message>, FrameError> {
        loop {
            let Some(lengths) = self.lengths()? else {
                return Ok(None);
            };
            let missing = lengths.total - self.pending.carry().len();
            match self.pending.front() {
                None => return Ok(None),
                Some(chunk) if chunk.len() < missing => self.pending.use_up(),
                Some(_) => {
                    let raw = self.pending.take(missing);
                    self.lengths = None;
                    return Message::read(raw.clone(), lengths.headers)
                        .map(Some)
                        .inspect_err(|_| self.pending.put_back(raw));
                }
            }
        }
    }

    /// The lengths in the prelude, when it has come. One that straddles chunks is put together in the carry.
    fn lengths(&mut self) -> Result<Option<Lengths>, FrameError> {
        while self.lengths.is_none() {
            let carry = self.pending.carry();
            let Some(chunk) = self.pending.front() else {
                return Ok(None);
            };
            if let (true, Some(prelude)) = (carry.is_empty(), chunk.first_chunk()) {
                self.lengths = Some(Lengths::read(prelude, self.limit_bytes)?);
                break;
            }
            let missing = PRELUDE_BYTES - carry.len();
            self.pending.use_up_to(missing);
            if let Some(prelude) = self.pending.carry().first_chunk() {
                self.lengths = Some(Lengths::read(prelude, self.limit_bytes)?);
            }
        }
        Ok(self.lengths)
    }

    pub(super) fn remainder(&mut self) -> Bytes {
        self.pending.remainder()
    }
}

/// The lengths of a message, in bytes.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    total: usize,
    headers: usize,
}

impl Lengths {
    fn read(prelude: &[u8; PRELUDE_BYTES], limit_bytes: usize) -> Result<Self, FrameError> {
        #[cfg(test)]
        crate::work::look_at(PRELUDE_BYTES);
        let [t0, t1, t2, t3, h0, h1, h2, h3, checksum @ ..] = *prelude;
        if crc32fast::hash(&[t0, t1, t2, t3, h0, h1, h2, h3]) != u32::from_be_bytes(checksum) {
            return Err(FrameError::Checksum);
        }
        let total = u32::from_be_bytes([t0, t1, t2, t3]) as usize;
        let headers = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        if headers > MAX_HEADERS_BYTES || total < PRELUDE_BYTES + headers + CHECKSUM_BYTES {
            return Err(FrameError::Lengths);
        }
        if total > limit_bytes {
            return Err(FrameError::TooLarge { limit_bytes });
        }
        Ok(Self { total, headers })
    }
}
