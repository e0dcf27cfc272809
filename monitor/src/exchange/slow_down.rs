//! From which share of a budget on an answer is slowed down.

use std::sync::Arc;

use monitor_budget::Reservation;
use smallvec::SmallVec;

use super::Exchange;
use super::meter::SLICE_TOKENS;
use crate::config::SlowDown;
use crate::event::LimitAction;
use crate::policy::{AppliedBudget, ExchangeBudgets};

/// The budgets of an exchange that slow streams down. The accounts are looked at before the first event and then once a slice, so
/// that a stream that is not slowed down costs the ledger no more than its reservations do.
pub(super) struct SlowDowns {
    /// By the place of their budget among those that refuse, and among those that do not.
    rules: [Rules; 2],
    /// Output at which the accounts are looked at next.
    next_look: u64,
    /// What was told last.
    told: Option<u64>,
}

type Rules = SmallVec<[Option<(SlowDown, Arc<AppliedBudget>)>; 4]>;

/// How fast an answer may go on, and who says so.
pub(super) struct Slowed {
    pub tokens_per_s: u64,
    pub by: Arc<AppliedBudget>,
}

impl SlowDowns {
    pub(super) fn of(budgets: &ExchangeBudgets) -> Option<Self> {
        let rule = |applied: &Arc<AppliedBudget>| Some((applied.rule.slow_down?, applied.clone()));
        let rules =
            [&budgets.enforced, &budgets.observed].map(|list| list.iter().map(rule).collect::<Rules>());
        let any = rules.iter().flatten().any(Option::is_some);
        any.then_some(Self {
            rules,
            next_look: 0,
            told: None,
        })
    }

    /// The slowest rate of a budget that is so far used, where it is another than was told last. Rates of policies that observe
    /// count only where none is carried out.
    pub(super) fn look(&mut self, output: u64, reservations: [Option<&Reservation>; 2]) -> Option<Slowed> {
        if output < self.next_look {
            return None;
        }
        self.next_look = output.saturating_add(SLICE_TOKENS);
        let mut slowest: Option<(bool, Slowed)> = None;
        for (rules, reservation) in self.rules.iter().zip(reservations) {
            if rules.iter().all(Option::is_none) {
                continue;
            }
            let levels = reservation.map(Reservation::levels).unwrap_or_default();
            for (rule, level) in rules.iter().zip(levels) {
                let Some((rule, applied)) =
                    rule.as_ref().filter(|(rule, _)| level.is_from(rule.from_percent))
                else {
                    continue;
                };
                let rank = (!applied.enforce, rule.tokens_per_s);
                if slowest
                    .as_ref()
                    .is_none_or(|(observes, known)| rank < (*observes, known.tokens_per_s))
                {
                    let slowed = Slowed {
                        tokens_per_s: rule.tokens_per_s,
                        by: applied.clone(),
                    };
                    slowest = Some((rank.0, slowed));
                }
            }
        }
        let (_, slowed) = slowest?;
        (self.told.replace(slowed.tokens_per_s) != Some(slowed.tokens_per_s)).then_some(slowed)
    }
}

impl Exchange {
    /// Slows the answer down, or notes that a policy that observes would. `may_change`: what is passed on goes through here.
    pub(super) fn slow(&mut self, slowed: &Slowed, may_change: bool) {
        if !slowed.by.enforce {
            return self.observe_action(LimitAction::SlowedDown, &slowed.by.policy);
        }
        if may_change {
            self.pace(slowed.tokens_per_s);
            self.slowed = Some(slowed.tokens_per_s.min(self.slowed.unwrap_or(u64::MAX)));
            self.note_limit_action(LimitAction::SlowedDown, Some(slowed.by.policy.clone()));
        }
    }
}
