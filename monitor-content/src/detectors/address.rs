//! Postal addresses, read from the number of a house.
//!
//! 1. Before the number stands a street ([`left`]): `Hauptstraße 5`, `Calle Mayor 5`, `ul. Długa 5`. Or it is after it:
//!    `5 Main Street`, `5, rue Haute`.
//! 2. After them parts of the house, places, a region and a postal code may stand ([`tail`]).
//! 3. The more parts there are, and with a word for an address before it, the surer it is. A street and a number alone are
//!    little.
//!
//! Chinese, Japanese and Korean ones ([`east_asia`]) are known by the words for their parts.

mod east_asia;
mod left;
mod tail;
mod words;

use std::cell::Cell;

use super::Described;
use super::context::follows;
use super::cursor::Cursor;
use super::groups::Run;
use super::numbers::{Reader, Reading};
use crate::Finding;
use crate::bytes::letter;
use crate::finding::Ahead;
use left::Street;
use tail::Tail;
use words::{MAX_WORD_BYTES, PARTICLE, STREET, SURE, UNIT};

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.postal_address",
    placeholder: "[REDACTED:postal_address]",
};

/// Bytes of an address; less than may be looked at.
const MAX_BYTES: usize = 240;
const _: () = assert!(MAX_BYTES + 8 < super::LOOK_BYTES);
/// Digits of the number of a house.
const HOUSE_DIGITS: usize = 5;
/// How far before an address `Free Software Foundation, Inc.` is looked for.
const NOTICE_BYTES: usize = 64;
/// Words of a street's name.
const MAX_WORDS: usize = 5;

/// Finds addresses.
#[derive(Debug)]
pub(super) struct Addresses;

/// What is known of an address.
struct Address {
    start: usize,
    street: Option<Street>,
    /// Its word for a street is hardly ever anything else.
    sure: bool,
    tail: Tail,
}

impl Reader for Addresses {
    fn lead(&self, text: &[u8], at: usize) -> usize {
        let street = if at == text.len() {
            left::beginning(text)
        } else {
            left::street(text, at).map_or(at, |(start, _)| start)
        };
        street.min(east_asia::lead(text, at))
    }

    fn read(&self, text: &[u8], at: usize, run: &Run, ahead: Ahead) -> Reading {
        let Some(first) = run.groups().first() else {
            return Reading::Not;
        };
        if first.len > HOUSE_DIGITS + 1 || !opens(text, at) {
            return Reading::Not;
        }
        if let Some(start) = east_asia::start(text, at) {
            return match east_asia::end(text, at) {
                (_, true) if ahead == Ahead::Wait => Reading::Undecided,
                (end, _) => Reading::Found(finding(start, end, 80)),
            };
        }
        if first.len > HOUSE_DIGITS {
            return Reading::Not;
        }
        // Cheap, and true of most numbers: neither a word before it nor one after it.
        let worded = matches!(text.get(..at), Some([.., b' ']))
            || matches!(
                text.get(first.end()..),
                Some([b' ' | b',' | b'-' | b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] | [])
            );
        if !worded {
            return Reading::Not;
        }
        let before = left::street(text, at);
        let limit = before.map_or(at, |(start, _)| start) + MAX_BYTES;
        let cut = limit < text.len();
        let ended = Cell::new(false);
        let mut cursor = Cursor::new(text.get(..limit).unwrap_or(text), first.end(), &ended);
        house(&mut cursor);
        if !closes(&cursor) {
            return Reading::Not;
        }
        let address = match before {
            Some((start, street)) => {
                let mut after = cursor;
                let address = Address {
                    start,
                    street: Some(street),
                    sure: street == Street::Box || certain(text, start),
                    tail: tail::read(&mut after),
                };
                Some(address)
            }
            None => numbered(&mut cursor, at),
        };
        let Some(address) = address else {
            return if ended.get() && !cut && ahead == Ahead::Wait {
                Reading::Undecided
            } else {
                Reading::Not
            };
        };
        if ended.get() && !cut && ahead == Ahead::Wait {
            return Reading::Undecided;
        }
        match address.percent(text, run.value(first)) {
            0..50 => Reading::Not,
            percent => Reading::Found(finding(address.start, address.tail.end, percent)),
        }
    }
}

fn finding(start: usize, end: usize, confidence_percent: u8) -> Finding {
    Finding {
        detector: DESCRIBED.name,
        start,
        end,
        confidence_percent,
        explanation: if confidence_percent >= 80 {
            "street, number and place or postal code"
        } else {
            "street and number"
        },
        continued: false,
    }
}

impl Address {
    fn percent(&self, text: &[u8], house: Option<u32>) -> u8 {
        let tail = &self.tail;
        let parts = match (self.street, tail.code, tail.place || tail.unit) {
            (Some(Street::Named | Street::Box), true, _) => 92,
            (_, true, _) if tail.region => 88,
            (Some(Street::Plain), true, true) => 62,
            (None, true, true) => 65,
            // The year of a notice: `2016 Iain Lane`.
            (_, false, _) if house.is_some_and(|year| (1950..=2050).contains(&year)) => 0,
            (Some(Street::Named | Street::Box), false, true) if self.sure => 75,
            (Some(Street::Box), false, false) => 65,
            (Some(Street::Named), false, false) if self.sure => 55,
            (Some(Street::Named), false, true) => 60,
            (_, false, true) => 40,
            _ => 0,
        };
        let labelled = (40..85).contains(&parts) && follows(text, self.start, words::LABELS);
        match (labelled, self.street) {
            _ if parts > 0 && in_notice(text, self.start) => 0,
            (true, Some(Street::Plain) | None) => 70.max(parts),
            (true, _) => 80.max(parts),
            _ => parts,
        }
    }
}

