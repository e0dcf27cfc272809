//! Payment card numbers: issuer range, length and Luhn check digit.
//!
//! A number is written as one group of digits, or as groups of 3 to 8 joined by one kind of separator, a single
//! space or dash. It must stand alone: not in a longer number, a decimal, an international phone number or a
//! word. In a row of groups the first that can start a number does, and the longest valid one wins.

use super::{Described, Engine};
use crate::Finding;
use crate::bytes::ends_escape;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.credit_card",
    placeholder: "[REDACTED:credit_card]",
};

/// Finds cards.
#[derive(Debug)]
pub(super) struct Cards;

impl Engine for Cards {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        scan(text, from, ahead, out)
    }
}

const MIN_DIGITS: usize = 12;
const MAX_DIGITS: usize = 19;
/// Groups shorter than this are lists and dates, longer ones with a separator are identifiers.
const GROUP_DIGITS: std::ops::RangeInclusive<usize> = 3..=8;

/// Appends the cards that start at or after `from`; returns where to go on. A candidate is decided within
/// 26 bytes: 19 digits, 6 separators, the byte after.
fn scan(text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
    let mut at = from;
    // A group is only ever left half-read when it is too long to be a card.
    if at > 0 && digit(text, at - 1) {
        at = digits_end(text, at);
    }
    while let Some(first) = next_group(text, at, ahead) {
        at = match read(text, first, ahead) {
            Reading::Undecided => return first,
            Reading::Card { end, digits } => {
                let confidence_percent = if (14..=16).contains(&digits) { 95 } else { 80 };
                out.push(Finding {
                    detector: DESCRIBED.name,
                    start: first,
                    end,
                    confidence_percent,
                    explanation: "issuer range, length and Luhn check digit",
                    continued: false,
                });
                end
            }
            Reading::Not => digits_end(text, first),
        };
    }
    text.len()
}

fn digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

fn separator(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied().filter(|b| matches!(b, b' ' | b'-'))
}

fn digits_end(text: &[u8], at: usize) -> usize {
    text.get(at..)
        .and_then(|rest| rest.iter().position(|b| !b.is_ascii_digit()))
        .map_or(text.len(), |n| at + n)
}

/// The start of the next group of digits that may begin a card. A card covers at least [`MIN_DIGITS`] bytes, each
/// a digit or next to one, so looking at every twelfth byte misses none.
fn next_group(text: &[u8], at: usize, ahead: Ahead) -> Option<usize> {
    if digit(text, at) {
        return Some(at);
    }
    if separator(text, at).is_some() && digit(text, at + 1) {
        return Some(at + 1);
    }
    let mut low = at;
    let mut probe = at + MIN_DIGITS - 1;
    loop {
        // The tail is shorter than a card, but the start of one may be in it.
        let tail = probe >= text.len();
        if tail && (ahead != Ahead::Wait || low >= text.len()) {
            return None;
        }
        let seen = if tail { text.len() } else { probe + 1 };
        let last = text.get(low..seen)?;
        let touches = tail
            || last.last().is_some_and(u8::is_ascii_digit)
            || (separator(text, probe).is_some() && (digit(text, probe + 1) || probe + 1 == text.len()));
        if touches {
            let back = last
                .iter()
                .rev()
                .position(|b| !(b.is_ascii_digit() || matches!(b, b' ' | b'-')));
            let run = back.map_or(low, |n| seen - n);
            let found = text
                .get(run..seen)
                .and_then(|run| run.iter().position(u8::is_ascii_digit));
            if let Some(n) = found {
                return Some(run + n);
            }
            if tail {
                return None;
            }
            if digit(text, probe + 1) {
                return Some(probe + 1);
            }
        }
        low = probe + 1;
        probe += MIN_DIGITS;
    }
}

enum Reading {
    Undecided,
    Not,
    Card { end: usize, digits: usize },
}

