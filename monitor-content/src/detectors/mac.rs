//! MAC addresses: six octets in hexadecimal, joined by colons or dashes, or three groups of four joined by dots.

use super::context::{Words, follows};
use super::{Described, Engine};
use crate::Finding;
use crate::bytes::ends_escape;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.mac_address",
    placeholder: "[REDACTED:mac_address]",
};

/// Words that make an address of digits that could be a time or a serial number.
const NAMES: Words = &[
    "mac",
    "ethernet",
    "ether",
    "hwaddr",
    "wifi",
    "bluetooth",
    "bssid",
    "lladdr",
    "hardware",
];

/// Six octets and the byte after: what decides.
const LENGTH: usize = 17;
const DOTTED_LENGTH: usize = 14;

/// Finds MAC addresses.
#[derive(Debug)]
pub(super) struct Macs;

impl Engine for Macs {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(n) = text
            .get(at..)
            .and_then(|rest| memchr::memchr3(b':', b'-', b'.', rest))
        {
            let first = at + n;
            at = first + 1;
            let joint = text.get(first).copied().unwrap_or_default();
            let (group, length) = if joint == b'.' {
                (4, DOTTED_LENGTH)
            } else {
                (2, LENGTH)
            };
            let Some(start) = first.checked_sub(group) else {
                continue;
            };
            // Most joints end here: the next of the same kind is not where it would be.
            if text.get(first + group + 1).is_some_and(|b| *b != joint) || !left(text, start) {
                continue;
            }
            let end = start + length;
            let body = text.get(start..end.min(text.len())).unwrap_or_default();
            let shaped = body.iter().enumerate().all(|(i, b)| {
                if i % (group + 1) == group {
                    *b == joint
                } else {
                    b.is_ascii_hexdigit()
                }
            });
            if !shaped {
                continue;
            }
            if ahead == Ahead::Wait && end + 1 >= text.len() {
                return start.max(from);
            }
            if body.len() == length
                && right(text, end)
                && let Some(confidence_percent) = confidence(text, start, body)
            {
                out.push(Finding {
                    detector: DESCRIBED.name,
                    start,
                    end,
                    confidence_percent,
                    explanation: "six octets in hexadecimal",
                    continued: false,
                });
                at = end;
            }
        }
        if ahead == Ahead::Wait {
            tail(text).max(from)
        } else {
            text.len()
        }
    }
}

/// Start of the hexadecimal digits at the end, as far as they may be a first group.
fn tail(text: &[u8]) -> usize {
    let low = text.len().saturating_sub(4);
    let last = text.get(low..).unwrap_or_default();
    last.iter()
        .rposition(|b| !b.is_ascii_hexdigit())
        .map_or(low, |n| low + n + 1)
}

fn left(text: &[u8], start: usize) -> bool {
    match text.get(..start).unwrap_or_default() {
        // One more octet. The words `mac:` and `addr:` end in hexadecimal digits too.
        [.., third, high, low, b':' | b'-' | b'.'] => {
            (third.is_ascii_alphanumeric() && !third.is_ascii_hexdigit())
                || !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
        }
        [high, low, b':' | b'-' | b'.'] => !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
        [.., before] => !(before.is_ascii_alphanumeric() || *before == b'_') || ends_escape(text, start),
        [] => true,
    }
}

fn right(text: &[u8], end: usize) -> bool {
    match text.get(end..).unwrap_or_default() {
        [b':' | b'-' | b'.', after, ..] => !after.is_ascii_hexdigit(),
        [after, ..] => !(after.is_ascii_alphanumeric() || *after == b'_'),
        [] => true,
    }
}

/// `None` for what is no particular device's, and for what may as well be a time or a serial number.
fn confidence(text: &[u8], start: usize, body: &[u8]) -> Option<u8> {
    let digits = || body.iter().filter(|b| b.is_ascii_hexdigit());
    let same = |wanted: u8| digits().all(|b| b.eq_ignore_ascii_case(&wanted));
    if same(b'0') || same(b'f') {
        return None;
    }
    let named = follows(text, start, NAMES);
    let colons = body.contains(&b':');
    if !colons && !named && !digits().any(u8::is_ascii_alphabetic) {
        return None;
    }
    // The group bit (IEEE 802): many stations, or somebody's example.
    let group = matches!(
        body.get(1),
        Some(b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'B' | b'd' | b'D' | b'f' | b'F')
    );
    Some(match (named, group) {
        (true, _) => 95,
        (false, false) => 90,
        (false, true) => 70,
    })
}
