//! International bank account numbers: a country, its length, and the check digits of ISO 13616 (ISO 7064 mod 97-10).
//!
//! Written unbroken or in groups of four that one kind of separator joins, in capitals or small letters.

use super::Described;
use super::groups::Run;
use super::numbers::{Reader, Reading};
use crate::Finding;
use crate::bytes::ends_escape;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.iban",
    placeholder: "[REDACTED:iban]",
};

/// Lengths by country, from the IBAN registry (SWIFT, release 99) and the countries that use the form without being in it.
#[rustfmt::skip]
const LENGTHS: &[(&[u8; 2], u8)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AO", 25), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BF", 28), (b"BG", 22),
    (b"BH", 22), (b"BI", 27), (b"BJ", 28), (b"BR", 29), (b"BY", 28), (b"CF", 27), (b"CG", 27), (b"CH", 21), (b"CI", 28), (b"CM", 27),
    (b"CR", 22), (b"CV", 25), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"DZ", 26), (b"EE", 20),
    (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GA", 27), (b"GB", 22), (b"GE", 22), (b"GI", 23),
    (b"GL", 18), (b"GQ", 27), (b"GR", 27), (b"GT", 28), (b"GW", 25), (b"HN", 28), (b"HR", 21), (b"HU", 28), (b"IE", 22), (b"IL", 23),
    (b"IQ", 23), (b"IR", 26), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KM", 27), (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32),
    (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MA", 28), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MG", 27),
    (b"MK", 19), (b"ML", 28), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"MZ", 25), (b"NE", 28), (b"NI", 28), (b"NL", 18),
    (b"NO", 15), (b"OM", 23), (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33),
    (b"SA", 24), (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SN", 28), (b"SO", 23), (b"ST", 25),
    (b"SV", 28), (b"TD", 27), (b"TG", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20),
    (b"YE", 30),
];
const COUNTRY_BYTES: usize = 2;
/// Check digits and a country make the first of the groups.
const GROUP: usize = 4;

/// Finds account numbers.
#[derive(Debug)]
pub(super) struct Ibans;

impl Reader for Ibans {
    fn lead(&self, text: &[u8], at: usize) -> usize {
        let letters = text
            .get(..at)
            .unwrap_or_default()
            .iter()
            .rev()
            .take(COUNTRY_BYTES)
            .take_while(|b| b.is_ascii_alphabetic());
        at - letters.count()
    }

    fn read(&self, text: &[u8], at: usize, _: &Run, ahead: Ahead) -> Reading {
        let start = self.lead(text, at);
        if start + COUNTRY_BYTES != at || !left(text, start) {
            return Reading::Not;
        }
        let Some(length) = length(text, start) else {
            return Reading::Not;
        };
        let Some(end) = end(text, start, length) else {
            return Reading::Not;
        };
        match end {
            End::Text if ahead == Ahead::Wait => Reading::Undecided,
            End::Text => Reading::Not,
            End::At(end) if end >= text.len() && ahead == Ahead::Wait => Reading::Undecided,
            End::At(end) => match confidence(text, start, end) {
                Some(confidence_percent) => Reading::Found(Finding {
                    detector: DESCRIBED.name,
                    start,
                    end,
                    confidence_percent,
                    explanation: "length of the country and check digits",
                    continued: false,
                }),
                None => Reading::Not,
            },
        }
    }
}

fn length(text: &[u8], start: usize) -> Option<usize> {
    let country = text.get(start..start + COUNTRY_BYTES)?;
    let upper = [
        country.first()?.to_ascii_uppercase(),
        country.get(1)?.to_ascii_uppercase(),
    ];
    let at = LENGTHS
        .binary_search_by(|(code, _)| code.as_slice().cmp(&upper))
        .ok()?;
    LENGTHS.get(at).map(|(_, length)| usize::from(*length))
}

fn left(text: &[u8], start: usize) -> bool {
    match text.get(..start).unwrap_or_default() {
        [.., b'_' | b'+' | b'%' | b'$'] => false,
        [.., before] => !before.is_ascii_alphanumeric() || ends_escape(text, start),
        [] => true,
    }
}

enum End {
    /// The text ends before the number does.
    Text,
    /// After as many characters as the country's numbers have.
    At(usize),
}

/// Where `length` letters and digits from `start` end; `None` when they are not all there or oddly written.
fn end(text: &[u8], start: usize, length: usize) -> Option<End> {
    let (mut at, mut read) = (start, 0);
    let mut joint = None;
    while read < length {
        let Some(byte) = text.get(at) else {
            return Some(End::Text);
        };
        if byte.is_ascii_alphanumeric() {
            // The check digits; and most of any number is digits.
            if (2..4).contains(&read) && !byte.is_ascii_digit() {
                return None;
            }
            read += 1;
        } else {
            let may = matches!(byte, b' ' | b'-' | b'.') && read % GROUP == 0 && read > 0;
            let first = read == GROUP && joint.is_none();
            if !may || !(first || joint == Some(*byte)) {
                return None;
            }
            joint = Some(*byte);
            at += 1;
            if text.get(at).is_some_and(|b| !b.is_ascii_alphanumeric()) {
                return None;
            }
            continue;
        }
        // Once grouped, always grouped.
        if joint.is_some()
            && read % GROUP == 0
            && read < length
            && text.get(at + 1).is_some_and(|b| Some(*b) != joint)
        {
            return None;
        }
        at += 1;
    }
    Some(End::At(at))
}

fn confidence(text: &[u8], start: usize, end: usize) -> Option<u8> {
    if text
        .get(end)
        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    {
        return None;
    }
    let body = text.get(start..end)?;
    let characters = || body.iter().filter(|b| b.is_ascii_alphanumeric());
    let small = characters().any(u8::is_ascii_lowercase);
    let large = characters().any(u8::is_ascii_uppercase);
    // Letters and digits at random are as likely to pass the check as one in 97. Account numbers are mostly digits,
    // though some countries' may have more letters: Ukraine's 6 digits and 19 of either.
    let digits = characters().filter(|b| b.is_ascii_digit()).count();
    if digits * if small { 2 } else { 4 } < characters().count() {
        return None;
    }
    let (head, tail) = (characters().take(GROUP), characters().skip(GROUP));
    let remainder = tail.chain(head).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    match (remainder, small, large) {
        (1, false, _) => Some(98),
        (1, true, false) => Some(90),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_in_order() {
        assert!(LENGTHS.is_sorted_by_key(|(country, _)| country));
        assert!(LENGTHS.iter().all(|(_, length)| (15..=34).contains(length)));
    }
}
