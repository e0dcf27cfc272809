//! Whether what looks like an id stands alone.

use super::shape::{MAX_LETTERS, digit};
use crate::bytes::ends_escape;
use crate::finding::Ahead;

/// What an id touches, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    /// Nothing it could be a part of.
    Free,
    /// A space and another number, or a word that ends in a capital, as hexadecimal numbers do.
    InRow,
    /// Something that usually belongs to a longer name or a path, though not always.
    Doubtful,
    /// A longer word or number.
    Joined,
}

/// Most letters that stand before an id's digits with a separator between.
const MAX_LETTERS_APART: usize = 3;

/// Two-byte characters are nearly all letters; those of the first two lead bytes are signs.
const LETTER_LEADS: std::ops::RangeInclusive<u8> = 0xC3..=0xDF;

/// What stands before `at`: at most two bytes of it.
pub(super) fn left(text: &[u8], at: usize) -> Edge {
    if ends_escape(text, at) {
        return Edge::Free;
    }
    let before = text.get(..at).unwrap_or_default();
    match before {
        [.., lead, last] if *last >= 0x80 && LETTER_LEADS.contains(lead) => Edge::Joined,
        [.., last] if last.is_ascii_alphanumeric() => Edge::Joined,
        [.., b'+' | b'$' | b'@' | b'<'] => Edge::Joined,
        [.., digit, b'.' | b',' | b'-' | b'/' | b':'] if digit.is_ascii_digit() => Edge::Joined,
        [.., letter, b'.' | b'-' | b'/'] if letter.is_ascii_alphabetic() => Edge::Doubtful,
        [.., b'_' | b'/' | b'-'] => Edge::Doubtful,
        [.., sign, b' '] if sign.is_ascii_digit() || sign.is_ascii_uppercase() => Edge::InRow,
        _ => Edge::Free,
    }
}

/// What stands after `at`: at most two bytes of it; `None` when they have to be seen first.
pub(super) fn right(text: &[u8], at: usize, ahead: Ahead) -> Option<Edge> {
    let rest = text.get(at..).unwrap_or_default();
    let edge = match rest {
        [] | [b'.' | b',' | b'-' | b'/' | b':' | b' ' | b'<'] if ahead == Ahead::Wait => return None,
        [next, ..] if next.is_ascii_alphanumeric() => Edge::Joined,
        [lead, ..] if LETTER_LEADS.contains(lead) => Edge::Joined,
        // The end of a cell: `</td>`, `<br>`.
        [b'<', next, ..] if *next == b'/' || next.is_ascii_alphabetic() => Edge::Free,
        [b'@' | b'%' | b'_' | b'<', ..] => Edge::Joined,
        [b'.' | b'-', next, ..] if next.is_ascii_digit() => Edge::Joined,
        [b'-', next, ..] if next.is_ascii_alphabetic() => Edge::Joined,
        [b'.' | b'/', next, ..] if next.is_ascii_alphanumeric() => Edge::Doubtful,
        [b' ', next, ..] if next.is_ascii_digit() => Edge::InRow,
        _ => Edge::Free,
    };
    Some(edge)
}

/// The start of the letters joined to `at`, not before `floor`; `None` when they are more than any id begins with.
pub(super) fn letters_start(text: &[u8], at: usize, floor: usize) -> Option<usize> {
    let start = run_start(text, at, MAX_LETTERS, u8::is_ascii_alphabetic)?;
    (start >= floor).then_some(start)
}

/// The start of the capitals that stand before the separator before `at`.
pub(super) fn letters_apart(text: &[u8], at: usize, floor: usize) -> Option<usize> {
    let separator = at.checked_sub(1)?;
    if !matches!(text.get(separator), Some(b' ' | b'-')) {
        return None;
    }
    let start = run_start(text, separator, MAX_LETTERS_APART, u8::is_ascii_uppercase)?;
    let alone = start < separator && left(text, start) != Edge::Joined;
    (alone && start >= floor).then_some(start)
}

/// The start of the run of `members` that ends at `at`, without the end of an escape in front; `None` when it is longer
/// than `most`.
fn run_start(text: &[u8], at: usize, most: usize, member: fn(&u8) -> bool) -> Option<usize> {
    // Two letters at most are an escape's: `%AB`.
    let low = at.saturating_sub(most + 3);
    let near = text.get(low..at).unwrap_or_default();
    let start = at - near.iter().rev().take_while(|b| member(b)).count();
    let escaped = (start..=at.min(start + 2)).find(|start| ends_escape(text, *start));
    let start = escaped.unwrap_or(start);
    (at - start <= most).then_some(start)
}

/// Where what the end of the text may be the beginning of starts: letters, or capitals and a separator.
pub(super) fn held_start(text: &[u8], floor: usize) -> usize {
    let end = text.len();
    let Some(start) = letters_start(text, end, floor) else {
        return end;
    };
    if start < end {
        return if left(text, start) == Edge::Joined {
            end
        } else {
            start
        };
    }
    if digit(text, end) {
        return end;
    }
    letters_apart(text, end, floor).unwrap_or(end)
}
