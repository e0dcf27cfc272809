//! Replacing strings of a body in place: every byte outside the edited spans stays as it was.

use std::ops::Range;

use crate::{
    json::{Unescaped, escape_into, next_unescaped},
    literal::Coding,
};

/// What is written where the span was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Replacement<'t> {
    /// Text for the inside of a string; it is escaped as JSON asks.
    Text(&'t str),
    /// JSON, written as it is: a number for a clamp, a member for an insertion, `null` for an echo.
    Json(&'t str),
    /// Text where nothing is escaped: a field of a form, a body of plain text.
    Plain(&'t str),
}

/// One replacement.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit<'t> {
    /// Bytes of the body (or of an event's data) to replace.
    pub span: Range<usize>,
    /// What replaces them.
    pub with: Replacement<'t>,
}

impl<'t> Edit<'t> {
    /// Replaces bytes inside a string by text.
    #[must_use]
    pub const fn text(span: Range<usize>, text: &'t str) -> Self {
        Self {
            span,
            with: Replacement::Text(text),
        }
    }

    /// Replaces bytes by JSON, or inserts it when the span is empty.
    #[must_use]
    pub const fn json(span: Range<usize>, json: &'t str) -> Self {
        Self {
            span,
            with: Replacement::Json(json),
        }
    }

    fn len_hint(&self) -> usize {
        match self.with {
            Replacement::Text(text) | Replacement::Json(text) | Replacement::Plain(text) => text.len(),
        }
    }
}

impl std::fmt::Debug for Edit<'_> {
    /// Never shows the replacement.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edit")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// A set of edits that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// An edit reaches outside the bytes it is to change.
    #[error("edit of bytes {span:?} reaches outside the {len_bytes} bytes there are")]
    Outside {
        /// The edit's span.
        span: Range<usize>,
        /// Length of what is edited, in bytes.
        len_bytes: usize,
    },
    /// Two edits overlap.
    #[error("edits of bytes {first:?} and {second:?} overlap")]
    Overlap {
        /// The span that starts first.
        first: Range<usize>,
        /// The span that starts inside it.
        second: Range<usize>,
    },
    /// What was edited has become longer than its framing can say.
    #[error("the edited frame is longer than the {limit_bytes} bytes that its framing can hold")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
}

/// The body with the edits made, in whatever order they are given. Linear in the body.
///
/// # Errors
///
/// [`EditError`] when an edit reaches outside the body or overlaps another.
pub fn edit(body: &[u8], edits: &[Edit<'_>]) -> Result<Vec<u8>, EditError> {
    let mut order: Vec<&Edit<'_>> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = Vec::with_capacity(body.len() + edits.iter().map(Edit::len_hint).sum::<usize>());
    let mut before: Range<usize> = 0..0;
    for edit in order {
        if edit.span.start < before.end {
            return Err(EditError::Overlap {
                first: before,
                second: edit.span.clone(),
            });
        }
        let outside = || EditError::Outside {
            span: edit.span.clone(),
            len_bytes: body.len(),
        };
        if edit.span.start > edit.span.end || edit.span.end > body.len() {
            return Err(outside());
        }
        out.extend_from_slice(body.get(before.end..edit.span.start).ok_or_else(outside)?);
        match edit.with {
            Replacement::Text(text) => escape_into(&mut out, text),
            Replacement::Json(as_is) | Replacement::Plain(as_is) => out.extend_from_slice(as_is.as_bytes()),
        }
        before = edit.span.clone();
    }
    out.extend_from_slice(body.get(before.end..).unwrap_or_default());
    Ok(out)
}

/// Maps byte ranges of a text, unescaped, to spans of its bytes as written. Ranges must be asked for in order of their
/// starts; then any number of ranges that do not overlap costs one walk over the string.
#[derive(Clone)]
pub struct RawSpans<'b> {
    rest: &'b str,
    /// Offset of `rest` in what will be edited.
    raw: usize,
    /// Offset of `rest` in the unescaped text.
    text: usize,
    /// Bytes at the start of `rest` known to hold no escape, so that they are not searched again for each range.
    plain: usize,
    coding: Coding,
}

