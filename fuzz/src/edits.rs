//! Edits beside a slower way to make them.

use std::ops::Range;

use monitor_protocol::{Edit, RawSpans, edit, escape_into, unescape};

use crate::memory;

/// Edits: start (u8), length (u8, 255 for one that is turned round), text (u8: escaped, plain, empty); then zero, and the
/// body.
pub fn check(input: &[u8]) {
    let mut edits = Vec::new();
    let mut rest = input;
    while let Some((&[start, len, text], tail)) = rest.split_first_chunk()
        && start != 0
    {
        let start = usize::from(start) - 1;
        let span = Range {
            start,
            end: if len == 255 {
                start.saturating_sub(1)
            } else {
                start + usize::from(len)
            },
        };
        edits.push(match text % 3 {
            0 => Edit::text(span, "\"\n\u{1}é"),
            1 => Edit::json(span, "null"),
            _ => Edit::text(span, ""),
        });
        rest = tail;
    }
    let body = rest.get(1..).unwrap_or_default();
    let edited = memory::bounded(input.len(), || edit(body, &edits));
    match (edited, slowly(body, &edits)) {
        (Ok(edited), Some(expected)) => assert_eq!(edited, expected),
        (Err(_), None) => {}
        (edited, expected) => panic!("{edited:?} is not {expected:?}"),
    }
    if let Ok(raw) = std::str::from_utf8(body) {
        strings(raw, &edits);
    }
}

/// From the last edit to the first, each by itself.
fn slowly(body: &[u8], edits: &[Edit<'_>]) -> Option<Vec<u8>> {
    let mut order: Vec<&Edit<'_>> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = body.to_vec();
    let mut bound = body.len();
    for edit in order.into_iter().rev() {
        if edit.span.start > edit.span.end || edit.span.end > bound {
            return None;
        }
        let mut with = Vec::new();
        match edit.with {
            monitor_protocol::Replacement::Text(text) => escape_into(&mut with, text),
            monitor_protocol::Replacement::Json(text) | monitor_protocol::Replacement::Plain(text) => {
                with.extend_from_slice(text.as_bytes());
            }
        }
        bound = edit.span.start;
        out.splice(edit.span.clone(), with);
    }
    Some(out)
}

/// Ranges of a string's text map to what stands for them.
fn strings(raw: &str, edits: &[Edit<'_>]) {
    let text = unescape(raw);
    let mut ranges: Vec<_> = edits.iter().map(|edit| edit.span.clone()).collect();
    ranges.sort_by_key(|range| range.start);
    let mut spans = RawSpans::of(raw, 0);
    let mut before = 0;
    for range in ranges {
        let found = spans.span(range.clone());
        let Some(span) = found else {
            assert!(range.start > range.end || range.end > text.len());
            // A range that is refused may leave the mapper where it was.
            return;
        };
        assert!(span.start >= before && span.end <= raw.len());
        before = span.start;
        if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
            assert_eq!(unescape(&raw[span]), text[range]);
        }
    }
}
