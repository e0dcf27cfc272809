//! The tokens of one exchange while it runs: counted as they pass, and covered by reservations before they are passed on.

use std::time::Duration;

use monitor_budget::{Denied, DenyReason, Ledger, Reservation, Spend};
use monitor_content::{Encoding, Meter};
use monitor_protocol::{Channel, Operation, Usage, UsageCounters};
use smallvec::SmallVec;

use super::rates::Rates;
use super::slow_down::SlowDowns;
use crate::event::{Certainty, ModalityTokens, TokenUsage};
use crate::policy::ExchangeBudgets;

/// Tokens of output that a streamed answer reserves at a time. Smaller slices leave less of a budget unused by streams
/// that run side by side; each slice costs one step of the ledger.
pub(super) const SLICE_TOKENS: u64 = 256;
/// Output that a request without a limit of its own may produce, per choice, where the answer comes whole and cannot be
/// cut: the documented maximum of gpt-4o and gpt-4o-mini, and more than most answers ever have.
pub(super) const UNLIMITED_OUTPUT_TOKENS: u64 = 16_384;
/// Longest that an exchange waits for the cluster's store, its thread's other connections with it. The store answers within a
/// millisecond; one that does not is waited for once, and then left alone for a while.
const MAX_LEASE_WAIT: Duration = Duration::from_millis(250);
/// Texts of one answer that are counted each on its own. More than that come only from a hostile upstream; the rest is
/// counted as one text.
const MAX_CHANNELS: usize = 256;

/// Whether an operation costs no tokens, whatever its prompt: counting them, rating them, asking a tool.
pub(super) fn is_free(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::CountTokens | Operation::Moderations | Operation::Mcp
    )
}

/// What an exchange has cost so far.
pub(super) struct Spending {
    /// How the model's tokens are counted.
    pub encoding: Encoding,
    /// The prompt, as counted.
    pub prompt_tokens: u64,
    /// What the provider has said so far.
    pub counters: Option<UsageCounters>,
    meters: SmallVec<[(Channel, Meter); 1]>,
    enforced: Option<Reservation>,
    observed: Option<Reservation>,
    free: bool,
    rates: Rates,
    slow_downs: Option<Box<SlowDowns>>,
}

/// What a request may cost at most before anything of its answer is seen.
#[derive(Clone, Copy)]
pub(super) struct Demand<'r> {
    pub prompt_tokens: u64,
    pub streamed: bool,
    pub max_output_tokens: Option<u64>,
    pub choices: u32,
    /// What it is billed at.
    pub rates: &'r Rates,
}

impl Demand<'_> {
    /// The most that each of its answers may have.
    pub(super) fn most_per_choice(self) -> u64 {
        self.max_output_tokens.unwrap_or(UNLIMITED_OUTPUT_TOKENS)
    }

    /// A first slice, shared by the answers of a stream.
    pub(super) fn slice_per_choice(self) -> u64 {
        SLICE_TOKENS
            .div_ceil(self.choices.max(1).into())
            .min(self.most_per_choice())
    }

    /// What it costs if each of its answers has `output` tokens.
    pub(super) fn spend(self, output: u64) -> Spend {
        let output = output.saturating_mul(self.choices.into());
        Spend {
            // All of the prompt may be read from a cache, or written to one.
            cache: self.prompt_tokens,
            micro_usd: self.rates.worst_case(self.prompt_tokens, output),
            ..Spend::request(self.prompt_tokens, output)
        }
    }

    /// What is set aside of it before: of a stream a slice, of other answers all.
    pub(super) fn first(self) -> Spend {
        self.spend(if self.streamed {
            self.slice_per_choice()
        } else {
            self.most_per_choice()
        })
    }
}

impl Spending {
    pub(super) fn new(
        encoding: Encoding,
        prompt_tokens: u64,
        rates: Rates,
        enforced: Option<Reservation>,
        observed: Option<Reservation>,
    ) -> Self {
        let mut spending = Self {
            encoding,
            prompt_tokens,
            counters: None,
            meters: SmallVec::new(),
            enforced,
            observed,
            free: false,
            rates,
            slow_downs: None,
        };
        spending.meter();
        spending
    }

