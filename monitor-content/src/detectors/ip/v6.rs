//! Eight groups of hexadecimal digits joined by colons, one row of zeros left out at most, and perhaps a zone.

use memchr::memchr_iter;

use super::{Scope, finding};
use crate::bytes::ends_escape;
use crate::detectors::Engine;
use crate::finding::Ahead;
use crate::{Finding, bytes::ByteSet};

const ADDRESS: ByteSet = ByteSet::of(b"0123456789abcdefABCDEF:.");
const ZONE: ByteSet = ByteSet::alphanumeric_and(b"._-");
/// Six groups of four and a version 4 address: `xxxx:…:255.255.255.255`.
const MAX_BYTES: usize = 45;
const MAX_ZONE_BYTES: usize = 16;

/// Finds version 6 addresses.
#[derive(Debug)]
pub(in crate::detectors) struct V6;

impl Engine for V6 {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(n) = text.get(at..).and_then(|rest| memchr::memchr(b':', rest)) {
            let colon = at + n;
            at = colon + 1;
            // The first colon of a run speaks for it.
            if colon > 0 && text.get(colon - 1) == Some(&b':') {
                continue;
            }
            let start = run_start(text, colon);
            if colon > start && text.get(start..colon).is_some_and(|t| t.contains(&b':')) {
                continue;
            }
            // A group before the first colon, or a second colon.
            let next = text.get(colon + 1);
            if next.is_some_and(|b| !ADDRESS.has(*b) || *b == b'.') || colon > start + 4 {
                continue;
            }
            let end = ADDRESS.run(text, colon, start + MAX_BYTES + 1);
            if end == text.len() && end <= start + MAX_BYTES && ahead == Ahead::Wait {
                return start.max(from);
            }
            if let Some(length) = text.get(start..end).and_then(address) {
                let mut end = start + length;
                let scope = scope(text.get(start..end).unwrap_or_default());
                if text.get(end) == Some(&b'%') {
                    let zone = ZONE.run(text, end + 1, end + 1 + MAX_ZONE_BYTES);
                    if zone + 1 >= text.len() && ahead == Ahead::Wait {
                        return start.max(from);
                    }
                    let name = text.get(end + 1..zone).unwrap_or_default();
                    if let Some(last) = name.iter().rposition(u8::is_ascii_alphanumeric) {
                        end += 2 + last;
                    }
                }
                if left(text, start) && right(text, end) {
                    out.extend(finding(scope, start, end, false));
                }
                at = at.max(end);
            }
        }
        if ahead == Ahead::Wait {
            run_start(text, text.len()).max(from)
        } else {
            text.len()
        }
    }
}

/// Start of the hexadecimal digits and colons that end at `end`, as far as an address goes.
fn run_start(text: &[u8], end: usize) -> usize {
    let low = end.saturating_sub(MAX_BYTES);
    let run = text.get(low..end).unwrap_or_default();
    run.iter()
        .rposition(|b| !(b.is_ascii_hexdigit() || *b == b':'))
        .map_or(low, |n| low + n + 1)
}

/// Length of the address that `run` begins with; the run may end in a colon or dot of the sentence.
fn address(run: &[u8]) -> Option<usize> {
    let run = run.strip_suffix(b".").unwrap_or(run);
    let run = match run {
        [rest @ .., b':'] if !rest.ends_with(b":") => rest,
        _ => run,
    };
    let text = std::str::from_utf8(run).ok()?;
    if text.len() > MAX_BYTES || memchr_iter(b':', run).count() < 2 {
        return None;
    }
    text.parse::<std::net::Ipv6Addr>().ok()?;
    Some(run.len())
}

/// What IANA has given out, and only that: so `a::b` in code is none. All eight groups written out are an address
/// whatever they begin with.
fn scope(run: &[u8]) -> Scope {
    let Some(address) = std::str::from_utf8(run)
        .ok()
        .and_then(|text| text.parse::<std::net::Ipv6Addr>().ok())
    else {
        return Scope::None;
    };
    let [first, second, .., last] = address.segments();
    let digits = run.iter().any(u8::is_ascii_digit);
    match first {
        _ if address.is_loopback() || address.is_unspecified() || !digits => Scope::None,
        0xff00..=0xffff => Scope::None,
        // A prefix of a network: `2001:db8::`.
        _ if last == 0 && run.ends_with(b"::") => Scope::None,
        0x2001 if second == 0x0db8 => Scope::Documentation,
        0x2000..=0x3fff => Scope::Public,
        0xfc00..=0xfdff | 0xfe80..=0xfebf => Scope::Private,
        // Mapped and translated version 4 (RFC 4291 2.5.5.2, RFC 6052).
        0 if address.to_ipv4_mapped().is_some() && run.contains(&b'.') => Scope::Public,
        0x64 if second == 0xff9b => Scope::Public,
        _ if !run.windows(2).any(|pair| pair == b"::") => Scope::Public,
        _ => Scope::None,
    }
}

fn left(text: &[u8], start: usize) -> bool {
    match text.get(..start).unwrap_or_default() {
        [.., b'_' | b'-' | b'.' | b'$' | b'@' | b'<'] => false,
        [.., before] => !before.is_ascii_alphanumeric() || ends_escape(text, start),
        [] => true,
    }
}

fn right(text: &[u8], end: usize) -> bool {
    match text.get(end..).unwrap_or_default() {
        [b':', after, ..] => !after.is_ascii_alphanumeric() && *after != b':',
        [b'_' | b'(' | b'-' | b'<', ..] => false,
        [after, ..] => !after.is_ascii_alphanumeric(),
        [] => true,
    }
}
