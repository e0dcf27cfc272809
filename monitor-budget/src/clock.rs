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

/// How often the wall clock is compared with calendar time, in milliseconds: a step is noticed this much later at most, and most
/// operations read one clock only.
const WALL_EVERY_MS: u64 = 100;

/// Longest time between the readings of both clocks in which they still belong together, in milliseconds: a thread that was stopped between
/// them would see a step that is none.
const SAME_MOMENT_MS: u64 = 100;

/// The monotonic clock, and the wall clock to be read beside it if it is needed.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'c> {
    pub(crate) monotonic_ms: u64,
    clock: &'c dyn Clock,
}

impl<'c> Reading<'c> {
    pub(crate) fn of(clock: &'c dyn Clock) -> Self {
        Self {
            monotonic_ms: clock.monotonic_ms(),
            clock,
        }
    }

    /// The wall clock now.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The wall clock, if it could be read at the moment of this reading.
    fn unix_ms_then(&self) -> Option<u64> {
        let unix_ms = self.clock.now_ms();
        let took_ms = self.clock.monotonic_ms().saturating_sub(self.monotonic_ms);
        (took_ms < SAME_MOMENT_MS).then_some(unix_ms)
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
    /// Ledger time at which the wall clock is looked at again.
    wall_due_ms: u64,
}

impl TimeLine {
    /// A time line that shows `ledger_ms` while the clocks show `reading`.
    pub(crate) fn starting_at(ledger_ms: u64, reading: Reading<'_>) -> Self {
        Self {
            base_ms: ledger_ms,
            base_monotonic_ms: reading.monotonic_ms,
            last_ms: ledger_ms,
            ahead_ms: ahead(ledger_ms, reading.unix_ms()),
            wall_due_ms: 0,
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

    /// What the wall clock shows, if calendar time has to follow it.
    pub(crate) fn stepped_to(&mut self, ledger_ms: u64, reading: Reading<'_>) -> Option<u64> {
        if ledger_ms < self.wall_due_ms {
            return None;
        }
        let unix_ms = reading.unix_ms_then()?;
        self.wall_due_ms = ledger_ms.saturating_add(WALL_EVERY_MS);
        let away_ms = self.moment(ledger_ms).calendar_ms.abs_diff(unix_ms);
        (away_ms >= CLOCK_STEP_MS).then_some(unix_ms)
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