fn read(text: &[u8], first: usize, ahead: Ahead) -> Reading {
    if !stands_alone_left(text, first) {
        return Reading::Not;
    }
    let mut number = [0_u8; MAX_DIGITS];
    let mut count = 0;
    let mut joiner = None;
    let mut best = Reading::Not;
    let mut at = first;
    loop {
        let group = at;
        while let Some(byte) = text.get(at).filter(|b| b.is_ascii_digit()) {
            let Some(slot) = number.get_mut(count) else {
                return best;
            };
            *slot = byte - b'0';
            count += 1;
            at += 1;
        }
        if at == text.len() && ahead == Ahead::Wait {
            return Reading::Undecided;
        }
        let length = at - group;
        if length < *GROUP_DIGITS.start() || (joiner.is_some() && length > *GROUP_DIGITS.end()) {
            return best;
        }
        match stands_alone_right(text, at, ahead) {
            None => return Reading::Undecided,
            Some(true) if number.get(..count).is_some_and(valid) => {
                best = Reading::Card {
                    end: at,
                    digits: count,
                };
            }
            Some(_) => {}
        }
        let Some(between) = separator(text, at) else {
            return best;
        };
        if at + 1 == text.len() && ahead == Ahead::Wait {
            return Reading::Undecided;
        }
        let same = joiner.is_none_or(|joiner| joiner == between);
        if !same || length > *GROUP_DIGITS.end() || count == MAX_DIGITS || !digit(text, at + 1) {
            return best;
        }
        joiner = Some(between);
        at += 1;
    }
}

fn stands_alone_left(text: &[u8], at: usize) -> bool {
    match text.get(..at) {
        Some([.., whole, b'.']) => !whole.is_ascii_digit(),
        Some([.., b'+']) => false,
        Some([.., before]) => !before.is_ascii_alphabetic() || ends_escape(text, at),
        _ => true,
    }
}

/// `None` when the next byte has to be seen first.
fn stands_alone_right(text: &[u8], at: usize, ahead: Ahead) -> Option<bool> {
    match text.get(at) {
        Some(b'.') if at + 1 == text.len() && ahead == Ahead::Wait => None,
        Some(b'.') => Some(!digit(text, at + 1)),
        Some(after) => Some(!after.is_ascii_alphanumeric()),
        None => Some(true),
    }
}

/// Whether the digits form a number some network issues.
fn valid(digits: &[u8]) -> bool {
    digits.len() >= MIN_DIGITS && issued(digits) && luhn(digits)
}

/// Issuer identification ranges and lengths of ISO/IEC 7812, as the networks publish them.
fn issued(digits: &[u8]) -> bool {
    let length = digits.len();
    let lead = digits.iter().take(6).fold(0_u32, |n, d| n * 10 + u32::from(*d));
    let (two, three, four) = (lead / 10_000, lead / 1_000, lead / 100);
    match two {
        40..=49 => matches!(length, 13 | 16 | 19),                // Visa
        51..=55 => length == 16,                                  // Mastercard
        22..=27 if (2221..=2720).contains(&four) => length == 16, // Mastercard, 2-series
        22 if (2200..=2204).contains(&four) => (16..=19).contains(&length), // Mir
        34 | 37 => length == 15,                                  // American Express
        30 if matches!(three, 300..=305 | 309) => (14..=19).contains(&length), // Diners Club
        36 | 38 | 39 => (14..=19).contains(&length),              // Diners Club
        35 if (3528..=3589).contains(&four) => (16..=19).contains(&length), // JCB
        // Discover, UnionPay, RuPay and what shares their ranges.
        62 | 64 | 65 | 81 => (16..=19).contains(&length),
        60 | 82 => length == 16,
        50 | 56..=59 | 61 | 63 | 66..=69 => match four {
            5018 | 5020 | 5038 | 5612 | 5893 | 6304 | 6759 | 6761..=6763 => true, // Maestro
            5019 | 5060 | 5061 => (16..=19).contains(&length),                    // Dankort, Verve
            _ => three == 636 && (16..=19).contains(&length),                     // InterPayment
        },
        97 => four == 9792 && length == 16, // Troy
        _ => false,
    }
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, u32::from(*d)) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        })
        .sum();
    sum.is_multiple_of(10)
}