impl<'b> RawSpans<'b> {
    pub(crate) fn new(raw: &'b str, start: usize, coding: Coding) -> Self {
        Self {
            rest: raw,
            raw: start,
            text: 0,
            plain: match coding {
                Coding::JsonEscaped => 0,
                Coding::Json | Coding::Plain => raw.len(),
            },
            coding,
        }
    }

    /// A mapper for a string's raw bytes that begin at `start` of what will be edited.
    #[must_use]
    pub fn of(raw: &'b str, start: usize) -> Self {
        Self::new(raw, start, Coding::JsonEscaped)
    }

    /// Replaces `range` of the text, in the coding that the text is written in. `None` as of [`Self::span`]. In a part of a
    /// form, `text` must not be able to hold the form's boundary.
    pub fn edit<'t>(&mut self, range: Range<usize>, text: &'t str) -> Option<Edit<'t>> {
        let span = self.span(range)?;
        let with = match self.coding {
            Coding::Json | Coding::JsonEscaped => Replacement::Text(text),
            Coding::Plain => Replacement::Plain(text),
        };
        Some(Edit { span, with })
    }

    /// The raw span of `range`, widened to whole escape sequences and characters when an end falls inside one. `None` when
    /// the range is not inside the text, or starts before the one asked for last.
    pub fn span(&mut self, range: Range<usize>) -> Option<Range<usize>> {
        if range.start > range.end {
            return None;
        }
        let start = self.seek(range.start, Inside::Before)?;
        // The walk to the end must not lose the start's place: the next range may begin before this one ends.
        let end = self.clone().seek(range.end, Inside::After)?;
        Some(start..end)
    }

    /// Raw offset of the text offset `target`.
    fn seek(&mut self, target: usize, inside: Inside) -> Option<usize> {
        let mut want = target.checked_sub(self.text)?;
        while want > 0 {
            if self.plain == 0 {
                match next_unescaped(self.rest)? {
                    Unescaped::Plain(plain) => self.plain = plain.len(),
                    Unescaped::Escape(taken, character) if want < character.len_utf8() => {
                        return Some(match inside {
                            Inside::Before => self.raw,
                            Inside::After => self.raw + taken,
                        });
                    }
                    Unescaped::Escape(taken, character) => {
                        self.advance(taken, character.len_utf8());
                        want -= character.len_utf8();
                        continue;
                    }
                }
            }
            // Where nothing is escaped, raw bytes are the text's bytes.
            let mut step = want.min(self.plain);
            if !self.rest.is_char_boundary(step) {
                let before = (0..step)
                    .rev()
                    .find(|&at| self.rest.is_char_boundary(at))
                    .unwrap_or_default();
                if let Inside::After = inside {
                    let after = (step..=self.rest.len()).find(|&at| self.rest.is_char_boundary(at));
                    return after.map(|after| self.raw + after);
                }
                step = before;
                want = before;
            }
            self.plain -= step;
            self.advance(step, step);
            want -= step;
        }
        Some(self.raw)
    }

    fn advance(&mut self, raw: usize, text: usize) {
        self.rest = self.rest.get(raw..).unwrap_or_default();
        self.raw += raw;
        self.text += text;
    }
}

/// Where an offset inside a character leads.
#[derive(Clone, Copy)]
enum Inside {
    Before,
    After,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::unescape;

