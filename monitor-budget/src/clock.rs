//! Time as a value, so that windows are tested without sleeping, and the ledger's own time line.
//!
//! Windows run on *ledger time*: it starts at the wall clock when the ledger is first opened and from then on
//! advances with the monotonic clock alone. A wall clock stepped while the agent runs (NTP, an operator) therefore
//! neither frees nor freezes a budget. Only the time between two runs is taken from the wall clock: forwards it is
//! believed (nothing else can tell an outage from a step), backwards it counts as no time at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the ledger takes its time from.
pub trait Clock: Send + Sync {
    /// Wall clock in Unix milliseconds. May step in either direction.
    fn now_ms(&self) -> u64;

    /// Milliseconds since an arbitrary start, never stepped and never going back within one process.
    fn monotonic_ms(&self) -> u64;
}

/// The host's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic part starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock moved by hand.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `unix_ms` until it is moved.
    #[must_use]
    pub fn new(unix_ms: u64) -> Self {
        Self {
            wall_ms: AtomicU64::new(unix_ms),
            monotonic_ms: AtomicU64::new(0),
        }
    }

    /// Lets `ms` milliseconds pass on both clocks.
    pub fn advance_ms(&self, ms: u64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Steps the wall clock to `unix_ms` while no time passes.
    pub fn step_wall_to_ms(&self, unix_ms: u64) {
        self.wall_ms.store(unix_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms.load(Ordering::SeqCst)
    }
}

/// Ledger time: a base taken once, moved on by the monotonic clock, never back.
#[derive(Debug)]
pub(crate) struct TimeLine {
    base_ms: u64,
    base_monotonic_ms: u64,
    last_ms: u64,
}

impl TimeLine {
    /// A time line that shows `ledger_ms` while the monotonic clock shows `monotonic_ms`.
    pub(crate) fn starting_at(ledger_ms: u64, monotonic_ms: u64) -> Self {
        Self {
            base_ms: ledger_ms,
            base_monotonic_ms: monotonic_ms,
            last_ms: ledger_ms,
        }
    }

    /// Ledger time for a monotonic reading, which another thread may have overtaken since it was taken.
    pub(crate) fn at(&mut self, monotonic_ms: u64) -> u64 {
        let passed = monotonic_ms.saturating_sub(self.base_monotonic_ms);
        self.last_ms = self.last_ms.max(self.base_ms.saturating_add(passed));
        self.last_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_time_ignores_wall_steps_and_late_readings() {
        let clock = ManualClock::new(1_000_000);
        let mut line = TimeLine::starting_at(clock.now_ms(), clock.monotonic_ms());
        clock.advance_ms(500);
        assert_eq!(line.at(clock.monotonic_ms()), 1_000_500);
        clock.step_wall_to_ms(9_000_000);
        assert_eq!(line.at(clock.monotonic_ms()), 1_000_500);
        clock.step_wall_to_ms(1);
        clock.advance_ms(500);
        assert_eq!(line.at(clock.monotonic_ms()), 1_001_000);
        assert_eq!(line.at(300), 1_001_000);
    }
}
