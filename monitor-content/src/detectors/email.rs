//! E-mail addresses with an ASCII local part and a dotted domain.
//!
//! An address is read outwards from its `@`: up to 64 bytes of local part (RFC 5321, section 4.5.3.1.1), then the
//! longest domain that ends in a plausible top-level label, 254 bytes in all (RFC 3696, erratum 1690). Quoted local
//! parts, addresses in non-ASCII letters and domains without a dot are not found.

use super::{Described, Engine, LOOK_BYTES};
use crate::Finding;
use crate::bytes::ByteSet;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.email",
    placeholder: "[REDACTED:email]",
};

/// Finds addresses.
#[derive(Debug)]
pub(super) struct Emails;

impl Engine for Emails {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        scan(text, from, ahead, out)
    }
}

/// A longer run is read as an address of its last 64 bytes, so that padding in front hides nothing.
pub(super) const MAX_LOCAL_BYTES: usize = 64;
const MAX_TOP_LEVEL_BYTES: usize = 24;

const LOCAL: ByteSet = ByteSet::alphanumeric_and(b"._%+-");
const DOMAIN: ByteSet = ByteSet::alphanumeric_and(b".-");

/// File name endings that are no top-level domain: `logo@2x.png` is not an address.
const FILE_ENDINGS: &[&str] = &[
    "avif", "bmp", "css", "csv", "gif", "htm", "html", "ico", "jpeg", "jpg", "js", "json", "jsx", "log",
    "mjs", "pdf", "png", "svg", "tgz", "tiff", "ts", "tsx", "txt", "webp", "xml", "yaml", "yml",
];

/// Appends the addresses whose `@` is at or after `from`; returns where to go on.
fn scan(text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
    let mut at = from;
    while let Some(n) = text.get(at..).and_then(|rest| memchr::memchr(b'@', rest)) {
        let sign = at + n;
        at = sign + 1;
        let start = local_start(text, sign);
        if start == sign {
            continue;
        }
        let limit = start + LOOK_BYTES;
        let end = DOMAIN.run(text, sign + 1, limit);
        if end == text.len() && end < limit && ahead == Ahead::Wait {
            return start.max(from);
        }
        let local = text.get(start..sign).unwrap_or_default();
        let domain = text.get(sign + 1..end).unwrap_or_default();
        if let Some(length) = domain_length(domain) {
            let end = sign + 1 + length;
            if local == b"git" && end < limit && matches!(text.get(end), Some(b':' | b'/')) {
                continue; // the user of a repository address
            }
            if in_userinfo(text, start) {
                continue; // the user or the password of a URL
            }
            out.push(Finding {
                detector: DESCRIBED.name,
                start,
                end,
                confidence_percent: 90,
                explanation: "local part, @ and a plausible domain",
                continued: false,
            });
        }
    }
    if ahead == Ahead::Wait {
        run_start(text, text.len())
    } else {
        text.len()
    }
}

/// Whether what starts at `start` stands between the scheme and the host of a URL.
fn in_userinfo(text: &[u8], start: usize) -> bool {
    const USERINFO: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=%:^|\\");
    let before = text
        .get(start.saturating_sub(MAX_LOCAL_BYTES)..start)
        .unwrap_or_default();
    let userinfo = before.iter().rev().take_while(|b| USERINFO.has(**b)).count();
    before
        .get(..before.len() - userinfo)
        .is_some_and(|scheme| scheme.ends_with(b"://"))
}

fn run_start(text: &[u8], end: usize) -> usize {
    let low = end.saturating_sub(MAX_LOCAL_BYTES);
    let run = text.get(low..end).unwrap_or_default();
    run.iter()
        .rposition(|b| !LOCAL.has(*b))
        .map_or(low, |n| low + n + 1)
}

/// Start of the local part that ends at `sign`: after punctuation and after any double dot.
fn local_start(text: &[u8], sign: usize) -> usize {
    let low = run_start(text, sign);
    let run = text.get(low..sign).unwrap_or_default();
    let dots = run
        .windows(2)
        .rposition(|pair| pair == b"..")
        .map_or(0, |n| n + 2);
    run.iter()
        .skip(dots)
        .position(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .map_or(sign, |n| low + dots + n)
}

/// Length of the longest prefix of `run` that is a domain name.
fn domain_length(run: &[u8]) -> Option<usize> {
    let mut best = None;
    let mut start = 0;
    for (index, label) in run.split(|b| *b == b'.').enumerate() {
        if label.is_empty() || label.starts_with(b"-") {
            break;
        }
        let letters = label.iter().position(|b| !b.is_ascii_alphabetic());
        let top = match letters {
            None => label,
            Some(n) if label.get(n) == Some(&b'-') => label.get(..n).unwrap_or_default(),
            Some(_) => &[],
        };
        let international = label.len() > 4 && label.starts_with(b"xn--");
        if index > 0 && international {
            best = Some((start + label.len(), label));
        } else if index > 0 && (2..=MAX_TOP_LEVEL_BYTES).contains(&top.len()) {
            best = Some((start + top.len(), top));
        }
        start += label.len() + 1;
    }
    best.filter(|(_, top)| {
        !FILE_ENDINGS
            .iter()
            .any(|e| top.eq_ignore_ascii_case(e.as_bytes()))
    })
    .map(|(length, _)| length)
}
