//! Names of persons: known given and family names side by side, and what follows a word that names are written after.
//!
//! 1. A word that begins with a capital starts a candidate: it and the words after it that may belong to the same name.
//! 2. Two known names ([`names`]), a given one among them, are a name ([`judge::alone`]).
//! 3. After a title, a greeting, an introduction, a label or above a signature ([`context`]) less is enough
//!    ([`judge::after`]).
//!
//! Whose names are in a notice of copyright, and what is called after somebody (`the Ada Lovelace Institute`, `rue Victor Hugo`),
//! is left alone.

mod chain;
mod context;
mod cues;
mod judge;
mod names;
mod token;

use super::{Described, Engine};
use crate::Finding;
use crate::finding::Ahead;
use chain::Chain;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.person",
    placeholder: "[REDACTED:person]",
};

/// Finds names.
#[derive(Debug)]
pub(super) struct Persons;

impl Engine for Persons {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(start) = next_start(text, at) {
            let Some(first) = token::read(text, start) else {
                at = start + 1;
                continue;
            };
            at = first.token.end.max(start + 1);
            if first.touches_end && ahead == Ahead::Wait {
                return start;
            }
            if !opens(text, start) {
                continue;
            }
            let Some(cause) = judge::cause(text, &first.token) else {
                continue;
            };
            let chain = Chain::read(text, first.token);
            if chain.open && ahead == Ahead::Wait {
                return start;
            }
            if let Some(named) = judge::judge(text, &chain, cause) {
                out.push(Finding {
                    detector: DESCRIBED.name,
                    start,
                    end: named.end,
                    confidence_percent: named.percent,
                    explanation: named.explanation,
                    continued: false,
                });
            }
        }
        text.len()
    }
}

/// The next letter that may begin a name: a capital, or one of a script without capitals, that no letter is before.
fn next_start(text: &[u8], from: usize) -> Option<usize> {
    const BLOCK_BYTES: usize = 32;
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let (blocks, _) = rest.as_chunks::<BLOCK_BYTES>();
        let clean = blocks
            .iter()
            .take_while(|block| !block.iter().fold(false, |any, b| any | candidate(*b)))
            .count();
        let skipped = clean * BLOCK_BYTES;
        at += skipped + rest.get(skipped..)?.iter().position(|b| candidate(*b))?;
        let upper_ascii = text.get(at).is_some_and(u8::is_ascii_uppercase);
        let (character, length) = match crate::bytes::letter(text, at) {
            Some(found) => found,
            None => {
                at += 1;
                continue;
            }
        };
        let begins =
            upper_ascii || character.is_uppercase() || (!character.is_lowercase() && character > '\u{500}');
        if begins && (crate::bytes::letter_before(text, at).is_none() || crate::bytes::ends_escape(text, at))
        {
            return Some(at);
        }
        at += length;
    }
}

/// A capital, or the first byte of a letter outside Latin-1's signs.
fn candidate(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte >= 0xC3
}

/// Whether a name may begin at `at`: not within an identifier, a path, an address or a number.
fn opens(text: &[u8], at: usize) -> bool {
    if crate::bytes::ends_escape(text, at) {
        return true;
    }
    match text.get(..at).unwrap_or_default() {
        [] => true,
        [.., b'*', b'*'] | [.., b'_', b'_'] => true,
        [.., last] => {
            !last.is_ascii_alphanumeric()
                && !matches!(
                    last,
                    b'_' | b'/' | b'\\' | b'@' | b'#' | b'$' | b'-' | b'&' | b'.' | b'%' | b'+'
                )
        }
    }
}
