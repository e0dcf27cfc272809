//! One JSON document a line (`application/x-ndjson`): lines end in LF or CRLF, a blank line says nothing.
//!
//! The last line need not end: clients read by line, and their last line is what is left (ollama-python 0.6.1,
//! `ollama/_client.py`, `iter_lines`).

use bytes::Bytes;

use super::{Document, FrameError, pending::Pending};

/// Finds the lines in a stream of bytes.
#[derive(Debug)]
pub struct NdjsonDecoder {
    pending: Pending,
    limit_bytes: usize,
    failed: bool,
}

impl NdjsonDecoder {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            pending: Pending::default(),
            limit_bytes,
            failed: false,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next(&mut self) -> Result<Option<Document>, FrameError> {
        while !self.failed {
            let Some(chunk) = self.pending.front() else {
                return Ok(None);
            };
            let end = memchr::memchr(b'\n', chunk).map(|at| at + 1);
            let len = end.unwrap_or(chunk.len());
            #[cfg(test)]
            crate::work::look_at(len);
            if self.pending.carry().len() + len > self.limit_bytes {
                self.failed = true;
            } else if end.is_some() {
                return Ok(Some(line(self.pending.take(len))));
            } else {
                self.pending.use_up();
            }
        }
        Err(FrameError::TooLarge {
            limit_bytes: self.limit_bytes,
        })
    }

    /// The line that the end of the stream ends.
    pub(super) fn finish(&mut self) -> Option<Document> {
        if self.failed || self.pending.carry().is_empty() {
            return None;
        }
        Some(line(self.pending.take(0)))
    }

    pub(super) fn remainder(&mut self) -> Bytes {
        self.pending.remainder()
    }
}

/// A line, given with its end.
fn line(raw: Bytes) -> Document {
    let line = raw.strip_suffix(b"\n").unwrap_or(&raw);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let data = 0..if is_blank { 0 } else { line.len() };
    Document::new(raw, data)
}
