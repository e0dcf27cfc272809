//! Times since the machine's start as times of day.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::kernel::boottime_ns;

/// When the machine was started, as its clock says now. It is read once, so that one process has one start time however
/// the clock is set later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    boot_unix_ms: u64,
}

impl Epoch {
    /// By the clocks as they are.
    pub(super) fn now() -> Self {
        let unix_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Self {
            boot_unix_ms: unix_ms.saturating_sub(boottime_ns() / 1_000_000),
        }
    }

    /// Nanoseconds of `CLOCK_BOOTTIME` as Unix milliseconds.
    pub(super) fn unix_ms(self, boottime_ns: u64) -> u64 {
        self.boot_unix_ms.saturating_add(boottime_ns / 1_000_000)
    }
}
