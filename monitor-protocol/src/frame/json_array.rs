//! One JSON array that grows while it is sent: what Gemini streams when no `alt=sse` is asked for.
//!
//! A frame is an element with the bytes before it: the opening bracket or the comma, and white space. It is handed out as
//! soon as the element has ended, so nothing waits for a comma that may never come. The closing bracket, and white space
//! after it, are frames without a document.
//!
//! Only strings, escapes and depth are followed here; each element is checked when it is read.

use std::ops::Range;

use bytes::Bytes;

use super::{Document, FrameError, pending::Pending};

/// Finds the elements in a stream of bytes.
#[derive(Debug)]
pub struct JsonArrayDecoder {
    pending: Pending,
    scan: Scan,
    limit_bytes: usize,
    failed: Option<FrameError>,
}

impl JsonArrayDecoder {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            pending: Pending::default(),
            scan: Scan::default(),
            limit_bytes,
            failed: None,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next(&mut self) -> Result<Option<Document>, FrameError> {
        loop {
            if let Some(error) = self.failed {
                return Err(error);
            }
            let Some(chunk) = self.pending.front() else {
                return Ok(None);
            };
            if self.scan.place == Place::Closed {
                let len = chunk.iter().take_while(|byte| is_white_space(**byte)).count();
                #[cfg(test)]
                crate::work::look_at(len);
                if len > 0 {
                    return Ok(Some(Document::new(self.pending.take(len), 0..0)));
                }
            }
            let before = self.pending.carry().len();
            let found = match self.scan.run(chunk, before) {
                Ok(found) => found,
                Err(error) => {
                    self.failed = Some(error);
                    continue;
                }
            };
            let len = found.as_ref().map_or(chunk.len(), |found| found.len);
            if before + len > self.limit_bytes {
                self.failed = Some(FrameError::TooLarge {
                    limit_bytes: self.limit_bytes,
                });
                continue;
            }
            match found {
                Some(Found { len, data }) => return Ok(Some(Document::new(self.pending.take(len), data))),
                None => self.pending.use_up(),
            }
        }
    }

    pub(super) fn remainder(&mut self) -> Bytes {
        self.pending.remainder()
    }
}

/// A frame that ends in the chunk scanned last.
struct Found {
    /// Its bytes in that chunk.
    len: usize,
    /// The element, counted from the start of the frame.
    data: Range<usize>,
}

/// Where in the array the scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the opening bracket.
    #[default]
    Before,
    /// After the opening bracket: an element or the end.
    First,
    /// After an element: a comma or the end.
    After,
    /// After a comma: an element.
    Next,
    /// In an object or an array.
    Container,
    /// In a string, which is the element or lies inside it.
    String,
    /// After a backslash in a string.
    Escape,
    /// In a number or a literal that is the element: what follows ends it.
    Scalar,
    /// After the closing bracket: white space.
    Closed,
}

/// RFC 8259 section 2.
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Follows the array from chunk to chunk, looking at each byte once.
#[derive(Debug, Default)]
struct Scan {
    place: Place,
    /// Open containers of the element.
    depth: usize,
    /// Where the element begins, counted from the start of the frame.
    start: usize,
}

impl Scan {
    /// Looks at `chunk`, which goes on after `before` bytes of the frame, up to the end of the frame.
    fn run(&mut self, chunk: &[u8], before: usize) -> Result<Option<Found>, FrameError> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            #[cfg(test)]
            crate::work::look_at(1);
            match self.place {
                Place::String => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    let Some(len) = memchr::memchr2(b'"', b'\\', rest) else {
                        #[cfg(test)]
                        crate::work::look_at(rest.len());
                        return Ok(None);
                    };
                    #[cfg(test)]
                    crate::work::look_at(len);
                    at += len + 1;
                    if rest.get(len) == Some(&b'\\') {
                        self.place = Place::Escape;
                    } else if self.depth > 0 {
                        self.place = Place::Container;
                    } else {
                        return Ok(Some(self.element(at, before)));
                    }
                    continue;
                }
                Place::Escape => self.place = Place::String,
                Place::Container => match byte {
                    b'"' => self.place = Place::String,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Ok(Some(self.element(at + 1, before)));
                        }
                    }
                    _ => {}
                },
                Place::Scalar => {
                    if is_white_space(byte) || matches!(byte, b',' | b']') {
                        return Ok(Some(self.element(at, before)));
                    }
                }
                _ if is_white_space(byte) => {}
                Place::Before if byte == b'[' => self.place = Place::First,
                Place::After if byte == b',' => self.place = Place::Next,
                Place::First | Place::After if byte == b']' => {
                    self.place = Place::Closed;
                    return Ok(Some(Found {
                        len: at + 1,
                        data: 0..0,
                    }));
                }
                Place::First | Place::Next if !matches!(byte, b',' | b']' | b'}' | b':') => {
                    self.start = before + at;
                    self.depth = 0;
                    self.place = match byte {
                        b'"' => Place::String,
                        b'{' | b'[' => {
                            self.depth = 1;
                            Place::Container
                        }
                        _ => Place::Scalar,
                    };
                }
                Place::Before | Place::First | Place::After | Place::Next | Place::Closed => {
                    return Err(FrameError::NotAnArray);
                }
            }
            at += 1;
        }
        Ok(None)
    }

    /// The element that ends before `at` of the chunk.
    fn element(&mut self, at: usize, before: usize) -> Found {
        self.place = Place::After;
        Found {
            len: at,
            data: self.start..before + at,
        }
    }
}
