//! The way back from folded text to the original.

use std::ops::Range;

/// From `folded` on, each `unit_folded` bytes stand for `unit_original` bytes from `original` on; till the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    folded: u32,
    original: u32,
    unit_folded: u8,
    unit_original: u8,
}

/// Maps offsets of a folded text. Without a step every offset is its own.
///
/// One step costs twelve bytes, and each takes at least one character that is not ASCII, so that a map is never more than
/// some times its text.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    steps: Vec<Step>,
}

/// Offsets are kept in 32 bits: longer texts are not read by this crate.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Map {
    /// Takes note that the folded bytes from `folded` on, `units.0` at a time, stand for `units.1` bytes each from
    /// `original` on.
    #[inline]
    pub(super) fn note(&mut self, folded: usize, original: usize, units: (usize, usize)) {
        let step = Step {
            folded: offset(folded),
            original: offset(original),
            unit_folded: units.0 as u8,
            unit_original: units.1 as u8,
        };
        if self.steps.is_empty() && units == (1, 1) && folded == original {
            return;
        }
        if let Some(last) = self.steps.last()
            && (last.unit_folded, last.unit_original) == (step.unit_folded, step.unit_original)
            && last.source(step.folded).start == step.original
        {
            return;
        }
        if let Some(last) = self.steps.last_mut()
            && last.folded == step.folded
        {
            *last = step;
            return;
        }
        self.steps.push(step);
    }

    /// The original bytes that the folded byte at `at` stands for.
    fn source(&self, at: usize) -> Range<usize> {
        let at = offset(at);
        let after = self.steps.partition_point(|step| step.folded <= at);
        match after.checked_sub(1).and_then(|last| self.steps.get(last)) {
            Some(step) => {
                let source = step.source(at);
                source.start as usize..source.end as usize
            }
            None => at as usize..at as usize + 1,
        }
    }

    /// Where the source of the folded byte at `at` starts.
    pub(super) fn start(&self, at: usize) -> usize {
        self.source(at).start
    }

    /// The original bytes of `range`: from the start of the first source to the end of the last, with all that was dropped
    /// between. An empty range is where the source of its offset starts.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.start(range.start);
        match range.end.checked_sub(1) {
            Some(last) if last >= range.start => start..self.source(last).end,
            _ => start..start,
        }
    }

    /// Forgets the first `folded` bytes: what follows is counted from there, and original offsets from `original`.
    pub(super) fn rebase(&mut self, folded: usize, original: usize) {
        let (folded, original) = (offset(folded), offset(original));
        let after = self.steps.partition_point(|step| step.folded <= folded);
        self.steps.drain(..after.saturating_sub(1));
        if after > 0 {
            self.begin_at(folded);
        }
        for step in &mut self.steps {
            step.folded = step.folded.saturating_sub(folded);
            step.original = step.original.saturating_sub(original);
        }
    }

    /// Lets the first step begin at `folded`; a unit that lies across is one of its own from there.
    fn begin_at(&mut self, folded: u32) {
        let next = self.steps.get(1).map_or(u32::MAX, |step| step.folded);
        let Some(first) = self.steps.first_mut() else {
            return;
        };
        let unit = u32::from(first.unit_folded.max(1));
        let (units, part) = ((folded - first.folded) / unit, (folded - first.folded) % unit);
        first.original += units * u32::from(first.unit_original);
        first.folded = folded;
        if part > 0 {
            let mut rest = *first;
            rest.folded += unit - part;
            rest.original += u32::from(rest.unit_original);
            first.unit_folded -= part as u8;
            if rest.folded < next {
                self.steps.insert(1, rest);
            }
        }
    }
}

impl Step {
    fn source(&self, at: u32) -> Range<u32> {
        let units = (at - self.folded) / u32::from(self.unit_folded.max(1));
        let start = self.original + units * u32::from(self.unit_original);
        start..start + u32::from(self.unit_original)
    }
}
