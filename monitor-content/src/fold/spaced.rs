//! Letters that are spaced out to be no word: `i g n o r e   a l l`, `i-g-n-o-r-e a-l-l`.
//!
//! A run is single characters with one and the same separator between each two. Wider gaps in it (two spaces or more; with
//! another separator than a space, any space) are the borders of words. A run counts from [`MIN_LETTERS`] letters and
//! digits on.

use std::ops::Range;

use super::{Folded, Map, on_borders};
use crate::bytes::ByteSet;

/// Fewer are an enumeration or a formula.
const MIN_LETTERS: usize = 5;
/// Spaces between two words; more are a layout.
const MAX_GAP: usize = 8;

const SEPARATORS: ByteSet = ByteSet::of(b" -._*|+/,~:\t\n");
const SPACES: ByteSet = ByteSet::of(b" \t\n");

/// A folded text with runs of spaced-out letters put together. Its debug output shows no text.
#[derive(Clone)]
pub struct Joined<'f> {
    folded: &'f Folded<'f>,
    text: String,
    map: Map,
    runs: Vec<Range<usize>>,
}

impl<'f> Joined<'f> {
    pub(super) fn of(folded: &'f Folded<'f>) -> Option<Self> {
        let text = folded.text();
        let bytes = text.as_bytes();
        let mut joined = Self {
            folded,
            text: String::new(),
            map: Map::default(),
            runs: Vec::new(),
        };
        let (mut clean, mut at) = (0, 0);
        while let Some(start) = next_start(bytes, at) {
            let (mut end, mut letters) = (start, 0);
            walk(bytes, start, |part| {
                end = part.end();
                letters += usize::from(part.is_letter(bytes));
            });
            if letters < MIN_LETTERS {
                // What begins within has the same end.
                at = (start + 1).max(end.saturating_sub(2));
                continue;
            }
            joined.copy(clean, start);
            let from = joined.text.len();
            walk(bytes, start, |part| joined.push(&part));
            joined.runs.push(from..joined.text.len());
            (clean, at) = (end, end);
        }
        if joined.runs.is_empty() {
            return None;
        }
        joined.copy(clean, text.len());
        Some(joined)
    }

    /// The text, with each run as the words it spells.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the runs are in [`Joined::text`].
    pub fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        self.runs.iter().cloned()
    }

    /// The span of the original text, in bytes, on its character borders, that a span of this text stands for.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        self.folded
            .original(self.map.original(on_borders(&self.text, range)))
    }

    fn copy(&mut self, from: usize, to: usize) {
        if let Some(part) = self.folded.text().get(from..to).filter(|p| !p.is_empty()) {
            self.map.note(self.text.len(), from, (1, 1));
            self.text.push_str(part);
        }
    }

    fn push(&mut self, part: &Part) {
        match part {
            Part::One(at) => self.copy(*at, at + 1),
            Part::Gap(at, bytes) => {
                self.map.note(self.text.len(), *at, (1, *bytes));
                self.text.push(' ');
            }
        }
    }
}

impl std::fmt::Debug for Joined<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joined({} bytes, {} runs)", self.text.len(), self.runs.len())
    }
}

/// A part of a run.
enum Part {
    /// A character by itself.
    One(usize),
    /// The border of two words, and its bytes.
    Gap(usize, usize),
}

impl Part {
    fn end(&self) -> usize {
        match self {
            Self::One(at) => at + 1,
            Self::Gap(at, bytes) => at + bytes,
        }
    }

    fn is_letter(&self, text: &[u8]) -> bool {
        matches!(self, Self::One(at) if text.get(*at).is_some_and(u8::is_ascii_alphanumeric))
    }
}

/// Where the next run may start. A run has four separators at least, each the second byte after the one before, so that
/// looking at two of every four bytes misses none.
fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let twice = |at: usize| match (text.get(at), text.get(at + 2)) {
        (Some(one), Some(other)) => one == other && SEPARATORS.has(*one),
        _ => false,
    };
    let mut at = from;
    while at + 3 < text.len() {
        let hit = if twice(at) {
            Some(at)
        } else {
            Some(at + 1).filter(|at| twice(*at))
        };
        let Some(mut separator) = hit else {
            at += 4;
            continue;
        };
        // The first separator is at most four bytes before the one that was seen. No further, or a wall of spaces would take
        // quadratic time.
        for _ in 0..2 {
            if separator < from + 3 || !twice(separator - 2) || !one(text, separator - 1) {
                break;
            }
            separator -= 2;
        }
        let start = separator.checked_sub(1).filter(|start| *start >= from);
        // The first letter may be the end of a word.
        let single = |start: &usize| {
            one(text, *start)
                && start
                    .checked_sub(1)
                    .and_then(|before| text.get(before))
                    .is_none_or(|before| SEPARATORS.has(*before) || !before.is_ascii_alphanumeric())
        };
        if let Some(start) = start.filter(single) {
            return Some(start);
        }
        if one(text, separator + 1) && text.get(separator + 2) == text.get(separator) {
            return Some(separator + 1);
        }
        at = hit? + 1;
    }
    None
}

/// A character that can be a part of a run.
fn one(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_graphic)
}

/// Visits the parts of the run that starts at `start`.
fn walk(text: &[u8], start: usize, mut visit: impl FnMut(Part)) {
    let Some(separator) = text.get(start + 1) else {
        return;
    };
    let space = |at: usize| text.get(at).is_some_and(|b| SPACES.has(*b));
    let spaced = SPACES.has(*separator);
    let mut at = start;
    let mut gap = None;
    loop {
        let next = text.get(at + 1);
        let parted = next == Some(separator);
        // A letter that others follow begins an ordinary word.
        if !one(text, at) || (!parted && next.is_some_and(u8::is_ascii_alphanumeric)) {
            return;
        }
        if let Some((at, bytes)) = gap.take() {
            visit(Part::Gap(at, bytes));
        }
        visit(Part::One(at));
        if parted && !space(at + 2) {
            at += 2;
            continue;
        }
        let wide = if spaced { parted } else { space(at + 1) };
        if !wide {
            return;
        }
        let mut end = at + 1;
        while space(end) && end <= at + MAX_GAP {
            end += 1;
        }
        gap = Some((at + 1, end - at - 1));
        at = end;
    }
}
