//! Server-sent events: bytes in at any split, events out with their bytes exactly as they came.
//!
//! Framing as the WHATWG HTML standard says (section 9.2.6, "Interpreting an event stream"): lines end in LF, CRLF or
//! bare CR, a blank line ends an event, a line that begins with a colon is a comment, `data` lines are joined by LF, a byte
//! order mark may stand at the start of the stream.
//!
//! A bare CR at the end of a chunk may be the first half of a CRLF. An event that such a CR completes is handed out at
//! once, so that nothing waits for a byte that may never come; the LF, when it comes, is handed out by itself as an event
//! without fields. Joined, the raw bytes of all events and [`SseDecoder::remainder`] are the input, whatever the split.

use std::{fmt, ops::Range};

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::{FrameError, pending::Pending};
use crate::{Edit, EditError, edit};

/// One event, or a run of bytes between events that must be passed on (comments, blank lines).
#[derive(Clone, PartialEq, Eq)]
pub struct SseEvent {
    raw: Bytes,
    name: Range<usize>,
    /// The value of each `data` line, as a range of `raw`.
    lines: SmallVec<[Range<usize>; 1]>,
    /// The values joined by LF, when there are several.
    joined: Option<Vec<u8>>,
}

impl SseEvent {
    /// Reads the fields of one event, given its bytes up to and including the blank line.
    #[must_use]
    pub fn parse(raw: Bytes) -> Self {
        Self::parse_at(raw, 0)
    }

    fn parse_at(raw: Bytes, start: usize) -> Self {
        let mut name = 0..0;
        let mut lines: SmallVec<[Range<usize>; 1]> = SmallVec::new();
        let mut line_start = start;
        while line_start < raw.len() {
            let rest = raw.get(line_start..).unwrap_or_default();
            let line_len = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            #[cfg(test)]
            crate::work::look_at(line_len + 1);
            let line = rest.get(..line_len).unwrap_or_default();
            if let Some(value) = field(line, b"data") {
                lines.push(line_start + value..line_start + line_len);
            } else if let Some(value) = field(line, b"event") {
                name = line_start + value..line_start + line_len;
            }
            line_start += line_len + 1;
        }
        let joined = (lines.len() > 1).then(|| {
            let values: Vec<&[u8]> = lines.iter().filter_map(|line| raw.get(line.clone())).collect();
            values.join(&b'\n')
        });
        Self {
            raw,
            name,
            lines,
            joined,
        }
    }

    /// The event's bytes exactly as they came, the blank line included.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The value of its `event` field; empty without one.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.raw.get(self.name.clone()).unwrap_or_default()
    }

    /// The value of its `data` field; empty without one.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match (&self.joined, self.lines.first()) {
            (Some(joined), _) => joined,
            (None, Some(line)) => self.raw.get(line.clone()).unwrap_or_default(),
            (None, None) => &[],
        }
    }

    fn data_lines(&self) -> &[Range<usize>] {
        &self.lines
    }
}

