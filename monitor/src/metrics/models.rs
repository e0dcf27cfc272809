//! The cut-off for labels that workloads choose.

use std::collections::HashSet;

use parking_lot::Mutex;

use super::MAX_MODEL_LABELS;

/// The models seen, up to [`MAX_MODEL_LABELS`].
#[derive(Debug, Default)]
pub(super) struct Models(Mutex<HashSet<Box<str>>>);

impl Models {
    /// Whether `model` may be a label: it is known, or there is room for one more.
    pub(super) fn admits(&self, model: &str) -> bool {
        let mut seen = self.0.lock();
        if seen.contains(model) {
            return true;
        }
        let room = seen.len() < MAX_MODEL_LABELS;
        if room {
            seen.insert(model.into());
        }
        room
    }
}
