//! From scores to findings.

use std::ops::Range;

use super::model::Head;
use super::reader::{Check, Reader};
use super::spans::{Recent, Span};
use crate::detectors::Described;
use crate::finding::Finding;
use crate::{Folded, Profile};

pub(crate) const DESCRIBED: Described = Described {
    name: "prompt_injection",
    placeholder: "[REDACTED:prompt_injection]",
};

/// A finding starts and ends at a sentence's border if there is one in so many bytes.
const SENTENCE_BYTES: usize = 240;

/// The detector for text of one origin.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    head: &'static Head,
    /// Scores from here on, without bias, are findings.
    least_score: f64,
}

/// A stretch of folded text whose spans are over the threshold and overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f64,
}

impl Injection {
    /// The detector for this origin; findings have at least this confidence, `None` for the model's own threshold.
    pub(crate) fn new(profile: Profile, min_confidence_percent: Option<u8>) -> Self {
        let head = Head::of(profile);
        let least = min_confidence_percent.map_or(head.threshold(), |percent| f64::from(percent) / 100.0);
        Self {
            head,
            least_score: head.score_of(least),
        }
    }

    pub(super) fn head(&self) -> &'static Head {
        self.head
    }

    /// Appends the findings of a whole text.
    pub(crate) fn scan(&self, text: &Folded<'_>, out: &mut Vec<Finding>) {
        let first = out.len();
        self.stretches(text.text(), |s| {
            let span = sentences(text.text(), s.start, s.end);
            out.push(self.finding(text.original(span), s.score));
        });
        if let Some(joined) = text.joined() {
            let read = out.len();
            self.stretches(joined.text(), |s| {
                let span = joined.original(sentences(joined.text(), s.start, s.end));
                let known = |f: &Finding| f.start < span.end && span.start < f.end;
                if !out[first..read].iter().any(known) {
                    out.push(self.finding(span, s.score));
                }
            });
        }
    }

    pub(super) fn finding(&self, span: Range<usize>, score: f64) -> Finding {
        let probability = self.head.probability(score + self.head.bias());
        Finding {
            detector: DESCRIBED.name,
            start: span.start,
            end: span.end,
            // Rounded down: a finding never claims the confidence that a policy asks for without having it. A model is never
            // sure.
            confidence_percent: ((probability * 100.0 + 1e-3) as u8).min(99),
            explanation: "wording of instructions to an assistant, by a trained model",
            continued: false,
        }
    }

    /// Shows the stretches of a folded text over the threshold, in order and disjoint.
    fn stretches(&self, folded: &str, mut see: impl FnMut(Stretch)) {
        let mut recent = Recent::default();
        let mut reader = Reader::default();
        let mut open: Option<Stretch> = None;
        let mut on_check = |check: Check| {
            if let Some(new) = self.worst(&mut recent, check) {
                open = Some(match open {
                    Some(old) if new.start <= old.end => Stretch {
                        start: old.start.min(new.start),
                        end: old.end.max(new.end),
                        score: old.score.max(new.score),
                    },
                    old => {
                        if let Some(old) = old {
                            see(old);
                        }
                        new
                    }
                });
            }
        };
        reader.read(self.head, folded.as_bytes(), &mut on_check);
        reader.finish(self.head, &mut on_check);
        if let Some(last) = open {
            see(last);
        }
    }

    /// The shortest span over the threshold that ends at this checkpoint, without its harmless ends, with the worst score
    /// of all that end there.
    pub(super) fn worst(&self, recent: &mut Recent, check: Check) -> Option<Stretch> {
        let mut shortest: Option<Span> = None;
        let mut score = f64::MIN;
        recent.push(self.head, check, |span| {
            score = score.max(span.score);
            if shortest.is_none() && span.score >= self.least_score {
                shortest = Some(span);
            }
        });
        let span = shortest?;
        let (mut start, mut end) = (span.back, 0);
        while start > end + 1 && recent.before(start - 1).sum <= recent.before(start).sum {
            start -= 1;
        }
        while end + 1 < start && recent.before(end).sum <= recent.before(end + 1).sum {
            end += 1;
        }
        Some(Stretch {
            start: recent.before(start).at,
            end: recent.before(end).at,
            score,
        })
    }
}

/// The span out to the borders of sentences, where they are near.
fn sentences(text: &str, start: usize, end: usize) -> Range<usize> {
    let ends = |byte: &u8| matches!(byte, b'.' | b'!' | b'?' | b'\n' | b'>' | b'"');
    let bytes = text.as_bytes();
    let low = start.saturating_sub(SENTENCE_BYTES);
    let before = bytes.get(low..start).unwrap_or_default();
    let from = match before.iter().rposition(ends) {
        Some(n) => low + n + 1,
        None if low == 0 => 0,
        None => start,
    };
    let blank = bytes.get(from..end).unwrap_or_default();
    let from = from + blank.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let after = bytes
        .get(end..(end + SENTENCE_BYTES).min(bytes.len()))
        .unwrap_or_default();
    let to = match after.iter().position(ends) {
        Some(n) => end + n + 1,
        None if end + after.len() == bytes.len() => bytes.len(),
        None => end,
    };
    from.min(end)..to
}
