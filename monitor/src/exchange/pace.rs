//! Pacing a streamed answer: a pause after each event, as long as its tokens take at the rate that policy gives.
//!
//! 1. [`Pace::passed`] says until when the stream pauses after an event. What comes next, terminal events and errors too, waits
//!    that long and no longer; a stream that is slower by itself is never held up.
//! 2. While a stream pauses, [`Exchange::response_streamed`] lets go of nothing, and the driver reads nothing more of the
//!    upstream's: what waits is what was read at once, and the upstream feels the pace by its own flow control.
//! 3. Where nothing is paced there is no timer and no look at the clock.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Exchange, Flow};

/// The longest pause after one event. Clients give up on a stream that is silent for a minute; an event of more tokens than fit
/// is let go with some of its pause forgiven.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The pace of one stream.
#[derive(Debug)]
pub(super) struct Pace {
    tokens_per_s: u64,
    /// Tokens of output that have been passed on.
    passed: u64,
    /// When the tokens that have been passed on are paid for.
    due: Instant,
}

impl Pace {
    /// A pace for what comes after `passed` tokens.
    pub(super) fn new(tokens_per_s: u64, passed: u64, now: Instant) -> Self {
        Self {
            tokens_per_s: tokens_per_s.max(1),
            passed,
            due: now,
        }
    }

    /// Another rate from here on; the slower one counts.
    pub(super) fn slow_to(&mut self, tokens_per_s: u64) {
        self.tokens_per_s = self.tokens_per_s.min(tokens_per_s.max(1));
    }

    /// Until when the stream pauses, now that `passed` tokens have been passed on; `None` where none are new.
    pub(super) fn passed(&mut self, passed: u64, now: Instant) -> Option<Instant> {
        let tokens = passed.saturating_sub(self.passed);
        if tokens == 0 {
            return None;
        }
        self.passed = passed;
        let micros = tokens.saturating_mul(1_000_000) / self.tokens_per_s;
        let due = self.due.max(now) + Duration::from_micros(micros).min(MAX_PAUSE);
        self.due = due.min(now + MAX_PAUSE);
        Some(self.due)
    }
}

impl Exchange {
    /// Paces the rest of the answer.
    pub(super) fn pace(&mut self, tokens_per_s: u64) {
        let passed = self
            .spending
            .as_ref()
            .map_or(0, |spending| spending.output_tokens());
        match &mut self.pace {
            Some(pace) => pace.slow_to(tokens_per_s),
            None => self.pace = Some(Pace::new(tokens_per_s, passed, Instant::now())),
        }
    }

    /// Notes that an event was passed on; one that ends the answer is followed by no pause.
    pub(super) fn pause_after(&mut self, terminal: bool) {
        let (Some(pace), Some(spending)) = (&mut self.pace, &self.spending) else {
            return;
        };
        if !terminal {
            self.paused_until = pace.passed(spending.output_tokens(), Instant::now());
        }
    }

    /// Until when the answer pauses: [`Exchange::resume`] is to be called then, and nothing more of it given before.
    pub fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// The pause is over; [`Exchange::resume`] follows.
    pub fn end_pause(&mut self) {
        self.paused_until = None;
    }

    /// Goes on after a pause with what was read before it; what the client is to be sent is appended to `out`. There may be
    /// another pause.
    pub fn resume(&mut self, out: &mut Vec<Bytes>) -> Flow {
        self.paused_until = None;
        self.response_streamed(Bytes::new(), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_its_tokens_take() {
        let start = Instant::now();
        let mut pace = Pace::new(20, 100, start);
        let ms = |until: Option<Instant>| until.map(|until| (until - start).as_millis());
        assert_eq!(ms(pace.passed(100, start)), None, "nothing new");
        assert_eq!(ms(pace.passed(101, start)), Some(50));
        assert_eq!(
            ms(pace.passed(103, start)),
            Some(150),
            "what is not paid for adds up"
        );
        let later = start + Duration::from_secs(5);
        assert_eq!(
            ms(pace.passed(104, later)),
            Some(5_050),
            "a slow stream saves nothing up"
        );
        pace.slow_to(10);
        pace.slow_to(40);
        assert_eq!(ms(pace.passed(105, later)), Some(5_150));
        assert_eq!(ms(pace.passed(1_000_000, later)), Some(35_000), "bounded");
    }
}