impl fmt::Debug for SseEvent {
    /// Never shows the data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseEvent")
            .field("raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// Offset of the value in `line` if it is the field called `name`: after the colon and one optional space.
fn field(line: &[u8], name: &[u8]) -> Option<usize> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// Finds the events in a stream of bytes. An event that lies within one pushed chunk is a slice of it; only events that
/// straddle chunks are copied.
#[derive(Debug)]
pub struct SseDecoder {
    pending: Pending,
    lines: Lines,
    /// The stream has begun, so a byte order mark can no longer come.
    begun: bool,
    limit_bytes: usize,
    failed: bool,
}

impl SseDecoder {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            pending: Pending::default(),
            lines: Lines::default(),
            begun: false,
            limit_bytes,
            failed: false,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next(&mut self) -> Result<Option<SseEvent>, FrameError> {
        while !self.failed {
            let Some(chunk) = self.pending.front() else {
                return Ok(None);
            };
            let carried = self.pending.carry().len();
            if carried == 0 && matches!(chunk.first(), Some(b'\n' | b'\r')) {
                let run = chunk
                    .iter()
                    .position(|byte| !matches!(byte, b'\n' | b'\r'))
                    .unwrap_or(chunk.len());
                #[cfg(test)]
                crate::work::look_at(run);
                self.begun = true;
                return Ok(Some(SseEvent::parse(self.pending.take(run))));
            }
            let end = self.lines.find_end(chunk);
            // The LF of a CRLF that ends the event may come in a later chunk: it does not count, whatever the split.
            let counted = end.map_or(chunk.len(), |end| {
                end - usize::from(chunk.get(..end).is_some_and(|event| event.ends_with(b"\r\n")))
            });
            if carried + counted > self.limit_bytes {
                self.failed = true;
                break;
            }
            let Some(end) = end else {
                self.pending.use_up();
                continue;
            };
            let raw = self.pending.take(end);
            let mark = if !self.begun && raw.starts_with(BYTE_ORDER_MARK) {
                BYTE_ORDER_MARK.len()
            } else {
                0
            };
            self.begun = true;
            return Ok(Some(SseEvent::parse_at(raw, mark)));
        }
        Err(FrameError::TooLarge {
            limit_bytes: self.limit_bytes,
        })
    }

    /// What was pushed and not yielded. Clients drop an event that no blank line ends (openai-python 3.54.0,
    /// `src/openai/_streaming.py`, `SSEDecoder.decode`), so it is no event here either; its bytes are passed on as they
    /// came.
    pub(super) fn remainder(&mut self) -> Bytes {
        self.pending.remainder()
    }
}

/// Follows lines from chunk to chunk.
#[derive(Debug)]
struct Lines {
    /// No byte of the current line has been seen.
    line_empty: bool,
    /// The last byte seen ended a line and was CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            line_empty: true,
            after_cr: false,
        }
    }
}

impl Lines {
    /// Offset in `chunk` after the blank line that ends the current event. Keeps what it learnt of an unfinished line for
    /// the next chunk, so that every byte is looked at once.
    fn find_end(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut line_start = usize::from(self.after_cr && chunk.first() == Some(&b'\n'));
        self.after_cr = false;
        loop {
            let rest = chunk.get(line_start..).unwrap_or_default();
            let len = memchr::memchr2(b'\n', b'\r', rest);
            #[cfg(test)]
            crate::work::look_at(len.unwrap_or(rest.len()) + 1);
            let Some(len) = len else {
                self.line_empty &= rest.is_empty();
                return None;
            };
            let is_blank = self.line_empty && len == 0;
            self.line_empty = true;
            match rest.get(len..) {
                Some([b'\r', b'\n', ..]) => line_start += len + 2,
                Some([b'\r']) => {
                    line_start += len + 1;
                    self.after_cr = !is_blank;
                }
                _ => line_start += len + 1,
            }
            if is_blank {
                return Some(line_start);
            }
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The event with edits made to its data. Every other byte stays, unless the data came in several `data:` lines: then they
/// become one (line ends between them can only be JSON white space).
///
/// # Errors
///
/// [`EditError`] when an edit reaches outside the data or overlaps another.
pub(super) fn edited(event: &SseEvent, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
    let raw = event.raw();
    let data = edit(event.data(), edits)?;
    let lines = event.data_lines();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Ok(raw.clone());
    };
    if edits.is_empty() {
        return Ok(raw.clone());
    }
    let mut out = BytesMut::with_capacity(raw.len() + data.len());
    let head = raw.get(..first.start).unwrap_or_default();
    out.put_slice(head);
    if !head.ends_with(b":") && !head.ends_with(b": ") {
        // A field without a value may come without a colon.
        out.put_u8(b':');
    }
    out.extend(
        data.iter()
            .map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
    );
    if let [_, rest @ ..] = lines {
        // What stands between the data lines (other fields, comments) is kept, the data lines are not.
        let mut at = first.end;
        for line in rest {
            out.put_slice(before_data_line(raw.get(at..line.start).unwrap_or_default()));
            at = line.end;
        }
    }
    out.put_slice(raw.get(last.end..).unwrap_or_default());
    Ok(out.freeze())
}

/// Of the bytes between two data values (line end, other lines, `data:`), those before the last line.
fn before_data_line(between: &[u8]) -> &[u8] {
    let line = memchr::memrchr2(b'\n', b'\r', between).map_or(0, |at| at + 1);
    let head = between.get(..line).unwrap_or_default();
    // The line end that closes the last kept line is written by what follows.
    head.strip_suffix(b"\r\n")
        .or_else(|| head.strip_suffix(b"\n"))
        .or_else(|| head.strip_suffix(b"\r"))
        .unwrap_or(head)
}
