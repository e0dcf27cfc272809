//! Reserving what is there, and how full the accounts of a reservation are.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::budget::{Budget, Denied};
use crate::clock::{Moment, Reading};
use crate::ledger::Ledger;
use crate::reservation::Reservation;
use crate::state::State;
use crate::unit::Spend;

/// How full an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Settled, reserved and owed together, in the budget's unit. More than the limit where there is debt.
    pub taken: u64,
    /// The limit in force.
    pub limit: u64,
}

impl Level {
    /// Whether at least this share of the limit is taken.
    #[must_use]
    pub fn is_from(self, percent: u8) -> bool {
        u128::from(self.taken) * 100 >= u128::from(self.limit) * u128::from(percent)
    }
}

impl Ledger {
    /// [`reserve`](Self::reserve) for an exchange that can make do with less: holds `spend(n)` for the largest `n` of
    /// `least..=most` for which every budget that `gives_way` (by its place in `budgets`) has room, and says which that is. One step: no
    /// other reservation comes between. `spend` must not fall as `n` rises; it is called under the ledger's lock, some
    /// fifty times at most.
    ///
    /// While the accounts are another agent's, or are leased from a cluster, `n` may be less than the largest by up to a half.
    ///
    /// # Errors
    /// [`Denied`] if not even `least` fits, or a budget that does not give way has no room.
    pub fn reserve_most(
        &self,
        budgets: &[&Budget],
        gives_way: impl Fn(usize) -> bool,
        least: u64,
        most: u64,
        spend: impl Fn(u64) -> Spend,
    ) -> Result<(Reservation, u64), Denied> {
        let least = least.min(most);
        if !budgets.is_empty() {
            let fitted = self.core().with_own(|state, reading| {
                let now = state.now(reading);
                let n = state.most_that_fits(budgets, &gives_way, least, most, &spend, now);
                (n, state.reserve(budgets, &spend(n), reading))
            });
            match fitted {
                Some((n, Ok(holds))) => {
                    return Ok((Reservation::new(Arc::clone(self.core()), holds), n));
                }
                Some((n, Err(denied))) if n == least => return Err(denied),
                _ => {}
            }
        }
        let mut n = most;
        loop {
            let denied = match self.reserve(budgets, &spend(n)) {
                Ok(reservation) => return Ok((reservation, n)),
                Err(denied) => denied,
            };
            let refused = budgets.iter().position(|budget| budget.key == denied.key);
            if n == least || !refused.is_some_and(&gives_way) {
                return Err(denied);
            }
            n = (n / 2).max(least);
        }
    }
}

impl State {
    fn most_that_fits(
        &mut self,
        budgets: &[&Budget],
        gives_way: &impl Fn(usize) -> bool,
        least: u64,
        most: u64,
        spend: &impl Fn(u64) -> Spend,
        now: Moment,
    ) -> u64 {
        let room: SmallVec<[u64; 4]> = budgets
            .iter()
            .enumerate()
            .map(|(at, budget)| {
                if gives_way(at) {
                    self.free_of(budget, now)
                } else {
                    u64::MAX
                }
            })
            .collect();
        let fits = |n: u64| {
            let spend = spend(n);
            budgets
                .iter()
                .zip(&room)
                .all(|(budget, free)| budget.unit.of(&spend) <= *free)
        };
        if fits(most) {
            return most;
        }
        // `most` does not fit, and what is below `least` is not asked for.
        let (mut low, mut high) = (least, most);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn free_of(&mut self, budget: &Budget, now: Moment) -> u64 {
        let Some(slot) = self.book.find(&budget.key) else {
            return budget.limit();
        };
        self.define(slot, budget, now);
        if let Some(free) = self.lease_free(slot, now) {
            return free;
        }
        self.book.account_mut(slot).map_or(0, |account| {
            account.advance(now);
            account.free()
        })
    }
}

impl Reservation {
    /// How full each account is, this reservation's own holds included, in the order in which the budgets were given. Empty while
    /// the accounts are another agent's. Takes the ledger's lock once.
    #[must_use]
    pub fn levels(&self) -> SmallVec<[Level; 4]> {
        let levels = self.core().with_own(|state, reading: Reading<'_>| {
            let now = state.now(reading);
            let level = |slot| {
                let account = state.book.account_mut(slot)?;
                account.advance(now);
                Some(Level {
                    taken: account.outstanding().saturating_add(account.debt),
                    limit: account.limit(),
                })
            };
            self.slots().filter_map(level).collect()
        });
        levels.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Certainty, ManualClock, Unit, Window};

    fn ledger() -> Ledger {
        Ledger::in_memory(Arc::new(ManualClock::new(0)))
    }

    #[test]
    fn what_is_left_is_taken_to_the_last_token() {
        let ledger = ledger();
        let tokens = Budget::tokens("t", 100, 60_000);
        let money = Budget::new("m", 1_000, Unit::MicroUsd, Window::rolling(60_000));
        let spend = |n| Spend {
            micro_usd: 30 + n * 7,
            ..Spend::request(10, n)
        };
        let both = [&tokens, &money];
        let (first, n) = ledger.reserve_most(&both, |_| true, 1, 50, spend).unwrap();
        assert_eq!(n, 50, "all of it fits");
        let (second, n) = ledger.reserve_most(&both, |_| true, 1, 5_000, spend).unwrap();
        assert_eq!(n, 30, "the tokens are the tighter");
        assert_eq!(second.held().collect::<Vec<_>>(), [40, 240]);
        assert_eq!(
            first.levels()[0],
            Level {
                taken: 100,
                limit: 100
            }
        );
        assert!(first.levels()[0].is_from(100));
        let denied = ledger.reserve_most(&both, |_| true, 1, 50, spend).unwrap_err();
        assert_eq!((&*denied.key, denied.requested), ("t", 11));
        second.release();
        first.settle(&spend(50), Certainty::Exact);
        let (third, n) = ledger.reserve_most(&both, |_| true, 30, 80, spend).unwrap();
        assert_eq!(n, 30);
        third.release();
    }

    #[test]
    fn a_budget_that_does_not_give_way_refuses() {
        let ledger = ledger();
        let (firm, soft) = (
            Budget::tokens("firm", 50, 60_000),
            Budget::tokens("soft", 30, 60_000),
        );
        let spend = |n| Spend::request(0, n);
        let budgets = [&firm, &soft];
        let (held, n) = ledger.reserve_most(&budgets, |at| at == 1, 1, 40, spend).unwrap();
        assert_eq!(n, 30);
        held.release();
        let denied = ledger
            .reserve_most(&budgets[..1], |_| false, 1, 60, spend)
            .unwrap_err();
        assert_eq!(&*denied.key, "firm");
        assert!(
            !Level {
                taken: 79,
                limit: 100
            }
            .is_from(80)
        );
    }

    #[test]
    fn side_by_side_no_more_is_taken_than_there_is() {
        let ledger = ledger();
        let budget = Budget::tokens("a", 1_000, 60_000);
        let held = std::thread::scope(|scope| {
            let reserve = || {
                (0..40)
                    .filter_map(|_| {
                        ledger
                            .reserve_most(&[&budget], |_| true, 1, 64, |n| Spend::request(3, n))
                            .ok()
                    })
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(reserve)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        let taken: u64 = held.iter().map(|(_, n)| n + 3).sum();
        assert!((997..=1_000).contains(&taken), "{taken}");
        assert_eq!(ledger.account("a").unwrap().peak_outstanding, taken);
    }
}
