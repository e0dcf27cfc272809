//! The same findings for a text that arrives in pieces.
//!
//! 1. The window keeps the tail of the text that is not decided, and a few bytes before it.
//! 2. Each piece is appended and every detector goes on from where it stopped. What a later byte could still turn
//!    into a match, or into a longer or different one, stays undecided; usually that is one word.
//! 3. Everything before it is final: findings there are reported, once, in order.
//!
//! Whatever the pieces, the findings are those of a scan of the whole text, as long as nothing was cut. A secret too
//! long to hold is reported as soon as its beginning has decided about it; its remainder follows, piece by piece, as
//! findings marked [`continued`](Finding::continued).
//!
//! **Accepted inaccuracy.** When more would have to be held than the window may hold, or when the caller's time is up
//! ([`Window::release`]), the held text is decided as it stands. With [`MAX_HOLD_BYTES`] the first never happens; with
//! less, an address or a key may be missed or found without its beginning or end. A card always fits.

use std::sync::Arc;

use crate::Finding;
use crate::detectors::{CONTEXT_BYTES, Detectors, LOOK_BYTES, Progress};
use crate::finding::{Ahead, Merge};

/// The most bytes a window ever holds back; no detector needs more to decide.
pub const MAX_HOLD_BYTES: usize = 256;

/// The fewest bytes a window can be told to hold: a card number with separators and the byte after it.
pub const MIN_HOLD_BYTES: usize = 32;

/// A longer piece is read in blocks, so that the buffer stays small whatever the piece.
const BLOCK_BYTES: usize = 4096;

const _: () = assert!(LOOK_BYTES + 1 < MAX_HOLD_BYTES);

/// Reads one growing text, such as the text of one choice of a streamed response.
#[derive(Debug)]
pub struct Window {
    detectors: Arc<Detectors>,
    max_hold_bytes: usize,
    tail: Tail,
    /// Offset of the tail's first byte in the text.
    base: usize,
    progress: Progress,
    /// Candidates not reported yet, with offsets in the text, each with the place where what it belongs to starts.
    waiting: Vec<(usize, Finding)>,
    /// Candidates of one step, kept for its allocation.
    new: Vec<Finding>,
    /// Where the secret that is still going on started.
    open_start: usize,
    merge: Merge,
    decided: usize,
}

/// The last bytes of the text. Its own type so that no debug output ever shows them.
struct Tail(Vec<u8>);

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Window {
    /// Starts at the beginning of a text. `max_hold_bytes` is brought into
    /// [`MIN_HOLD_BYTES`]..=[`MAX_HOLD_BYTES`].
    pub fn new(detectors: Arc<Detectors>, max_hold_bytes: usize) -> Self {
        Self {
            detectors,
            max_hold_bytes: max_hold_bytes.clamp(MIN_HOLD_BYTES, MAX_HOLD_BYTES),
            tail: Tail(Vec::new()),
            base: 0,
            progress: Progress::default(),
            waiting: Vec::new(),
            new: Vec::new(),
            open_start: 0,
            merge: Merge::default(),
            decided: 0,
        }
    }

    /// Takes the next piece and appends the findings it decides to `out`, with offsets from the text's start.
    pub fn push(&mut self, text: &str, out: &mut Vec<Finding>) {
        for block in text.as_bytes().chunks(BLOCK_BYTES) {
            self.tail.0.extend_from_slice(block);
            self.advance(Ahead::Wait, out);
            if self.held() > self.max_hold_bytes {
                self.advance(Ahead::Cut, out);
            }
            let drop = self
                .progress
                .decided()
                .saturating_sub(CONTEXT_BYTES)
                .min(self.tail.0.len());
            self.tail.0.drain(..drop);
            self.base += drop;
            self.progress = self.progress.rebased(drop);
        }
    }

    /// Every byte before this offset is final: no later text changes what is found there. The caller may let go of
    /// the text up to here, with the findings reported so far applied.
    pub fn decided(&self) -> usize {
        self.decided
    }

    /// Bytes received and not decided, at most the bound given to [`Window::new`].
    pub fn held(&self) -> usize {
        (self.base + self.tail.0.len()).saturating_sub(self.decided)
    }

    /// Decides all that is held, as it stands, though the text goes on: the time to hold it is up.
    pub fn release(&mut self, out: &mut Vec<Finding>) {
        self.advance(Ahead::Cut, out);
    }

    /// Decides all that is held: the text has ended.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        self.advance(Ahead::Nothing, out);
    }

    fn advance(&mut self, ahead: Ahead, out: &mut Vec<Finding>) {
        self.detectors
            .advance(&self.tail.0, &mut self.progress, ahead, &mut self.new);
        let open = self.progress.open_detector();
        let before = self.open_start;
        for finding in self.new.drain(..) {
            let finding = finding.shifted(self.base);
            if open == Some(finding.detector) && !finding.continued {
                self.open_start = finding.start;
            }
            // The rest of a secret has the place of its beginning: what starts inside it comes after it.
            let place = if finding.continued { before } else { finding.start };
            self.waiting.push((place, finding));
        }
        let end = self.base + self.tail.0.len();
        let undecided = if ahead == Ahead::Wait {
            self.base + self.progress.decided()
        } else {
            end
        };
        if !self.waiting.is_empty() {
            self.waiting.sort_by_key(|(place, f)| (*place, Merge::rank(f)));
            let ready = self.waiting.partition_point(|(place, _)| *place < undecided);
            out.extend(
                self.waiting
                    .drain(..ready)
                    .filter_map(|(_, f)| self.merge.admit(f)),
            );
        }
        self.decided = self.decided.max(undecided).max(self.merge.floor);
        if ahead == Ahead::Cut {
            // Released text can no longer be part of a finding.
            self.merge.floor = self.merge.floor.max(end);
        }
    }
}

#[cfg(test)]
mod tests;
