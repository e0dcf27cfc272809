//! The words that may belong to one name.

use smallvec::SmallVec;

use super::token::{self, Shape, Token};

/// Most words that are read: `Dr. Ana María de la Cruz Pérez` is a long name.
const MAX_TOKENS: usize = 7;

/// Bytes of the words before the last one: with it, and what is looked at after it, less than an engine may look at.
const MAX_BYTES: usize = 180;
/// Bytes after a name that tell whether it ends a value.
const AFTER_BYTES: usize = 2;
const _: () = assert!(MAX_BYTES + super::names::MAX_BYTES + 4 + 2 * AFTER_BYTES < super::super::LOOK_BYTES);

/// Small words within names.
#[rustfmt::skip]
const PARTICLES: &[&str] = &[
    "de", "da", "do", "dos", "das", "di", "del", "della", "der", "den", "des", "du", "la", "le", "lo", "los",
    "las", "van", "von", "vom", "zu", "zum", "zur", "ten", "ter", "te", "af", "av", "bin", "bint", "ibn",
    "al", "el", "ben", "ap", "y", "e",
];

/// What is called after a person, and no person: they stand after the name.
#[rustfmt::skip]
const THINGS: &[&str] = &[
    "academy",
    "act",
    "agency",
    "airport",
    "algorithm",
    "allee",
    "ave",
    "avenue",
    "award",
    "bank",
    "bay",
    "blvd",
    "boulevard",
    "bridge",
    "building",
    "center",
    "centre",
    "circle",
    "city",
    "clinic",
    "co",
    "college",
    "company",
    "conjecture",
    "corp",
    "corporation",
    "council",
    "county",
    "court",
    "crescent",
    "distribution",
    "drive",
    "equation",
    "filter",
    "foundation",
    "function",
    "fund",
    "gmbh",
    "group",
    "holdings",
    "hospital",
    "hotel",
    "inc",
    "institut",
    "institute",
    "island",
    "lake",
    "lemma",
    "library",
    "licence",
    "license",
    "limited",
    "llc",
    "llp",
    "ltd",
    "matrix",
    "method",
    "museum",
    "number",
    "office",
    "park",
    "partners",
    "plc",
    "platz",
    "pty",
    "press",
    "prize",
    "project",
    "protocol",
    "rd",
    "river",
    "road",
    "sarl",
    "school",
    "series",
    "society",
    "solutions",
    "sons",
    "square",
    "st",
    "station",
    "stiftung",
    "straße",
    "strasse",
    "street",
    "studio",
    "studios",
    "tests",
    "theorem",
    "tower",
    "transform",
    "tree",
    "trust",
    "university",
    "universität",
    "valley",
    "village",
    "weg",
];

/// Words in a row.
#[derive(Debug)]
pub(super) struct Chain {
    tokens: SmallVec<[Token; MAX_TOKENS]>,
    /// Text still to come may prolong it.
    pub(super) open: bool,
    /// A thing is called after it.
    pub(super) thing: bool,
}

impl Chain {
    /// The words from `first` on: with a capital, or a small word that names have with such a one after it.
    pub(super) fn read(text: &[u8], first: Token) -> Self {
        let mut chain = Self {
            tokens: SmallVec::new(),
            open: false,
            thing: false,
        };
        chain.tokens.push(first);
        let mut at = first.end;
        while chain.tokens.len() < MAX_TOKENS && at - first.start <= MAX_BYTES {
            let Some(next) = gap(text, at, chain.last()) else {
                break;
            };
            if next >= text.len() {
                chain.open = true;
                break;
            }
            let Some(read) = token::read(text, next) else {
                break;
            };
            chain.open |= read.touches_end;
            let caseless = first.shape == Shape::Caseless;
            let fits = match read.token.shape {
                Shape::Title | Shape::Upper | Shape::Initial => !caseless,
                Shape::Lower => !caseless && is_one_of(read.token.of(text), PARTICLES),
                Shape::Caseless => caseless,
            };
            if !fits {
                break;
            }
            if is_one_of(read.token.of(text), THINGS) {
                chain.thing = true;
                break;
            }
            chain.tokens.push(read.token);
            at = read.token.end;
        }
        chain.open |= at + AFTER_BYTES >= text.len();
        chain
    }

    /// The words, at least one.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    fn last(&self) -> Option<&Token> {
        self.tokens.last()
    }
}

/// Where the next word of a name starts: after one space, or at once after an initial.
fn gap(text: &[u8], at: usize, last: Option<&Token>) -> Option<usize> {
    match text.get(at..).unwrap_or_default() {
        [] | [b' '] => Some(text.len()),
        [b' ', ..] => Some(at + 1),
        [0xC2, 0xA0, ..] => Some(at + 2),
        [next, ..] if last.is_some_and(|t| t.shape == Shape::Initial && text.get(at - 1) == Some(&b'.')) => {
            next.is_ascii_uppercase().then_some(at)
        }
        _ => None,
    }
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|known| known.len() == word.len() && word.eq_ignore_ascii_case(known.as_bytes()))
}
