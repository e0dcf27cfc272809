//! One place in a text that a detector claims.

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
    /// The span goes on with the finding reported just before it, which ends where this one starts.
    ///
    /// Only a [`Window`](crate::Window) reports this, for a secret longer than it may hold: the rest of the
    /// secret is neither a new finding nor worth a second placeholder.
    pub continued: bool,
}

impl Finding {
    pub(crate) fn shifted(self, offset: usize) -> Self {
        Self {
            start: self.start + offset,
            end: self.end + offset,
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

/// Puts findings in order and makes them disjoint: the one that starts first (then the longest) keeps its
/// span, what reaches beyond it keeps its remainder, so that no claimed byte is lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merge {
    /// Offset after the last byte that is already claimed or released.
    pub(crate) floor: usize,
    last: Option<(&'static str, usize)>,
}

impl Merge {
    /// What to sort findings by.
    pub(crate) fn rank(finding: &Finding) -> (usize, usize, &'static str) {
        (finding.start, usize::MAX - finding.end, finding.detector)
    }

    /// Admits the next finding in order; `None` when all of it is claimed already.
    pub(crate) fn admit(&mut self, finding: Finding) -> Option<Finding> {
        if finding.end <= self.floor {
            return None;
        }
        let start = finding.start.max(self.floor);
        let continued = finding.continued && self.last == Some((finding.detector, start));
        self.floor = finding.end;
        self.last = Some((finding.detector, finding.end));
        Some(Finding {
            start,
            continued,
            ..finding
        })
    }
}
