//! The same findings for a text that arrives in pieces.
//!
//! 1. The window keeps the tail of the text that is not decided, and a few bytes before it.
//! 2. Each piece is appended and every detector goes on from where it stopped. What a later byte could still turn
//!    into a match, or into a longer or different one, stays undecided; usually that is one word.
//! 3. Everything before it is final: findings there are reported, once, in order.
//!
//! Whatever the pieces, the findings are those of a scan of the whole text, as long as nothing was cut, but for what only
//! a whole text shows: runs of spaced-out letters, and base64 that stands for text. A secret too long to hold is
//! reported as soon as its beginning has decided about it; its remainder follows, piece by piece, as findings marked
//! [`continued`](Finding::continued).
//!
//! The text is folded as it comes, and what is held is counted as detectors see it, in bytes of [`Folded`](crate::Folded)
//! text: characters nobody sees, and marks piled on a letter, are not kept, so that a flood of them takes no memory here.
//! The caller keeps the original, though, and so there is a bound for that as well, [`MAX_HOLD_ORIGINAL_BYTES`]. Beside
//! what is held, at most 64 bytes of a word wait for a letter that tells its script.
//!
//! A prompt injection is an exception: what it is judged by is long released when it is known. A window reports it where it
//! becomes certain, at the same place whatever the pieces; a scan of the whole text reports all of its span.
//!
//! **Accepted inaccuracy.** When more would have to be held than the window may hold, or when the caller's time is up
//! ([`Window::release`]), the held text is decided as it stands. With [`MAX_HOLD_BYTES`] the first never happens but for a
//! flood of dropped characters, which [`Window::limited`] tells; with less, an address or a key may be missed or found
//! without its beginning or end. A card always fits.

use std::sync::Arc;

use crate::Finding;
use crate::detectors::{CONTEXT_BYTES, Detectors, LOOK_BYTES, Progress};
use crate::finding::{Ahead, Merge};
use crate::fold::Growing;

/// The most bytes of folded text a window ever holds back; no detector needs more to decide.
pub const MAX_HOLD_BYTES: usize = 256;

/// The fewest bytes a window can be told to hold: a card number with separators and the byte after it.
pub const MIN_HOLD_BYTES: usize = 32;

/// The most bytes of the original text that a window lets its caller hold: sixteen for each folded byte it may hold, which
/// is four times what any writing takes, or a dozen marks on every letter. Beyond it stand floods of unseen characters.
pub const MAX_HOLD_ORIGINAL_BYTES: usize = 16 * MAX_HOLD_BYTES;

/// A longer piece is read in blocks, so that the buffer stays small whatever the piece.
const BLOCK_BYTES: usize = 4096;

const _: () = assert!(LOOK_BYTES + 1 < MAX_HOLD_BYTES);

/// Reads one growing text, such as the text of one choice of a streamed response.
#[derive(Debug)]
pub struct Window {
    detectors: Arc<Detectors>,
    max_hold_bytes: usize,
    tail: Growing,
    progress: Progress,
    /// Candidates not reported yet, with offsets in the text, each with the place where what it belongs to starts.
    waiting: Vec<(usize, Finding)>,
    /// Candidates of one step, kept for its allocation.
    new: Vec<Finding>,
    /// Where the secret that is still going on started.
    open_start: usize,
    merge: Merge,
    decided: usize,
    limited: bool,
}

impl Window {
    /// Starts at the beginning of a text. `max_hold_bytes` is brought into
    /// [`MIN_HOLD_BYTES`]..=[`MAX_HOLD_BYTES`].
    pub fn new(detectors: Arc<Detectors>, max_hold_bytes: usize) -> Self {
        let progress = detectors.begin();
        Self {
            detectors,
            max_hold_bytes: max_hold_bytes.clamp(MIN_HOLD_BYTES, MAX_HOLD_BYTES),
            tail: Growing::default(),
            progress,
            waiting: Vec::new(),
            new: Vec::new(),
            open_start: 0,
            merge: Merge::default(),
            decided: 0,
            limited: false,
        }
    }

    /// Takes the next piece and appends the findings it decides to `out`, with offsets from the text's start.
    pub fn push(&mut self, text: &str, out: &mut Vec<Finding>) {
        let mut rest = text;
        while !rest.is_empty() {
            let (block, more) = rest.split_at(rest.floor_char_boundary(BLOCK_BYTES));
            rest = more;
            self.tail.push(block);
            self.advance(Ahead::Wait, out);
            if self.held() > MAX_HOLD_ORIGINAL_BYTES {
                self.limited = true;
                self.release(out);
            } else if self.tail.text().len().saturating_sub(self.progress.decided()) > self.max_hold_bytes {
                self.advance(Ahead::Cut, out);
            }
            let drop = self.progress.decided().saturating_sub(CONTEXT_BYTES);
            let dropped = self.tail.forget(drop);
            self.progress.rebase(dropped);
        }
    }

    /// Whether text had to be decided early because it hid too few characters among too many that nobody sees
    /// ([`MAX_HOLD_ORIGINAL_BYTES`]): a match that lies across may have been missed.
    pub fn limited(&self) -> bool {
        self.limited
    }

    /// Every byte before this offset is final: no later text changes what is found there. The caller may let go of
    /// the text up to here, with the findings reported so far applied.
    pub fn decided(&self) -> usize {
        self.decided
    }

    /// Bytes received and not decided, at most [`MAX_HOLD_ORIGINAL_BYTES`]; of ASCII text, at most the bound given to
    /// [`Window::new`].
    pub fn held(&self) -> usize {
        self.tail.received().saturating_sub(self.decided)
    }

    /// Decides all that is held, as it stands, though the text goes on: the time to hold it is up.
    pub fn release(&mut self, out: &mut Vec<Finding>) {
        self.tail.flush();
        self.advance(Ahead::Cut, out);
    }

    /// Decides all that is held: the text has ended.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        self.tail.flush();
        self.advance(Ahead::Nothing, out);
    }

    fn advance(&mut self, ahead: Ahead, out: &mut Vec<Finding>) {
        self.detectors
            .advance(self.tail.text(), &mut self.progress, ahead, &mut self.new);
        // After a cut, what is found may begin in text that is gone.
        self.merge.floor = self.merge.floor.max(self.decided);
        let open = self.progress.open_detector();
        let before = self.open_start;
        for finding in self.new.drain(..) {
            let mut span = self.tail.original(finding.start..finding.end);
            if finding.continued {
                // What was dropped between the pieces of a secret goes with it.
                span.start = self.tail.original_end(finding.start).max(self.decided);
            } else if open == Some(finding.detector) {
                self.open_start = span.start;
            }
            let finding = finding.at(span);
            // The rest of a secret has the place of its beginning: what starts inside it comes after it.
            let place = if finding.continued { before } else { finding.start };
            self.waiting.push((place, finding));
        }
        let text_end = self.tail.text().len();
        let undecided = match ahead {
            // Characters dropped behind the last piece of a secret may lie inside it.
            Ahead::Wait if open.is_some() => self.tail.original_end(self.progress.decided()),
            Ahead::Wait => self.tail.original_before(self.progress.decided()),
            Ahead::Cut | Ahead::Nothing => self.tail.original_before(text_end),
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
            self.merge.floor = self.merge.floor.max(undecided);
        }
    }
}

#[cfg(test)]
mod tests;
