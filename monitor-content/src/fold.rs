//! Text as detectors read it, whatever it is disguised as.
//!
//! 1. Characters nobody sees go: zero-width ones, bidirectional controls, soft hyphens, variation selectors. What hides
//!    in them is read: the tag block, and the selectors, each of which can carry a byte.
//! 2. Compatibility forms become what they stand for (full-width, mathematical and enclosed letters, ligatures), digits of
//!    every script ASCII digits, spaces, dashes and quotes their ASCII kind, Latin letters of any shape ASCII letters
//!    without diacritics: `ﬁ` is `fi`, `é` is `e`, `ß` is `ss`, `٣` is `3`. Marks on ASCII go.
//! 3. A letter of another script that looks like a Latin one becomes that one where it passes for it: in a word that has
//!    Latin letters as well, or in a word of nothing but lookalikes among Latin text. A word that has a letter of its own
//!    script before any Latin one stays as it is, and so does Russian, Greek or Armenian prose.
//!
//! ASCII text is borrowed as it is. Other text is read in one pass, character by character, and looks ahead at most a
//! word, so that a stream is folded as a whole text is, whatever the pieces. Every offset can be led back to the original.
//!
//! **For a detector that reads whole texts by itself** (all others are given folded bytes and have nothing to do):
//! `let folded = Folded::of(text)`; look at `folded.text()`, and at `folded.joined()` when it is there, which has runs of
//! spaced-out letters (`i g n o r e   a l l`, `s-k-.-p`) put together; report `folded.original(range)` and
//! `joined.original(range)`, which are spans of `text`.
//!
//! **Accepted inaccuracy.** A word wholly of lookalikes stays as it is in a text that was in its script so far, and is
//! taken for Latin at the start of a text.
//! C0 control characters inside words stay. Letters that are told by sound or shape only (`1gn0r3`) are not folded.

mod encoded;
mod folder;
mod growing;
mod map;
mod spaced;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use encoded::Encoded;
use folder::{Folder, Output};
pub(crate) use growing::Growing;
use map::Map;
pub use spaced::Joined;

/// A text as detectors read it, and the way back. Its debug output shows no text.
#[derive(Clone)]
pub struct Folded<'t> {
    text: Cow<'t, str>,
    map: Map,
}

impl<'t> Folded<'t> {
    /// Folds a whole text.
    pub fn of(text: &'t str) -> Self {
        let mut map = Map::default();
        if text.is_ascii() {
            let text = Cow::Borrowed(text);
            return Self { text, map };
        }
        let mut folded = String::new();
        let mut out = Output {
            text: &mut folded,
            map: &mut map,
            base: 0,
        };
        let taken = Folder::default().fold(text, true, &mut out);
        if taken.clean == 0 {
            let text = Cow::Borrowed(text);
            return Self { text, map };
        }
        out.copy(text, taken.clean, taken.bytes);
        let text = Cow::Owned(folded);
        Self { text, map }
    }

    /// The folded text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the folded text is any other than the original.
    pub fn is_changed(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }

    /// The span of the original text, in bytes, on its character borders, that a span of the folded text stands for, with
    /// all that was dropped inside it.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        self.map.original(on_borders(&self.text, range))
    }

    /// The text with runs of spaced-out letters put together; `None` when it has no such run.
    pub fn joined(&self) -> Option<Joined<'_>> {
        Joined::of(self)
    }
}

impl std::fmt::Debug for Folded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Folded({} bytes)", self.text.len())
    }
}

/// The least span on character borders of `text` that has all of `range` which lies in it.
fn on_borders(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.min(text.len())).max(start);
    start..end
}
