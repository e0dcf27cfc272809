//! Time as a value, so that windows are tested without sleeping, and the ledger's own time line.
//!
//! Windows run on *ledger time*: it starts at the wall clock when the ledger is first opened and from then on
//! advances with the monotonic clock alone. A wall clock stepped while the agent runs (NTP, an operator) therefore
//! neither frees nor freezes a budget. Only the time between two runs is taken from the wall clock: forwards it is
//! believed (nothing else can tell an outage from a step), backwards it counts as no time at all.
//!
//! Calendar windows run on *calendar time*, which is ledger time and an offset. The offset follows the wall clock where that is
//! [`CLOCK_STEP_MS`] or more away; each such step is a record of the journal, so that replay sees the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the ledger takes its time from.
pub trait Clock: Send + Sync {
    /// Wall clock in Unix milliseconds. May step in either direction.
    fn now_ms(&self) -> u64;

    /// Milliseconds since an arbitrary start, never stepped and never going back within one process.
    fn monotonic_ms(&self) -> u64;
}

/// Difference between the wall clock and calendar time from which calendar time follows, in milliseconds: the most by which
/// the border of a calendar window is missed.
pub(crate) const CLOCK_STEP_MS: u64 = 1_000;

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) monotonic_ms: u64,
    pub(crate) unix_ms: u64,
}

impl Reading {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            monotonic_ms: clock.monotonic_ms(),
            unix_ms: clock.now_ms(),
        }
    }
}

/// A moment on both of the ledger's time lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) ledger_ms: u64,
    pub(crate) calendar_ms: u64,
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

/// Ledger time: a base taken once, moved on by the monotonic clock, never back. And what calendar time is ahead of it.
#[derive(Debug, Clone)]
pub(crate) struct TimeLine {
    base_ms: u64,
    base_monotonic_ms: u64,
    last_ms: u64,
    /// Calendar time less ledger time.
    ahead_ms: i64,
}

impl TimeLine {
    /// A time line that shows `ledger_ms` while the clocks show `reading`.
    pub(crate) fn starting_at(ledger_ms: u64, reading: Reading) -> Self {
        Self {
            base_ms: ledger_ms,
            base_monotonic_ms: reading.monotonic_ms,
            last_ms: ledger_ms,
            ahead_ms: ahead(ledger_ms, reading.unix_ms),
        }
    }

    /// Ledger time for a monotonic reading, which another thread may have overtaken since it was taken.
    pub(crate) fn at(&mut self, monotonic_ms: u64) -> u64 {
        let passed = monotonic_ms.saturating_sub(self.base_monotonic_ms);
        self.last_ms = self.last_ms.max(self.base_ms.saturating_add(passed));
        self.last_ms
    }

    /// The moment of a ledger time.
    pub(crate) fn moment(&self, ledger_ms: u64) -> Moment {
        moment(ledger_ms, self.ahead_ms)
    }

    /// Calendar time less ledger time.
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.ahead_ms
    }

    /// Whether calendar time has to follow a wall clock that shows `unix_ms`.
    pub(crate) fn has_stepped(&self, ledger_ms: u64, unix_ms: u64) -> bool {
        self.moment(ledger_ms).calendar_ms.abs_diff(unix_ms) >= CLOCK_STEP_MS
    }

    /// Sets calendar time by the wall clock.
    pub(crate) fn step(&mut self, ledger_ms: u64, unix_ms: u64) {
        self.ahead_ms = ahead(ledger_ms, unix_ms);
    }
}

/// The moment of a ledger time while calendar time is `ahead_ms` ahead.
pub(crate) fn moment(ledger_ms: u64, ahead_ms: i64) -> Moment {
    Moment {
        ledger_ms,
        calendar_ms: ledger_ms.saturating_add_signed(ahead_ms),
    }
}

/// How far a wall clock is ahead of ledger time.
pub(crate) fn ahead(ledger_ms: u64, unix_ms: u64) -> i64 {
    unix_ms.wrapping_sub(ledger_ms).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_time_ignores_wall_steps_and_late_readings() {
        let clock = ManualClock::new(1_000_000);
        let mut line = TimeLine::starting_at(clock.now_ms(), Reading::of(&clock));
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
