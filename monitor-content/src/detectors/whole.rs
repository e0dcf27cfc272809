//! Scanning a text that is there as a whole.
//!
//! 1. The text is folded, and every engine reads it from end to end.
//! 2. Where letters are spaced out, the words they spell are read as well; there, only what a validator could check counts.
//! 3. Base64 that stands for text is read as that text, in the same way, up to [`MAX_LAYERS`] deep.
//! 4. The model of prompt injections reads each of these as well.
//! 5. All that is found is led back to the original text, put in order and made disjoint.

use super::{Detectors, Progress};
use crate::Finding;
use crate::finding::{Ahead, Merge};
use crate::fold::{Encoded, Folded};
use crate::injection;

/// Findings of one text: more than a document has, few enough to keep and to replace. With more, the scan is
/// [`Scanned::Limited`] and the first ones are reported.
pub const MAX_FINDINGS: usize = 10_000;

/// The longest text that is read, in bytes. Offsets of folded text are kept in 32 bits.
const MAX_TEXT_BYTES: usize = u32::MAX as usize;

/// Least confidence of a finding in spaced-out letters: a row of single digits has the format of many things.
const SPACED_CONFIDENCE_PERCENT: u8 = 85;

/// Layers of base64 that are read, one within the other. Each has three quarters of the bytes of the one around it, so that
/// all are read in less than four times the work. A text with more is [`Scanned::Limited`].
pub const MAX_LAYERS: usize = 4;

/// Whether a scan could do all of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a limited scan may have missed something, and policy says what follows"]
pub enum Scanned {
    /// All of the text was read, and all that was found is reported.
    Whole,
    /// A bound was met: the text is longer than is read, is encoded more often than is decoded, or has more findings than
    /// are reported.
    Limited,
}

impl Detectors {
    /// Appends the findings of a whole text to `out`: in order, disjoint, on character boundaries, at most
    /// [`MAX_FINDINGS`].
    pub fn scan(&self, text: &str, out: &mut Vec<Finding>) -> Scanned {
        if text.len() > MAX_TEXT_BYTES {
            return Scanned::Limited;
        }
        let first = out.len();
        let scanned = self.read(text, MAX_LAYERS, out);
        let wide: Vec<_> = out.extract_if(first.., is_wide).collect();
        in_order(first, out);
        if !wide.is_empty() {
            give_way(out, first, wide);
        }
        if out.len() - first > MAX_FINDINGS {
            out.truncate(first + MAX_FINDINGS);
            return Scanned::Limited;
        }
        scanned
    }

    /// Appends what is found in `text`, with offsets in it, in any order; `layers` of base64 may be read.
    fn read(&self, text: &str, layers: usize, out: &mut Vec<Finding>) -> Scanned {
        let first = out.len();
        let folded = Folded::of(text);
        self.advance(folded.text(), &mut Progress::default(), Ahead::Nothing, out);
        let scanned = self.read_encoded(folded.text(), layers, out);
        // An engine that stops at its bound may do so within a character.
        if !text.is_ascii() {
            for finding in out.iter_mut().skip(first) {
                *finding = finding.at(folded.original(finding.start..finding.end));
            }
        }
        if let Some(injection) = &self.injection {
            injection.scan(&folded, out);
        }
        let Some(joined) = folded.joined() else {
            return scanned;
        };
        for run in joined.runs() {
            let spaced = out.len();
            let words = joined.text().get(run.clone()).unwrap_or_default();
            self.advance(words, &mut Progress::default(), Ahead::Nothing, out);
            let mut kept = spaced;
            for at in spaced..out.len() {
                let finding = out[at];
                if finding.confidence_percent >= SPACED_CONFIDENCE_PERCENT {
                    let span = run.start + finding.start..run.start + finding.end;
                    out[kept] = finding.at(joined.original(span));
                    kept += 1;
                }
            }
            out.truncate(kept);
        }
        scanned
    }

    /// Appends what is found in the base64 of `text`, in any order.
    fn read_encoded(&self, text: &str, layers: usize, out: &mut Vec<Finding>) -> Scanned {
        let (mut at, mut scanned) = (0, Scanned::Whole);
        while let Some(encoded) = Encoded::next(text, &mut at) {
            let Some(layers) = layers.checked_sub(1) else {
                return Scanned::Limited;
            };
            let first = out.len();
            if self.read(encoded.text(), layers, out) == Scanned::Limited {
                scanned = Scanned::Limited;
            }
            for finding in out.iter_mut().skip(first) {
                *finding = finding.at(encoded.original(finding.start..finding.end));
            }
            if out.len() - first > MAX_FINDINGS {
                in_order(first, out);
            }
        }
        scanned
    }
}

/// Puts the findings from `first` on in order and makes them disjoint.
fn in_order(first: usize, out: &mut Vec<Finding>) {
    if let Some(new) = out.get_mut(first..) {
        new.sort_by_key(Merge::rank);
    }
    let mut merge = Merge::default();
    let mut kept = first;
    for at in first..out.len() {
        if let Some(finding) = merge.admit(out[at]) {
            out[kept] = finding;
            kept += 1;
        }
    }
    out.truncate(kept);
}

/// Whether it may be a whole paragraph.
fn is_wide(finding: &mut Finding) -> bool {
    finding.detector == injection::DESCRIBED.name
}

/// Cuts what others have found, from `first` on, out of paragraphs, so that these hide no card or key, and brings all of
/// them in order.
fn give_way(out: &mut Vec<Finding>, first: usize, mut paragraphs: Vec<Finding>) {
    let mut others = out.split_off(first);
    paragraphs.sort_by_key(Merge::rank);
    let mut narrow = others.iter().peekable();
    let mut floor = 0;
    for paragraph in paragraphs {
        let mut start = paragraph.start.max(floor);
        while let Some(other) = narrow.next_if(|other| other.start < paragraph.end) {
            if start < other.start {
                out.push(Finding {
                    start,
                    end: other.start,
                    ..paragraph
                });
            }
            start = start.max(other.end);
            floor = floor.max(other.end);
        }
        if start < paragraph.end {
            out.push(Finding { start, ..paragraph });
        }
        floor = floor.max(paragraph.end);
    }
    out.append(&mut others);
    if let Some(new) = out.get_mut(first..) {
        new.sort_by_key(Merge::rank);
    }
}
