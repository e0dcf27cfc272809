//! The fold of a text that arrives in pieces, of which only the end is kept.

use std::ops::Range;

use super::folder::{Folder, Output};
use super::map::Map;
use super::on_borders;

/// The end of a folded text, and the way back to offsets of the whole original. Its debug output shows no text.
#[derive(Default)]
pub(crate) struct Growing {
    folder: Folder,
    /// Original text whose script the next characters have to tell, at most a word
    /// ([`WORD_BYTES`](super::folder::WORD_BYTES)).
    waiting: String,
    text: String,
    map: Map,
    /// The original offset that the map counts from.
    origin: usize,
    /// Bytes of the original so far.
    received: usize,
}

impl Growing {
    /// Appends a piece.
    pub(crate) fn push(&mut self, piece: &str) {
        self.received += piece.len();
        if self.waiting.is_empty() {
            self.fold(piece, false);
        } else {
            let mut input = std::mem::take(&mut self.waiting);
            input.push_str(piece);
            self.fold(&input, false);
        }
    }

    /// Folds what waits, as if nothing followed.
    pub(crate) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            let input = std::mem::take(&mut self.waiting);
            self.fold(&input, true);
        }
    }

    fn fold(&mut self, input: &str, last: bool) {
        let mut out = Output {
            text: &mut self.text,
            map: &mut self.map,
            base: self.received - input.len() - self.origin,
        };
        let taken = self.folder.fold(input, last, &mut out);
        out.copy(input, taken.clean, taken.bytes);
        self.waiting
            .push_str(input.get(taken.bytes..).unwrap_or_default());
    }

    /// The folded text that is kept.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Bytes of the original so far.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// The original span of a span of [`Growing::text`].
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let range = self.map.original(on_borders(&self.text, range));
        range.start + self.origin..range.end + self.origin
    }

    /// The original offset up to which all is folded into text before `at`, dropped characters included.
    pub(crate) fn original_before(&self, at: usize) -> usize {
        let at = self.text.floor_char_boundary(at);
        if at < self.text.len() {
            self.map.start(at) + self.origin
        } else {
            self.received - self.waiting.len()
        }
    }

    /// The original offset after the last character folded into text before `at`.
    pub(crate) fn original_end(&self, at: usize) -> usize {
        let at = self.text.floor_char_boundary(at);
        match at.checked_sub(1) {
            Some(last) => self.original(last..at).end,
            None => self.original_before(at),
        }
    }

    /// Lets go of the first bytes of the text, at most `bytes` and whole characters; returns how many.
    pub(crate) fn forget(&mut self, bytes: usize) -> usize {
        let bytes = self.text.floor_char_boundary(bytes.min(self.text.len()));
        if bytes > 0 {
            let origin = if bytes < self.text.len() {
                self.map.start(bytes)
            } else {
                self.received - self.waiting.len() - self.origin
            };
            self.map.rebase(bytes, origin);
            self.text.drain(..bytes);
            self.origin += origin;
        }
        bytes
    }
}

impl std::fmt::Debug for Growing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Growing({} bytes)", self.text.len())
    }
}