    /// Its tokens cost nothing: it only counts as a request.
    pub(super) fn set_free(&mut self) {
        self.free = true;
    }

    /// Looks out for shares of budgets from which on streams are slowed down.
    pub(super) fn slow_down(&mut self, budgets: &ExchangeBudgets) {
        self.slow_downs = SlowDowns::of(budgets).map(Box::new);
    }

    /// How fast the answer may go on and who says so, where that is news.
    pub(super) fn slowed(&mut self) -> Option<super::slow_down::Slowed> {
        let slow_downs = self.slow_downs.as_mut()?;
        let output = self.meters.iter().map(|(_, meter)| meter.total()).sum();
        slow_downs.look(output, [self.enforced.as_ref(), self.observed.as_ref()])
    }

    /// Whether its tokens cost nothing.
    pub(super) fn is_free(&self) -> bool {
        self.free
    }

    /// Counts a piece of the answer.
    pub(super) fn add(&mut self, channel: Channel, text: &str) {
        let at = match self.meters.iter().position(|(known, _)| *known == channel) {
            Some(at) => at,
            None if self.meters.len() >= MAX_CHANNELS => self.meters.len() - 1,
            None => {
                self.meters.push((channel, Meter::new(self.encoding)));
                self.meters.len() - 1
            }
        };
        self.meters[at].1.push(text);
    }

    /// Whether a piece of this text has been counted.
    pub(super) fn counts(&self, channel: Channel) -> bool {
        self.meters.iter().any(|(known, _)| *known == channel)
    }

    /// Takes the provider's own figures.
    pub(super) fn provider(&mut self, counters: UsageCounters) {
        self.counters = Some(self.counters.map_or(counters, |known| known.merge(counters)));
    }

    /// The answer's tokens as counted.
    pub(super) fn output_tokens(&self) -> u64 {
        self.meters.iter().map(|(_, meter)| meter.total()).sum()
    }

    /// What has been spent as far as anyone knows: the larger of the two counts, part by part.
    pub(super) fn spent(&self) -> Spend {
        self.spent_with(0)
    }

    /// The same with so many tokens of output more.
    fn spent_with(&self, more: u64) -> Spend {
        if self.free {
            return Spend::request(0, 0);
        }
        let told = self.told().unwrap_or_default();
        let input = self.prompt_tokens.max(told.total_input());
        let output = self.output_tokens().max(told.total_output()).saturating_add(more);
        Spend {
            cache: told.cache_read.saturating_add(told.cache_write),
            micro_usd: self.rates.spent(self.counters.as_ref(), input, output),
            ..Spend::request(input, output)
        }
    }

    /// What `usage` comes to in every unit.
    pub(super) fn settled(&self, usage: &TokenUsage) -> Spend {
        let told = self.counters.as_ref();
        Spend {
            cache: usage.cache_read.saturating_add(usage.cache_write),
            micro_usd: match usage.certainty {
                Certainty::Exact => self.rates.billed(told, usage.input, usage.output),
                Certainty::Estimated | Certainty::UnderEstimate => {
                    self.rates.spent(told, usage.input, usage.output)
                }
            },
            ..Spend::request(usage.input, usage.output)
        }
    }

    fn meter(&mut self) -> Spend {
        let spent = self.spent();
        for reservation in [&mut self.enforced, &mut self.observed].into_iter().flatten() {
            reservation.meter(&spent);
        }
        spent
    }

    /// Makes sure that what has been spent is covered by the reservation.
    ///
    /// # Errors
    /// An enforced budget has no room for it.
    pub(super) fn cover(&mut self) -> Result<(), Denied> {
        let spent = self.meter();
        let is_covered = |reservation: &Option<Reservation>| {
            reservation
                .as_ref()
                .is_none_or(|reservation| reservation.covers(&spent))
        };
        if is_covered(&self.enforced) && is_covered(&self.observed) {
            return Ok(());
        }
        let ahead = self.spent_with(SLICE_TOKENS);
        if let Some(reservation) = &mut self.observed {
            // Only recorded: what does not fit becomes debt when it is settled.
            let _denied = extend(reservation, &spent, &ahead);
        }
        match &mut self.enforced {
            Some(reservation) => extend(reservation, &spent, &ahead),
            None => Ok(()),
        }
    }

