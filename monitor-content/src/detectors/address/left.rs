//! What stands before the number of a house: the name of its street, or a box's.

use super::words::{LAST, LEAD, NUMBER, PARTICLE, SUFFIXES, ends, lists};
use crate::bytes::{letter, letter_before};

/// How far before a number its street may begin. With the words before it that say that it is an address it is within
/// what an engine may look at.
pub(super) const MAX_BYTES: usize = 62;
const _: () = assert!(MAX_BYTES < super::super::CONTEXT_BYTES);
const MAX_WORDS: usize = 6;

/// What a street's name is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Street {
    /// A word for a street before it or at its end.
    Named,
    /// Words with capitals only.
    Plain,
    /// `P.O. Box`, `Postfach`.
    Box,
}

/// The start of the street before the number at `at`, and what it is known by.
pub(super) fn street(text: &[u8], at: usize) -> Option<(usize, Street)> {
    let low = at.saturating_sub(MAX_BYTES);
    let mut end = gap(text, at)?;
    if let Some(start) = post_box(text, at) {
        return Some((start, Street::Box));
    }
    let (mut plain, mut named) = (None, None);
    for index in 0..MAX_WORDS {
        let Some(start) = word_start(text, low, end).filter(|start| *start > low || low == 0) else {
            break;
        };
        let word = Word::of(text, start, end);
        let number = index == 0 && word.lists & NUMBER != 0;
        let lead = index > 0 && word.lead;
        let after = !word.capital && index == 0 && word.lists & LAST != 0;
        if lead || word.joined {
            named = Some(start);
        }
        if word.capital && !number {
            plain = Some(start);
            // `Anita-Thaler-Platz`, `Lange Straße`: the words with capitals before it belong to it.
            if named.is_some_and(|named| named > start) && index <= 2 {
                named = Some(start);
            }
        } else if !(number || lead || after || word.lists & PARTICLE != 0) {
            break;
        }
        let Some(before) = between(text, start, number) else {
            break;
        };
        end = before;
    }
    let alone = |start: usize| match text.get(..start) {
        Some([.., last]) => !matches!(
            last,
            b'_' | b'.' | b'/' | b'\\' | b'@' | b'-' | b'#' | b'$' | b'&' | b'0'..=b'9'
        ),
        _ => true,
    };
    match (
        named.filter(|start| alone(*start)),
        plain.filter(|start| alone(*start)),
    ) {
        (Some(start), _) => Some((start, Street::Named)),
        (None, Some(start)) => Some((start, Street::Plain)),
        _ => None,
    }
}

/// Where a street may begin whose number is still to come: what is at the end of the text.
pub(super) fn beginning(text: &[u8]) -> usize {
    let at = text.len();
    let low = at.saturating_sub(MAX_BYTES);
    let mut end = match text {
        [.., b',', b' '] => at - 2,
        [.., b' ' | b','] => at - 1,
        _ => at,
    };
    let mut found = at;
    for index in 0..=MAX_WORDS {
        let Some(start) = word_start(text, low, end) else {
            break;
        };
        let word = Word::of(text, start, end);
        let whole = index > 0 || end < at;
        if word.capital || word.lead || !whole {
            found = start;
        } else if word.lists & (NUMBER | LAST | PARTICLE) == 0 {
            break;
        }
        let Some(before) = between(text, start, index <= 1) else {
            break;
        };
        end = before;
    }
    let near = text.get(low..).unwrap_or_default();
    let boxes = BOXES.iter().filter_map(|name| {
        (1..=name.len().min(near.len())).rev().find_map(|length| {
            let end = near.get(near.len() - length..)?;
            name.get(..length)?
                .eq_ignore_ascii_case(end)
                .then_some(at - length)
        })
    });
    boxes.fold(found, usize::min)
}

/// A word before a number.
struct Word {
    capital: bool,
    /// `Calle`, `ul.`: those of two letters are other things without a dot.
    lead: bool,
    /// `Hauptstraße`: written as names are.
    joined: bool,
    lists: u8,
}

impl Word {
    fn of(text: &[u8], start: usize, end: usize) -> Self {
        let word = text.get(start..end).unwrap_or_default();
        let capital = letter(text, start).is_some_and(|(c, _)| !c.is_lowercase());
        let title = capital && word.iter().skip(1).any(|b| !b.is_ascii_uppercase());
        let short = word.ends_with(b"str");
        let lists = lists(word);
        Self {
            capital,
            lead: is_lead(text, start, end, lists),
            joined: title && !short && ends(SUFFIXES, word),
            lists,
        }
    }
}

/// Whether a word of these lists leads a street: those of two letters are other things without a dot.
pub(super) fn is_lead(text: &[u8], start: usize, end: usize, lists: u8) -> bool {
    let word = text.get(start..end).unwrap_or_default();
    let dotted = word.ends_with(b".") || text.get(end) == Some(&b'.');
    (word.len() > 2 && word.is_ascii() || word.len() > 4 || dotted) && lists & LEAD != 0
}

/// Where the street's name ends whose number is at `at`: before a space, `, ` or ` N° `.
fn gap(text: &[u8], at: usize) -> Option<usize> {
    match text.get(..at)? {
        [.., b',' | b'.', b' '] => Some(at - 2),
        [.., b' '] if text.get(at.checked_sub(2)?) != Some(&b' ') => Some(at - 1),
        _ => None,
    }
    .map(|end| {
        if text.get(end) == Some(&b'.') {
            end + 1
        } else {
            end
        }
    })
}

/// Where the word before the one at `start` ends: after one space, or the dot of an abbreviation, or the comma before the
/// word for a number.
fn between(text: &[u8], start: usize, comma: bool) -> Option<usize> {
    match text.get(..start)? {
        [.., b',', b' '] if comma => Some(start - 2),
        [.., b' '] => Some(start - 1),
        [.., b'.'] => Some(start),
        _ => None,
    }
}

/// Where the word that ends at `end` starts: letters, and hyphens, apostrophes and dots within or after it.
fn word_start(text: &[u8], low: usize, end: usize) -> Option<usize> {
    let mut start = end;
    while start > low {
        if let Some(character) = letter_before(text, start) {
            start = start.checked_sub(character.len_utf8())?;
        } else if matches!(text.get(start - 1), Some(b'-' | b'\''))
            || (text.get(start - 1) == Some(&b'.') && start == end)
        {
            start -= 1;
        } else {
            break;
        }
    }
    let start = start.max(low);
    (start < end && letter(text, start).is_some()).then_some(start)
}

/// What a box at the post office is called.
const BOXES: &[&[u8]] = &[
    b"p.o. box ",
    b"po box ",
    b"p.o.box ",
    b"p. o. box ",
    b"post office box ",
    b"postfach ",
    b"postbus ",
    b"apartado ",
    b"casilla ",
    b"casella postale ",
    b"caixa postal ",
    b"psc ",
];

/// `P.O. Box 12`, `PO Box`, `Postfach`, `BP`, `Casilla`, `Apartado`, `PSC`.
fn post_box(text: &[u8], at: usize) -> Option<usize> {
    let near = text.get(at.saturating_sub(MAX_BYTES)..at)?;
    BOXES.iter().find_map(|name| {
        let from = near.len().checked_sub(name.len())?;
        let start = at - name.len();
        let alone = letter_before(text, start).is_none();
        (alone && near.get(from..)?.eq_ignore_ascii_case(name)).then_some(start)
    })
}
