//! Private keys in PEM (RFC 7468, and the older forms with headers, OpenSSH and PGP).
//!
//! A label alone is talk about keys; a label followed by a run of base64 is a key. From there the finding goes on
//! over base64 lines, also with escaped line ends, to the end label, or to where the lines stop.

use super::LOOK_BYTES;
use super::key::Verdict;
use crate::bytes::ByteSet;
use crate::finding::Ahead;

/// `-----BEGIN ` is the prefix that leads here.
const LABEL_END: &[u8] = b"-----";
const END_LABEL: &[u8] = b"-----END";
const MAX_LABEL_BYTES: usize = 48;
/// No word is as long as a line of base64.
const FIRST_RUN_BYTES: usize = 32;
/// A later line at least this long goes on with the key; a shorter one only before the end label.
const LINE_BYTES: usize = 16;
/// Line ends, indentation, escapes, quotes and comment marks between two lines.
const MAX_GAP_BYTES: usize = 24;

const BASE64: ByteSet = ByteSet::alphanumeric_and(b"+/=");
const DIGITS: ByteSet = ByteSet::of(b"0123456789");
const LABEL: ByteSet = ByteSet::alphanumeric_and(b" ");
const GAP: ByteSet = ByteSet::of(b" \t\r\n\\\"',+#*>|");
/// What may stand between the label and the first line: `Proc-Type: 4,ENCRYPTED`, `Version: GnuPG v2 (GNU/Linux)`.
const HEADERS: ByteSet = ByteSet::alphanumeric_and(b" \t\r\n\\\"'+/=:,.;-()<>@_#*|");

/// Judges the candidate whose label begins at `label`.
pub(super) fn judge(text: &[u8], start: usize, label: usize, ahead: Ahead) -> Verdict {
    let end = LABEL.run(text, label, label + MAX_LABEL_BYTES);
    let name = text.get(label..end).unwrap_or_default();
    let rest = text.get(end..).unwrap_or_default();
    if !rest.starts_with(LABEL_END) {
        return if LABEL_END.starts_with(rest) && ahead == Ahead::Wait {
            Verdict::Undecided
        } else {
            Verdict::Not
        };
    }
    if !(name.ends_with(b"PRIVATE KEY") || name.ends_with(b"PRIVATE KEY BLOCK")) {
        return Verdict::Not;
    }
    body(text, start, end + LABEL_END.len(), ahead)
}

/// Judges PuTTY's private part, whose number of lines begins at `count`.
pub(super) fn judge_putty(text: &[u8], start: usize, count: usize, ahead: Ahead) -> Verdict {
    const MAX_COUNT_BYTES: usize = 3;
    let end = DIGITS.run(text, count, count + MAX_COUNT_BYTES);
    if end == text.len() && ahead == Ahead::Wait {
        return Verdict::Undecided;
    }
    if end == count {
        return Verdict::Not;
    }
    body(text, start, end, ahead)
}

/// Judges what follows a label: headers, perhaps, and a first run of base64.
fn body(text: &[u8], start: usize, mut at: usize, ahead: Ahead) -> Verdict {
    let limit = start + LOOK_BYTES;
    loop {
        let run = BASE64.run(text, at, (at + FIRST_RUN_BYTES).min(limit));
        if run == at + FIRST_RUN_BYTES {
            let (end, open) = extend(text, run, ahead);
            return Verdict::Secret { end, open };
        }
        if run >= limit {
            return Verdict::Not;
        }
        match text.get(run) {
            None if ahead == Ahead::Wait => return Verdict::Undecided,
            Some(byte)
                if HEADERS.has(*byte) && !text.get(run..).is_some_and(|t| t.starts_with(END_LABEL)) =>
            {
                at = run + 1;
            }
            _ => return Verdict::Not,
        }
    }
}

/// The end of the key that goes on at `at`, and whether later text may prolong it.
pub(super) fn extend(text: &[u8], mut at: usize, ahead: Ahead) -> (usize, bool) {
    let waits = ahead == Ahead::Wait;
    // A cut claims the bytes in doubt rather than let go of a key that goes on.
    let in_doubt = |at: usize| match ahead {
        Ahead::Nothing => (at, false),
        Ahead::Wait => (at, true),
        Ahead::Cut => (text.len(), true),
    };
    loop {
        at = BASE64.run(text, at, usize::MAX);
        if at == text.len() {
            return (at, ahead != Ahead::Nothing);
        }
        let line = gap_end(text, at);
        let rest = text.get(line..).unwrap_or_default();
        if rest.is_empty() {
            return in_doubt(at);
        }
        if let Some(end) = end_label(text, line) {
            return if end == text.len() && waits && !closed(text, line) {
                (at, true)
            } else {
                (end, false)
            };
        }
        if END_LABEL.starts_with(rest) {
            return in_doubt(at);
        }
        let run = BASE64.run(text, line, line + LINE_BYTES);
        if run == line + LINE_BYTES {
            at = run;
            continue;
        }
        if run == text.len() && run > line {
            return in_doubt(at);
        }
        let last = gap_end(text, run);
        let rest = text.get(last..).unwrap_or_default();
        if run == line {
            return (at, false);
        }
        if rest.starts_with(END_LABEL) {
            at = run;
            continue;
        }
        // An empty rest is the beginning of anything.
        return if END_LABEL.starts_with(rest) {
            in_doubt(at)
        } else {
            (at, false)
        };
    }
}

/// The end of what separates two lines, at most about [`MAX_GAP_BYTES`].
fn gap_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < start + MAX_GAP_BYTES {
        let begun = at > start;
        at += match text.get(at..).unwrap_or_default() {
            [b'\\', b'n' | b'r' | b't', ..] => 2,
            // A comment mark. A lone slash belongs to the line, unless it is the last byte there is yet.
            [b'/', b'/', b'/', ..] if begun => 3,
            [b'/', b'/', ..] if begun => 2,
            [b'/'] if begun => 1,
            [byte, ..] if GAP.has(*byte) => 1,
            _ => break,
        };
    }
    at
}

/// Whether the end label at `at` is complete.
fn closed(text: &[u8], at: usize) -> bool {
    let name = at + END_LABEL.len();
    let end = LABEL.run(text, name, name + 1 + MAX_LABEL_BYTES);
    text.get(end..).is_some_and(|rest| rest.starts_with(LABEL_END))
}

/// The end of the end label at `at`, as far as it is there: a space, the name, dashes.
fn end_label(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if !rest.starts_with(END_LABEL) {
        return None;
    }
    let name = at + END_LABEL.len();
    let end = LABEL.run(text, name, name + 1 + MAX_LABEL_BYTES);
    let dashes = text
        .get(end..)
        .unwrap_or_default()
        .iter()
        .take(LABEL_END.len())
        .take_while(|b| **b == b'-');
    Some(end + dashes.count())
}