/// Whether a street is written as a name, or its word shortened: `via` and `place` are common words.
fn certain(text: &[u8], start: usize) -> bool {
    let capital = letter(text, start).is_some_and(|(character, _)| character.is_uppercase());
    capital || text.iter().skip(start).take(5).any(|b| *b == b'.')
}

/// Whether it is the address in the notice of a well-known licence.
fn in_notice(text: &[u8], start: usize) -> bool {
    let near = text
        .get(start.saturating_sub(NOTICE_BYTES)..start)
        .unwrap_or_default();
    near.windows(10)
        .any(|ten| ten.eq_ignore_ascii_case(b"foundation"))
}

/// Whether a number of a house may begin at `at`.
fn opens(text: &[u8], at: usize) -> bool {
    match text.get(..at).unwrap_or_default() {
        [.., last] => {
            crate::bytes::ends_escape(text, at)
                || (!last.is_ascii_alphanumeric()
                    && !matches!(
                        last,
                        b'.' | b'-'
                            | b'/'
                            | b'_'
                            | b'+'
                            | b'$'
                            | b'#'
                            | b'%'
                            | b'@'
                            | b'&'
                            | b'*'
                            | b'~'
                            | b'^'
                    ))
        }
        [] => true,
    }
}

/// What may follow the digits of a house: `12a`, `31-55`, `60/98`, `12 bis`.
fn house(cursor: &mut Cursor<'_>) {
    let start = cursor.at;
    if cursor.any(&[b"-", b"/", b" - "]) {
        if cursor.digits(4).0 == 0 {
            cursor.at = start;
        }
        return;
    }
    let lettered = cursor.peek().is_some_and(|b| b.is_ascii_alphabetic());
    if lettered {
        cursor.at += 1;
        if cursor.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
            cursor.at = start;
        }
        return;
    }
    if cursor.any(&[b" bis", b" ter"]) && cursor.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
        cursor.at = start;
    }
}

/// Whether the number of a house may end here: it is no decimal, hexadecimal number, time or call.
fn closes(cursor: &Cursor<'_>) -> bool {
    match cursor.peek() {
        None => true,
        Some(b'.' | b',') => !cursor.ahead(1).is_some_and(|b| b.is_ascii_digit()),
        Some(b':' | b'%' | b'=' | b'_' | b'*' | b'+' | b'[' | b'>' | b'&' | b'^' | b'@') => false,
        Some(b'-' | b'/') => !cursor.ahead(1).is_some_and(|b| b.is_ascii_alphanumeric()),
        Some(byte) => !byte.is_ascii_alphanumeric(),
    }
}

/// An address that its number is in front of: `5 Main Street`, `5, rue Haute`, and any words when a postal code of the
/// country follows.
fn numbered(cursor: &mut Cursor<'_>, start: usize) -> Option<Address> {
    if !cursor.any(&[b", ", b" "]) {
        return None;
    }
    let (mut named, mut led, mut sure) = (None, None, false);
    let mut end = None;
    for index in 0..MAX_WORDS {
        let (character, _) = cursor.letter()?;
        let word = cursor.word(MAX_WORD_BYTES);
        let lists = words::lists(word);
        let lead = index == 0 && left::is_lead(cursor.text, cursor.at - word.len(), cursor.at, lists);
        if character.is_lowercase() && !lead && lists & PARTICLE == 0 {
            break;
        }
        if lead {
            led = Some(cursor.at);
            sure = true;
        }
        end = Some(cursor.at);
        if lists & STREET != 0 && index > 0 {
            if cursor.peek() == Some(b'.') && word.len() <= 4 {
                cursor.at += 1;
            }
            // `Avenue NW`
            let street = cursor.at;
            let quadrant = cursor.any(&[b" NW", b" NE", b" SW", b" SE", b" N", b" S", b" E", b" W"]);
            if quadrant
                && cursor
                    .peek()
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b >= 0x80)
            {
                cursor.at = street;
            }
            named = Some(cursor.at);
            sure |= lists & SURE != 0;
            if cursor.at > street {
                break;
            }
        }
        let mut after = *cursor;
        if !after.pass(b" ") || after.letter().is_none() {
            break;
        }
        // `5 Main Street lies …`
        let mut next = after;
        let following = next.word(MAX_WORD_BYTES);
        if index > 0 && following.len() > 2 && words::lists(following) & UNIT != 0 {
            break;
        }
        cursor.at = after.at;
    }
    // A word for a street alone is none.
    if end == led {
        return None;
    }
    cursor.at = match (named, led) {
        (Some(named), None) => named,
        _ => end?,
    };
    let tail = tail::read(cursor);
    Some(Address {
        start,
        street: named.or(led).map(|_| Street::Named),
        sure,
        tail,
    })
}