    #[test]
    fn only_the_span_changes() {
        let body = br#" { "a" : "one" , "b":2 } "#;
        let out = edit(body, &[Edit::json(21..22, "7"), Edit::text(10..13, "t\"wo\n")]).unwrap();
        assert_eq!(out, br#" { "a" : "t\"wo\n" , "b":7 } "#);
        assert_eq!(edit(body, &[]).unwrap(), body);
    }

    #[test]
    fn refuses_overlap_and_outside() {
        let edits = [Edit::text(0..3, ""), Edit::text(2..4, "")];
        assert_eq!(
            edit(b"abcdef", &edits),
            Err(EditError::Overlap {
                first: 0..3,
                second: 2..4
            })
        );
        assert_eq!(
            edit(b"abc", &[Edit::text(2..4, "")]),
            Err(EditError::Outside {
                span: 2..4,
                len_bytes: 3
            })
        );
    }

    #[test]
    fn raw_spans_follow_escapes() {
        let raw = r"é\n\u00e9\ud83d\ude00x";
        let text = unescape(raw);
        assert_eq!(text, "é\né😀x");
        let mut spans = RawSpans::of(raw, 100);
        assert_eq!(spans.span(0..2), Some(100..102));
        assert_eq!(spans.span(2..3), Some(102..104));
        assert_eq!(spans.span(3..5), Some(104..110));
        assert_eq!(spans.span(5..9), Some(110..122));
        assert_eq!(
            spans.span(6..7),
            Some(110..122),
            "inside a character: the whole of it"
        );
        assert_eq!(spans.span(9..10), Some(122..123));
        assert_eq!(spans.span(9..11), None);
        assert_eq!(spans.span(0..1), None, "ranges come in order");
    }

    #[test]
    fn ranges_inside_characters_widen() {
        for raw in ["aé😀z", r"aé😀z\n"] {
            let mut spans = RawSpans::of(raw, 0);
            assert_eq!(spans.span(2..4), Some(1..7), "{raw}");
            assert_eq!(spans.span(3..8), Some(3..8), "{raw}");
        }
        assert_eq!(RawSpans::of("é", 0).span(0..3), None);
        assert_eq!(RawSpans::of("", 5).span(0..0), Some(5..5));
    }

    #[test]
    fn plain_text_is_neither_unescaped_nor_escaped() {
        let body = r#"x=C:\\new path"#;
        let literal = crate::Literal::plain(&body[2..], 2);
        assert_eq!(literal.text(), r"C:\\new path");
        let mut spans = literal.raw_spans();
        let edits = [
            spans.edit(0..2, r#""\"#).unwrap(),
            spans.edit(7..8, "\n").unwrap(),
        ];
        let edited = edit(body.as_bytes(), &edits).unwrap();
        assert_eq!(std::str::from_utf8(&edited).unwrap(), "x=\"\\\\\\new\npath");
    }

    #[test]
    fn ranges_may_overlap() {
        let mut spans = RawSpans::of(r"\n\n\n\n", 0);
        assert_eq!(spans.span(0..4), Some(0..8));
        assert_eq!(spans.span(1..3), Some(2..6));
    }

    proptest! {
        #[test]
        fn any_range_of_any_text_maps_to_its_raw_bytes(
            pieces in prop::collection::vec(prop_oneof![
                Just(r"\n".to_owned()), Just(r"\u00e9".to_owned()), Just(r"\ud83d\ude00".to_owned()),
                Just(r"\ud83d".to_owned()), Just(r#"\""#.to_owned()), "[a-zé😀]{1,9}",
            ], 0..12),
            (a, b) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let raw = pieces.concat();
            let text = unescape(&raw);
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (a, b) = (*a.get(&bounds), *b.get(&bounds));
            let range = a.min(b)..a.max(b);
            let span = RawSpans::of(&raw, 0).span(range.clone()).unwrap();
            prop_assert_eq!(unescape(&raw[span.clone()]), &text[range.clone()]);
            // Replacing the span replaces the range.
            let edited = edit(raw.as_bytes(), &[Edit::text(span, "*")]).unwrap();
            let expected = format!("{}*{}", &text[..range.start], &text[range.end..]);
            prop_assert_eq!(unescape(std::str::from_utf8(&edited).unwrap()), expected);
        }
    }
}
