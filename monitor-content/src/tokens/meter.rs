//! Counting a text that is still growing.

use super::{Encoding, Tally, boundary};

/// The tail is counted anew with every piece, so it must stay short. A text without a place to cut for so long (one
/// letter over and over, a wall of dashes) is cut between two tokens instead.
const MAX_TAIL_BYTES: usize = 384;
/// Bytes kept behind such a cut. Later text can only change the tokens near the end; no token of either vocabulary
/// is longer than 128 bytes.
const KEPT_BYTES: usize = 192;

/// Counts the tokens of one growing text: after every piece the total is that of the whole text so far.
///
/// Exact at every moment while the text has a place to cut every 384 bytes, which ordinary text has every few words. A
/// longer stretch is cut between two tokens; by construction of byte-pair encoding that is exact too, unless text more
/// than 192 bytes later changes how the stretch splits, which no text that was tried does.
pub struct Meter {
    encoding: Encoding,
    /// Of the text before the tail.
    committed: Tally,
    tail: String,
    tail_tally: Tally,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("encoding", &self.encoding)
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}

impl Meter {
    /// Starts with no text.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            committed: Tally::default(),
            tail: String::new(),
            tail_tally: Tally::default(),
        }
    }

    /// Takes the next piece; returns the tokens of all text so far.
    pub fn push(&mut self, delta: &str) -> u64 {
        if delta.is_empty() {
            return self.total();
        }
        let seam = self.tail.len();
        self.tail.push_str(delta);
        if let Some(cut) = self.last_cut(seam) {
            self.commit(cut);
        }
        if self.tail.len() > MAX_TAIL_BYTES {
            self.commit_tokens();
        }
        if self.tail.capacity() > 2 * MAX_TAIL_BYTES {
            self.tail.shrink_to(MAX_TAIL_BYTES);
        }
        self.tail_tally = self.encoding.tally(&self.tail);
        self.total()
    }

    /// The tokens of all text so far.
    pub fn total(&self) -> u64 {
        self.encoding.weigh(&self.committed.plus(&self.tail_tally))
    }

    fn commit(&mut self, cut: usize) {
        if let Some(done) = self.tail.get(..cut) {
            self.committed = self.committed.plus(&self.encoding.tally(done));
            self.tail.drain(..cut);
        }
    }

    /// The last place to cut at or after the seam; there was none before it.
    fn last_cut(&self, seam: usize) -> Option<usize> {
        let mut after = None;
        for (at, c) in self.tail.char_indices().rev() {
            if let Some((next, after)) = after
                && boundary::cuts(c, after)
            {
                return Some(next);
            }
            if at < seam {
                return None;
            }
            after = Some((at, c));
        }
        None
    }

    /// Commits whole tokens up to about [`KEPT_BYTES`] from the end, on a character boundary.
    fn commit_tokens(&mut self) {
        let low = self.tail.len().saturating_sub(KEPT_BYTES);
        let (mut at, mut tally) = (0, Tally::default());
        let mut done = (0, tally);
        self.encoding.vocabulary.tokens(&self.tail, |length| {
            tally.add(self.tail.as_bytes().get(at..at + length).unwrap_or_default());
            at += length;
            if at <= low && self.tail.is_char_boundary(at) {
                done = (at, tally);
            }
        });
        self.committed = self.committed.plus(&done.1);
        self.tail.drain(..done.0);
    }
}

#[cfg(test)]
mod tests;
