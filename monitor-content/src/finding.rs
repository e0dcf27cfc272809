//! One place in a text that a detector claims.

use std::ops::Range;

/// A span of text claimed by one detector. It never carries the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The detector's name, such as `pii.credit_card`.
    pub detector: &'static str,
    /// Byte offset of the first byte, on a character boundary.
    pub start: usize,
    /// Byte offset after the last byte, on a character boundary.
    pub end: usize,
    /// How sure the rule is, 0 to 100. It depends on the rule and what its validator could check.
    pub confidence_percent: u8,
    /// What the rule saw, in one fixed phrase: `issuer range, length and Luhn check digit`.
    pub explanation: &'static str,
    /// The span goes on with the finding reported just before it, which ends where this one starts, but for characters
    /// nobody sees.
    ///
    /// Only a [`Window`](crate::Window) reports this, for a secret longer than it may hold: the rest of the
    /// secret is neither a new finding nor worth a second placeholder.
    pub continued: bool,
}

impl Finding {
    /// The same at another place.
    pub(crate) fn at(self, span: Range<usize>) -> Self {
        Self {
            start: span.start,
            end: span.end,
            ..self
        }
    }
}

/// Whether text follows the bytes at hand, and what to do about a match that touches their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// The text ends here.
    Nothing,
    /// More may come: leave undecided what it could change.
    Wait,
    /// More may come, but decide now as if it did not.
    Cut,
}

/// Puts findings in order and makes them disjoint: the one that starts first (then the longest, then the
/// surest) keeps its span, what reaches beyond it keeps its remainder, so that no claimed byte is lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merge {
    /// Offset after the last byte that is already claimed or released.
    pub(crate) floor: usize,
    last: Option<(&'static str, usize)>,
}

impl Merge {
    /// What to sort findings by: of two that claim the same span the surer one comes first.
    pub(crate) fn rank(finding: &Finding) -> (usize, usize, u8, &'static str) {
        let doubt = u8::MAX - finding.confidence_percent;
        (finding.start, usize::MAX - finding.end, doubt, finding.detector)
    }

    /// Admits the next finding in order; `None` when all of it is claimed already.
    pub(crate) fn admit(&mut self, finding: Finding) -> Option<Finding> {
        if finding.end <= self.floor {
            return None;
        }
        let start = finding.start.max(self.floor);
        // Where a secret was cut, characters that are dropped may lie between its pieces.
        let goes_on = |(detector, end)| detector == finding.detector && end <= start;
        let continued = finding.continued && self.last.is_some_and(goes_on);
        self.floor = finding.end;
        self.last = Some((finding.detector, finding.end));
        Some(Finding {
            start,
            continued,
            ..finding
        })
    }
}
