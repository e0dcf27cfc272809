//! Splitting a text into the pieces that are merged on their own.
//!
//! The vocabularies come with a pattern each (tiktoken, `openai_public.py`). Pieces of ASCII are read by hand, as the
//! pattern would; where a character beyond ASCII has a say, the pattern itself decides about that piece.

use std::sync::LazyLock;

use regex_automata::{Anchored, Input, meta::Regex};

/// The pattern of a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    O200k,
    Cl100k,
}

/// `\s+(?!\S)` as `\s+\s`, whose last character is then given back; a run at the end of the text is in the first.
const LOOK_AHEAD: &str = r"\s+\s";
const LOOK_AHEAD_INDEX: usize = 1;
const SPACE: &str = r"\s+";

static O200K: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let first = [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+$",
    ];
    Regex::new_many(&[&first.join("|"), LOOK_AHEAD, SPACE]).ok()
});

static CL100K: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let first = [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+$",
    ];
    Regex::new_many(&[&first.join("|"), LOOK_AHEAD, SPACE]).ok()
});

impl Pattern {
    /// Calls `piece` with each piece of `text`, in order.
    pub(super) fn split<'a>(self, text: &'a str, mut piece: impl FnMut(&'a [u8])) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let end = match self.ascii_end(bytes, at) {
                Some(end) => end,
                None => self.pattern_end(text, at),
            };
            piece(bytes.get(at..end).unwrap_or_default());
            at = end;
        }
    }

    /// The end of the piece at `at` by the pattern; of the character there, should it not match (it always does).
    fn pattern_end(self, text: &str, at: usize) -> usize {
        let regex = match self {
            Self::O200k => &*O200K,
            Self::Cl100k => &*CL100K,
        };
        let rest = text.get(at..).unwrap_or_default();
        let found = regex
            .as_ref()
            .and_then(|r| r.find(Input::new(rest).anchored(Anchored::Yes)));
        let mut end = found.as_ref().map_or(0, |m| m.end());
        if found.is_some_and(|m| m.pattern().as_usize() == LOOK_AHEAD_INDEX) {
            end = rest
                .get(..end)
                .and_then(|m| m.char_indices().next_back())
                .map_or(0, |(last, _)| last);
        }
        at + if end > 0 {
            end
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        }
    }

    /// The end of the piece at `at`; `None` when that takes more than ASCII.
    fn ascii_end(self, text: &[u8], at: usize) -> Option<usize> {
        let first = *text.get(at)?;
        if self == Self::Cl100k
            && first == b'\''
            && let end = contraction(text, at)?
            && end > at
        {
            return Some(end);
        }
        let newline = matches!(first, b'\r' | b'\n');
        let prefix = !(newline || first.is_ascii_alphanumeric());
        if !first.is_ascii() {
            return None;
        }
        let word = at + usize::from(prefix);
        if text.get(word).is_some_and(u8::is_ascii_alphabetic) {
            return self.word_end(text, word);
        }
        if first.is_ascii_digit() {
            let limit = text.len().min(at + 3);
            let end = run(text, at, limit, |b| b.is_ascii_digit());
            return if end < limit { ascii(text, end) } else { Some(end) };
        }
        if prefix && text.get(word).is_some_and(|b| !b.is_ascii()) {
            return None;
        }
        let marks = at + usize::from(first == b' ');
        let end = run(text, marks, text.len(), |b| {
            b.is_ascii() && !b.is_ascii_alphanumeric() && !space(b)
        });
        if end > marks {
            let tail = run(text, end, text.len(), |b| {
                matches!(b, b'\r' | b'\n') || (b == b'/' && self == Self::O200k)
            });
            // Marks beyond ASCII would go on with the run, but not after its newlines.
            return if tail == end { ascii(text, end) } else { Some(tail) };
        }
        let end = ascii(text, run(text, at, text.len(), space))?;
        let blank = text.get(at..end)?;
        Some(match blank.iter().rposition(|b| matches!(b, b'\r' | b'\n')) {
            Some(last) => at + last + 1,
            None if end == text.len() || end == at + 1 => end,
            None => end - 1,
        })
    }

    fn word_end(self, text: &[u8], word: usize) -> Option<usize> {
        if self == Self::Cl100k {
            let end = run(text, word, text.len(), |b| b.is_ascii_alphabetic());
            return ascii(text, end);
        }
        let upper = run(text, word, text.len(), |b| b.is_ascii_uppercase());
        let end = run(text, upper, text.len(), |b| b.is_ascii_lowercase());
        ascii(text, end)?;
        contraction(text, end)
    }
}

/// `at`, unless what stands there is beyond ASCII.
fn ascii(text: &[u8], at: usize) -> Option<usize> {
    text.get(at).is_none_or(u8::is_ascii).then_some(at)
}

fn run(text: &[u8], at: usize, limit: usize, member: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..limit).unwrap_or_default();
    rest.iter()
        .position(|b| !member(*b))
        .map_or(limit.max(at), |n| at + n)
}

/// White space as `\s` means it, within ASCII.
fn space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// The end of the contraction at `at`, `at` if there is none; `None` when a character beyond ASCII could be one of its
/// letters (the long s is an s in any case).
fn contraction(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let letter = |n: usize| rest.get(n).map_or(0, u8::to_ascii_lowercase);
    if letter(0) != b'\'' {
        return Some(at);
    }
    match (letter(1), letter(2)) {
        (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
        (b'r', b'e') | (b'v', b'e') | (b'l', b'l') => Some(at + 3),
        (1.., second) if letter(1).is_ascii() && second.is_ascii() => Some(at),
        (0, _) => Some(at),
        _ => None,
    }
}
