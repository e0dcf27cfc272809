//! What an exchange may be billed at, for budgets that count money.
//!
//! Before and while an answer comes, the dearest of all that may apply is taken: every token of the prompt may be one that is written
//! to a cache, every token of the answer reasoning. What the provider has told is taken at its own rates; what it has not told yet, at
//! the dearest. A request that names several models is taken at the dearest of them.

use std::sync::Arc;

use monitor_budget::{Media, Price};
use monitor_protocol::{Operation, UsageCounters};

use super::cost::quantities;

/// Prices of the models that may answer; none where no budget counts money.
#[derive(Clone, Default)]
pub(super) struct Rates {
    prices: Option<Arc<[Price]>>,
    media: Media,
}

impl Rates {
    pub(super) fn new(prices: Vec<Price>, operation: Operation) -> Self {
        Self {
            prices: (!prices.is_empty()).then(|| prices.into()),
            // Images, audio and video stand in prompts and answers of chats as well; only these have none.
            media: match operation {
                Operation::Completions | Operation::Embeddings => Media::TEXT,
                _ => Media::ANY,
            },
        }
    }

    /// The most that a request may cost whose prompt and answer have no more tokens than these, in micro-USD.
    pub(super) fn worst_case(&self, prompt_tokens: u64, output_tokens: u64) -> u64 {
        self.dearest(|price| price.worst_case(prompt_tokens, output_tokens, self.media).0)
    }

    /// The most that has been spent, as far as anyone knows: these tokens at least, and what the provider told, in micro-USD.
    pub(super) fn spent(&self, told: Option<&UsageCounters>, prompt_tokens: u64, output_tokens: u64) -> u64 {
        let usage = told.map(UsageCounters::usage).unwrap_or_default();
        if told.is_none() || usage.total_input() < prompt_tokens {
            return self.worst_case(prompt_tokens, output_tokens);
        }
        let untold = output_tokens.saturating_sub(usage.total_output());
        let known = quantities(told, 0, 0);
        self.dearest(|price| {
            let known = price.cost(&known).0;
            if untold == 0 {
                return known;
            }
            let prompt = usage.total_input();
            let with = price.worst_case(prompt, untold, self.media).0;
            let without = price.worst_case(prompt, 0, self.media).0;
            // Both were rounded up.
            known
                .saturating_add(with.saturating_sub(without))
                .saturating_add(1)
        })
    }

    /// What the provider bills, in micro-USD.
    pub(super) fn billed(&self, told: Option<&UsageCounters>, prompt_tokens: u64, output_tokens: u64) -> u64 {
        let used = quantities(told, prompt_tokens, output_tokens);
        self.dearest(|price| price.cost(&used).0)
    }

    fn dearest(&self, cost: impl Fn(&Price) -> u64) -> u64 {
        let prices = self.prices.as_deref().unwrap_or_default();
        prices.iter().map(cost).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use monitor_budget::{PicoUsd, Rates as PriceRates};
    use monitor_protocol::{Api, RequestLine, read_response, recognise};

    use super::*;

    fn rates() -> Rates {
        // 1 USD per million of the prompt, a tenth for cached, twice for written, 10 of the answer.
        let flat = PriceRates::flat(PicoUsd(1_000_000), PicoUsd(10_000_000));
        let price = Price {
            rates: PriceRates {
                cache_read: PicoUsd(100_000),
                cache_write_1h: PicoUsd(2_000_000),
                ..flat
            },
            ..Price::flat(PicoUsd(0), PicoUsd(0))
        };
        Rates::new(vec![price], Operation::Messages)
    }

    fn told(output: u64) -> UsageCounters {
        let call = recognise(Api::Anthropic, RequestLine::post("/v1/messages"));
        let body = format!(
            r#"{{"usage": {{"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": {output}}}}}"#
        );
        let read = read_response(&call, body.as_bytes()).unwrap();
        read.usage.unwrap()
    }

    #[test]
    fn what_is_not_told_costs_the_most() {
        let rates = rates();
        assert_eq!(rates.worst_case(1_000, 10), 2_000 + 100);
        assert_eq!(rates.spent(None, 1_000, 10), 2_100);
        // 100 plain, 900 cached, 5 of output told and 5 more counted.
        assert_eq!(rates.spent(Some(&told(5)), 1_000, 10), 100 + 90 + 50 + 50 + 1);
        assert_eq!(rates.spent(Some(&told(10)), 1_000, 10), 100 + 90 + 100);
        assert_eq!(rates.billed(Some(&told(10)), 1_000, 10), 290);
        // More of the prompt was counted than told: all of it may be the dearest.
        assert_eq!(rates.spent(Some(&told(5)), 2_000, 10), 4_100);
    }

    #[test]
    fn what_is_spent_is_never_below_what_is_billed() {
        let rates = rates();
        for output in 0..50 {
            let told = told(output);
            let most = rates.worst_case(1_000, 50);
            let spent = rates.spent(Some(&told), 1_000, 50);
            assert!(rates.billed(Some(&told), 1_000, output) <= spent && spent <= most + 1);
        }
        assert_eq!(Rates::default().worst_case(1_000, 1_000), 0);
    }
}
