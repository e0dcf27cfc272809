//! Counting, by reason.

use monitor_common::Reason;

use crate::maps::COUNTERS;

/// Raises the counter of a reason. Per CPU, so that no update is lost to another one.
#[inline(always)]
pub(crate) fn count(reason: Reason) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: a per-CPU slot of our own type, checked for null above.
        unsafe { *counter += 1 };
    }
}