    /// The provider's figures in disjoint buckets.
    pub(super) fn told(&self) -> Option<Usage> {
        self.counters.map(|counters| counters.usage())
    }

    /// What of the provider's figures is no text.
    pub(super) fn modalities(&self) -> ModalityTokens {
        let told = self.counters.map(|counters| counters.modalities());
        let told = told.unwrap_or_default();
        ModalityTokens {
            input_audio: told.input_audio,
            input_image: told.input_image,
            input_video: told.input_video,
            output_audio: told.output_audio,
            output_image: told.output_image,
        }
    }

    /// The reservations, to be settled.
    pub(super) fn take_reservations(&mut self) -> (Option<Reservation>, Option<Reservation>) {
        (self.enforced.take(), self.observed.take())
    }
}

/// Covers what is spent and a slice more, or only what is spent where a slice is more than is left.
fn extend(reservation: &mut Reservation, spent: &Spend, ahead: &Spend) -> Result<(), Denied> {
    if reservation.covers(spent) {
        return Ok(());
    }
    match reservation.cover(ahead).or_else(|_| reservation.cover(spent)) {
        Err(denied) if denied.reason == DenyReason::NeedsLease => {
            reservation.refill().wait(MAX_LEASE_WAIT);
            reservation.cover(ahead).or_else(|_| reservation.cover(spent))
        }
        outcome => outcome,
    }
}

/// Reserves by `reserve`, once more after the cluster's store was asked where a lease has not enough left.
pub(super) fn leased<T>(ledger: &Ledger, reserve: impl Fn() -> Result<T, Denied>) -> Result<T, Denied> {
    match reserve() {
        Err(denied) if denied.reason == DenyReason::NeedsLease => {
            ledger.refill().wait(MAX_LEASE_WAIT);
            reserve()
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monitor_budget::{Budget, Certainty, ManualClock};
    use monitor_protocol::Part;
    use std::sync::Arc;

    fn budget(limit: u64) -> Budget {
        Budget::tokens("p/0/workload:/a", limit, 3_600_000)
    }

    fn streamed(rates: &Rates, prompt_tokens: u64) -> Demand<'_> {
        Demand {
            prompt_tokens,
            streamed: true,
            max_output_tokens: None,
            choices: 1,
            rates,
        }
    }

    fn channel() -> Channel {
        Channel {
            choice: 0,
            part: Part::Text,
            index: 0,
        }
    }

    #[test]
    fn a_stream_is_covered_slice_by_slice_to_the_last_token() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let hold = ledger
            .reserve(&[&budget(600)], &streamed(&Rates::default(), 10).first())
            .ok();
        let mut spending = Spending::new(Encoding::for_model("gpt-4o"), 10, Rates::default(), hold, None);
        let mut covered = 0;
        for _ in 0..1_000 {
            spending.add(channel(), " word");
            if spending.cover().is_err() {
                break;
            }
            covered = spending.spent().tokens();
        }
        assert_eq!(covered, 600, "the whole budget is usable and no token more");
        assert_eq!(ledger.account("p/0/workload:/a").unwrap().reserved, 600);
        let (enforced, _) = spending.take_reservations();
        enforced
            .unwrap()
            .settle(&Spend::request(10, 590), Certainty::UnderEstimate);
        let account = ledger.account("p/0/workload:/a").unwrap();
        assert_eq!((account.settled, account.reserved), (600, 0));
    }

    #[test]
    fn a_whole_answer_reserves_all_it_may_produce() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let rates = Rates::default();
        let whole = Demand {
            streamed: false,
            max_output_tokens: Some(100),
            choices: 3,
            ..streamed(&rates, 10)
        };
        let hold = ledger.reserve(&[&budget(310)], &whole.first()).unwrap();
        assert_eq!(hold.held().collect::<Vec<_>>(), [310]);
        assert!(ledger.reserve(&[&budget(310)], &whole.first()).is_err());
    }

    #[test]
    fn the_larger_of_two_counts_is_what_was_spent() {
        let mut spending = Spending::new(Encoding::for_model("gpt-4o"), 40, Rates::default(), None, None);
        spending.add(channel(), "hello");
        assert_eq!(spending.spent().tokens(), 41);
    }
}
