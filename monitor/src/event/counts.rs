//! What exchanges came to, in numbers.

use serde::Serialize;

use super::{Certainty, Exchange, TokenUsage, Verdict};

/// What happened, in numbers. Sums stop at their greatest value and never wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Exchanges, whatever became of them.
    pub exchanges: u64,
    /// Of these, with text replaced.
    pub redacted: u64,
    /// Of these, ended in mid-stream.
    pub cut: u64,
    /// Of these, refused.
    pub denied: u64,
    /// Of these, with tokens that Weir counted itself.
    pub estimated: u64,
    /// Of these, with tokens that Weir counted itself, where some may be missing.
    pub under_estimate: u64,
    /// Prompt tokens, caches included.
    pub input: u64,
    /// Completion tokens, reasoning included.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache.
    pub cache_write: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning: u64,
    /// What was spent, in millionths of a US dollar; without the exchanges whose model has no price.
    pub micro_usd: u64,
}

impl Counts {
    /// The numbers of one exchange.
    #[must_use]
    pub fn of(exchange: &Exchange) -> Self {
        let usage = exchange.usage;
        let tokens = |pick: fn(&TokenUsage) -> u64| usage.as_ref().map_or(0, pick);
        let is = |verdict| u64::from(exchange.verdict == verdict);
        let counted = |certainty| u64::from(usage.is_some_and(|usage| usage.certainty == certainty));
        Self {
            exchanges: 1,
            redacted: is(Verdict::Redacted),
            cut: is(Verdict::Cut),
            denied: is(Verdict::Denied),
            estimated: counted(Certainty::Estimated),
            under_estimate: counted(Certainty::UnderEstimate),
            input: tokens(|usage| usage.input),
            output: tokens(|usage| usage.output),
            cache_read: tokens(|usage| usage.cache_read),
            cache_write: tokens(|usage| usage.cache_write),
            reasoning: tokens(|usage| usage.reasoning),
            micro_usd: exchange.cost.map_or(0, |cost| cost.amount.0),
        }
    }

    /// Adds what other exchanges came to.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.fields_mut().into_iter().zip(other.fields()) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Prompt and completion tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The names of the [fields](Self::fields), in order.
    pub(crate) const NAMES: [&'static str; 12] = [
        "exchanges",
        "redacted",
        "cut",
        "denied",
        "estimated",
        "under_estimate",
        "input",
        "output",
        "cache_read",
        "cache_write",
        "reasoning",
        "micro_usd",
    ];

    /// Every number, in the order of their declaration.
    pub(crate) const fn fields(&self) -> [u64; Self::NAMES.len()] {
        [
            self.exchanges,
            self.redacted,
            self.cut,
            self.denied,
            self.estimated,
            self.under_estimate,
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.reasoning,
            self.micro_usd,
        ]
    }

    /// The same, to be changed.
    pub(crate) const fn fields_mut(&mut self) -> [&mut u64; Self::NAMES.len()] {
        [
            &mut self.exchanges,
            &mut self.redacted,
            &mut self.cut,
            &mut self.denied,
            &mut self.estimated,
            &mut self.under_estimate,
            &mut self.input,
            &mut self.output,
            &mut self.cache_read,
            &mut self.cache_write,
            &mut self.reasoning,
            &mut self.micro_usd,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_of_their_names() {
        let mut counts = Counts::default();
        for (number, field) in (1..).zip(counts.fields_mut()) {
            *field = number;
        }
        let json = serde_json::to_value(counts).unwrap();
        for (number, name) in (1..).zip(Counts::NAMES) {
            assert_eq!(json[name], number, "{name}");
        }
        assert_eq!(json.as_object().unwrap().len(), Counts::NAMES.len());
        assert_eq!(counts.fields().to_vec(), (1..=12).collect::<Vec<u64>>());
    }

    #[test]
    fn sums_never_wrap() {
        let mut counts = Counts {
            input: u64::MAX - 1,
            ..Counts::default()
        };
        counts.add(&Counts {
            input: 5,
            ..Counts::default()
        });
        assert_eq!((counts.input, counts.tokens()), (u64::MAX, u64::MAX));
    }
}
