//! The compiled set of detectors a policy selected.
//!
//! Each engine has a prefilter that passes over text without candidates at memory speed, and a validator that
//! looks at a bounded number of bytes round a candidate. That bound is part of the rule: whether a span is a
//! finding never depends on a byte more than [`LOOK_BYTES`] after its start, so a stream that holds so much
//! decides exactly as a scan of the whole text does. A finding itself may be longer; it then goes on for as
//! long as its characters do.

mod card;
mod catalog;
mod email;
mod key;
mod key_rules;
mod private_key;

use key::{KeyEngine, OpenRun};

use crate::Finding;
use crate::finding::{Ahead, Merge};

pub use catalog::{known_names, placeholder};

/// Most bytes after a candidate's start that decide about it. Longer than any card, address or issuer prefix
/// with enough of its body to judge; shorter than [`MAX_HOLD_BYTES`](crate::MAX_HOLD_BYTES) by a margin for
/// the byte that ends a run.
pub(crate) const LOOK_BYTES: usize = 254;

/// Bytes before an undecided candidate that its left side may depend on: an e-mail local part, at most.
pub(crate) const CONTEXT_BYTES: usize = email::MAX_LOCAL_BYTES + crate::bytes::ESCAPE_BYTES;

/// A pattern that selects no detector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no detector is called '{pattern}'; known are: {}", known.join(", "))]
pub struct UnknownDetector {
    /// The pattern as it was given.
    pub pattern: String,
    /// Every name there is.
    pub known: Vec<&'static str>,
}

/// A compiled, immutable set of detectors; share it by `Arc`.
#[derive(Debug)]
pub struct Detectors {
    card: bool,
    email: bool,
    keys: Option<KeyEngine>,
}

/// Where each engine goes on reading, as offsets into the bytes at hand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    card: usize,
    email: usize,
    keys: usize,
    /// A secret whose end has not come yet.
    open: Option<OpenRun>,
}

impl Progress {
    /// The detector whose secret goes on in text still to come.
    pub(crate) fn open_detector(&self) -> Option<&'static str> {
        self.open.as_ref().map(OpenRun::detector)
    }

    /// The first byte some engine has not decided about.
    pub(crate) fn decided(&self) -> usize {
        self.card.min(self.email).min(self.keys)
    }

    /// The same after `bytes` were dropped from the front.
    pub(crate) fn rebased(self, bytes: usize) -> Self {
        Self {
            card: self.card.saturating_sub(bytes),
            email: self.email.saturating_sub(bytes),
            keys: self.keys.saturating_sub(bytes),
            ..self
        }
    }
}

impl Detectors {
    /// Compiles the detectors that `patterns` select: a name (`pii.email`), a family (`secret.*`) or `*`.
    ///
    /// # Errors
    ///
    /// [`UnknownDetector`] for the first pattern that selects nothing.
    pub fn compile<P: AsRef<str>>(patterns: &[P]) -> Result<Self, UnknownDetector> {
        let mut selected = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let before = selected.len();
            selected.extend(known_names().filter(|name| selects(pattern, name)));
            if selected.len() == before {
                let known = known_names().collect();
                return Err(UnknownDetector {
                    pattern: pattern.to_owned(),
                    known,
                });
            }
        }
        Ok(Self {
            card: selected.contains(&card::NAME),
            email: selected.contains(&email::NAME),
            keys: KeyEngine::compile(&selected),
        })
    }

    /// Appends the findings of a whole text to `out`: in order, disjoint, on character boundaries.
    pub fn scan(&self, text: &str, out: &mut Vec<Finding>) {
        let first = out.len();
        self.advance(text.as_bytes(), &mut Progress::default(), Ahead::Nothing, out);
        if out.len() > first + 1 {
            if let Some(new) = out.get_mut(first..) {
                new.sort_by_key(Merge::rank);
            }
            let mut merge = Merge::default();
            let mut kept = first;
            for i in first..out.len() {
                if let Some(finding) = merge.admit(out[i]) {
                    out[kept] = finding;
                    kept += 1;
                }
            }
            out.truncate(kept);
        }
    }

    /// Runs every engine from where it stopped and appends its candidates, ordered within each engine only.
    pub(crate) fn advance(&self, text: &[u8], at: &mut Progress, ahead: Ahead, out: &mut Vec<Finding>) {
        at.card = if self.card {
            card::scan(text, at.card, ahead, out)
        } else {
            text.len()
        };
        at.email = if self.email {
            email::scan(text, at.email, ahead, out)
        } else {
            text.len()
        };
        at.keys = match &self.keys {
            Some(keys) => keys.scan(text, at.keys, ahead, &mut at.open, out),
            None => text.len(),
        };
    }
}

fn selects(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with('.') && name.starts_with(family),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests;
