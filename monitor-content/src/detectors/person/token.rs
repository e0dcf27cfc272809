//! Words as names are written: by case, with the marks of the names they are.

use super::names::{self, FAMILY, GIVEN, WORD};
use crate::bytes::letter;

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `Anna`, `McDonald`.
    Title,
    /// `ANNA`.
    Upper,
    /// `J`, with a dot after it or without.
    Initial,
    /// `anna`, `javaScript`.
    Lower,
    /// What is written without case: `王伟`.
    Caseless,
}

/// A word of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// Offset of its first letter.
    pub(super) start: usize,
    /// Offset after its last letter, or after the dot of an initial.
    pub(super) end: usize,
    pub(super) shape: Shape,
    /// [`GIVEN`], [`FAMILY`], [`WORD`].
    marks: u16,
}

impl Token {
    pub(super) fn is_given(&self) -> bool {
        self.marks & GIVEN != 0
    }

    pub(super) fn is_family(&self) -> bool {
        self.marks & FAMILY != 0
    }

    pub(super) fn is_known(&self) -> bool {
        self.marks & (GIVEN | FAMILY) != 0
    }

    /// A known name, and nothing else.
    pub(super) fn is_strong(&self) -> bool {
        self.is_known() && self.marks & WORD == 0
    }

    /// What stands for a value in code, where a label is a field's name.
    #[rustfmt::skip]
    pub(super) fn is_type(&self, text: &[u8]) -> bool {
        const TYPES: &[&str] = &[
            "string", "option", "none", "null", "true", "false", "text", "str", "integer", "vec", "box", "some", "optional", "object", "list", "number", "any", "self", "cow",
            "varchar", "name", "unknown", "required", "result",
        ];
        TYPES.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(self.of(text)))
    }

    /// Neither a known name nor a known word.
    pub(super) fn is_unknown(&self) -> bool {
        self.marks == 0
    }

    /// The bytes of it.
    pub(super) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// A word, and whether text still to come may change it.
pub(super) struct Read {
    pub(super) token: Token,
    pub(super) touches_end: bool,
}

/// The word that starts with the letter at `at`.
pub(super) fn read(text: &[u8], at: usize) -> Option<Read> {
    let mut part = Part::default();
    let mut marks: Option<u16> = None;
    let (mut end, mut count) = (at, 0);
    let (mut first_upper, mut uppers) = (false, 0);
    let mut caseless = true;
    let mut touches_end = false;
    while end - at <= names::MAX_BYTES {
        if let Some((character, length)) = letter(text, end) {
            let upper = character.is_uppercase();
            first_upper |= upper && count == 0;
            caseless &= !upper && !character.is_lowercase();
            uppers += usize::from(upper);
            part.push(character);
            count += 1;
            end += length;
            continue;
        }
        let (joint, next) = joint(text, end);
        let after = letter(text, next);
        touches_end |= next >= text.len();
        match (joint, after) {
            (b'-', Some((character, _))) if character.is_uppercase() => {
                marks = Some(joined(marks, part.marks()));
                part = Part::default();
                end = next;
            }
            // Not of the genitive: `Anna's`.
            (b'\'', Some((character, length))) => {
                let last = letter(text, next + length).is_none();
                touches_end |= next + length >= text.len();
                if last && matches!(character, 's' | 'S' | 't') {
                    break;
                }
                part.push('\'');
                end = next;
            }
            _ => break,
        }
    }
    if count == 0 {
        return None;
    }
    let shape = match (first_upper, uppers) {
        (true, 1) if count == 1 => Shape::Initial,
        (true, n) if n == count => Shape::Upper,
        (true, _) => Shape::Title,
        _ if caseless => Shape::Caseless,
        _ => Shape::Lower,
    };
    let marks = joined(marks, part.marks());
    // `JavaScript` is no name; `McDonald`, `O'Brien` and `Jean-Pierre` are known, or of such parts.
    let mixed = shape == Shape::Title && uppers > 1 && marks & (GIVEN | FAMILY) == 0;
    let long = end - at > names::MAX_BYTES;
    let dotted = shape == Shape::Initial && text.get(end) == Some(&b'.');
    let after = end + usize::from(dotted);
    let closed = closes(text, after);
    Some(Read {
        token: Token {
            start: at,
            end: after,
            shape: if mixed || long || !closed {
                Shape::Lower
            } else {
                shape
            },
            marks,
        },
        touches_end: !long && (touches_end || after + 1 >= text.len()),
    })
}

/// Whether a word may end at `at`: not in an identifier, a path, a call or an address. It depends on two bytes.
fn closes(text: &[u8], at: usize) -> bool {
    match text.get(at..).unwrap_or_default() {
        [
            b'0'..=b'9' | b'_' | b'@' | b'/' | b'\\' | b'(' | b'[' | b'=' | b'$' | b'!',
            b'=' | b'\'' | b'0'..=b'z',
            ..,
        ] => false,
        [b'_' | b'@' | b'(' | b'0'..=b'9', ..] => false,
        [b':', b':', ..] | [b'-', b'>' | b'a'..=b'z' | b'0'..=b'9', ..] => false,
        [b'.', next, ..] => !next.is_ascii_lowercase() && !next.is_ascii_digit(),
        [b'<', next, ..] => *next == b'/' || next.is_ascii_lowercase(),
        _ => true,
    }
}

/// The hyphen or apostrophe at `at`, and the offset after it.
fn joint(text: &[u8], at: usize) -> (u8, usize) {
    match text.get(at..).unwrap_or_default() {
        [b'-', ..] => (b'-', at + 1),
        [b'\'', ..] => (b'\'', at + 1),
        [0xE2, 0x80, 0x99, ..] => (b'\'', at + 3),
        _ => (0, at),
    }
}

/// The marks of two names with a hyphen between.
fn joined(first: Option<u16>, second: u16) -> u16 {
    match first {
        None => second,
        Some(first) if first == 0 || second == 0 => (first | second) & !WORD,
        Some(first) => (first | second) & !(WORD & !(first & second)),
    }
}

/// A name in small letters.
#[derive(Default)]
struct Part {
    letters: smallvec::SmallVec<[u8; names::MAX_BYTES]>,
}

impl Part {
    fn push(&mut self, character: char) {
        if self.letters.len() > names::MAX_BYTES {
            return;
        }
        if character.is_ascii() {
            self.letters.push(character.to_ascii_lowercase() as u8);
        } else {
            let mut bytes = [0; 4];
            for small in character.to_lowercase() {
                self.letters
                    .extend_from_slice(small.encode_utf8(&mut bytes).as_bytes());
            }
        }
    }

    fn marks(&self) -> u16 {
        if self.letters.len() > names::MAX_BYTES {
            0
        } else {
            names::marks(&self.letters)
        }
    }
}
