//! Not asking what does not answer.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Failures in a row after which it is not asked.
const FAILURES: u32 = 5;
/// For so long; then one question tries again.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    paused_until: Option<Instant>,
}

impl Breaker {
    /// Whether to ask now.
    pub(super) fn admits(&self) -> bool {
        self.admits_at(Instant::now())
    }

    fn admits_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock();
        match state.paused_until {
            Some(until) if now < until => false,
            Some(_) => {
                // One tries; the others wait for what becomes of it.
                state.paused_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// It has answered.
    pub(super) fn succeeded(&self) {
        *self.0.lock() = State::default();
    }

    /// It has not. Whether the pause begins here.
    pub(super) fn failed(&self) -> bool {
        self.failed_at(Instant::now())
    }

    fn failed_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return false;
        }
        let begins = state.paused_until.is_none();
        state.paused_until = Some(now + PAUSE);
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pauses_after_failures_in_a_row_and_tries_again_with_one() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..FAILURES - 1 {
            assert!(!breaker.failed_at(now));
        }
        breaker.succeeded();
        for _ in 0..FAILURES - 1 {
            assert!(!breaker.failed_at(now));
            assert!(breaker.admits_at(now));
        }
        assert!(breaker.failed_at(now));
        assert!(!breaker.admits_at(now + PAUSE / 2));
        assert!(breaker.admits_at(now + PAUSE));
        assert!(!breaker.admits_at(now + PAUSE));
        assert!(!breaker.failed_at(now + PAUSE), "told once");
        assert!(breaker.admits_at(now + 2 * PAUSE));
        breaker.succeeded();
        assert!(breaker.admits_at(now + 2 * PAUSE));
    }
}
