//! One pass over the digits of a text, for every detector whose findings are led by a group of digits.
//!
//! 1. The pass stops at each group of digits and reads the run of groups that starts there, once for all readers.
//! 2. Each [`Reader`] judges that run by itself: neither what it found before nor where the pass began matters.

use super::Engine;
use super::groups::{Run, next_group};
use crate::Finding;
use crate::finding::Ahead;

/// What a reader says about one run.
pub(super) enum Reading {
    /// Nothing of it.
    Not,
    /// The bytes at hand do not decide. Only for [`Ahead::Wait`].
    Undecided,
    /// A finding that starts where [`Reader::lead`] says, or later.
    Found(Finding),
}

/// A detector that is led by digits.
pub(super) trait Reader: std::fmt::Debug + Send + Sync {
    /// Where a finding would start whose first group of digits starts at `at`: at a `+`, a bracket or a few letters
    /// before it. There are no digits in between. Also asked at the end of a text, for digits that may still come; a
    /// part of what may lead counts then.
    fn lead(&self, text: &[u8], at: usize) -> usize;

    /// Judges the run of groups that starts at the offset `at`.
    fn read(&self, text: &[u8], at: usize, run: &Run, ahead: Ahead) -> Reading;
}

/// Finds what its readers do.
#[derive(Debug)]
pub(super) struct Numbers {
    readers: Vec<Box<dyn Reader>>,
}

impl Numbers {
    /// `None` when there is nothing to read for.
    pub(super) fn new(readers: Vec<Box<dyn Reader>>) -> Option<Self> {
        (!readers.is_empty()).then_some(Self { readers })
    }

    fn lead(&self, text: &[u8], at: usize) -> usize {
        self.readers
            .iter()
            .map(|reader| reader.lead(text, at))
            .fold(at, usize::min)
    }
}

impl Engine for Numbers {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(start) = next_group(text, at) {
            let run = Run::read(text, start, ahead);
            if run.open {
                return self.lead(text, start).max(from);
            }
            let decided = out.len();
            for reader in &self.readers {
                match reader.read(text, start, &run, ahead) {
                    Reading::Not => {}
                    Reading::Found(finding) => out.push(finding),
                    Reading::Undecided => {
                        // What the others found here is found again when more has come.
                        out.truncate(decided);
                        return self.lead(text, start).max(from);
                    }
                }
            }
            at = start + 1;
        }
        if ahead == Ahead::Wait {
            self.lead(text, text.len()).max(from)
        } else {
            text.len()
        }
    }
}
