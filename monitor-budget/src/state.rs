//! What the ledger's lock guards, and the changes made under it.

use smallvec::SmallVec;

use crate::account::{Account, RETRY_WHILE_RESERVED_MS};
use crate::book::{Book, SlotNumber};
use crate::budget::{AccountState, Budget, Denied, DenyReason, Settlement};
use crate::clock::TimeLine;

/// Accounts one reservation holds; more than four budgets on one request spill to the heap.
pub(crate) type Slots = SmallVec<[SlotNumber; 4]>;

/// The accounts and the time they run on.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) time: TimeLine,
    pub(crate) book: Book,
    /// Reservations open on at least one account.
    pub(crate) open_reservations: u64,
}

impl State {
    pub(crate) fn new(time: TimeLine) -> Self {
        Self {
            time,
            book: Book::default(),
            open_reservations: 0,
        }
    }

    /// Takes `tokens` from every budget or from none.
    pub(crate) fn reserve(
        &mut self,
        budgets: &[&Budget],
        tokens: u64,
        monotonic_ms: u64,
    ) -> Result<Slots, Denied> {
        let now_ms = self.time.at(monotonic_ms);
        let mut missing = 0;
        let mut denied: Option<Denied> = None;
        for budget in each_key_once(budgets) {
            let refusal = match self.book.find(&budget.key) {
                Some(slot) => {
                    self.define(slot, budget.limit(), budget.window_ms(), now_ms);
                    self.refusal(slot, tokens, now_ms)
                }
                None => {
                    missing += 1;
                    (tokens > budget.limit()).then(|| refusal(&Account::new(budget, now_ms), tokens, now_ms))
                }
            };
            denied = longer_wait(denied, refusal);
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        if missing > self.book.room() {
            self.forget_idle(now_ms);
        }
        if missing > self.book.room() {
            return Err(accounts_full(budgets, tokens));
        }
        let mut slots = Slots::new();
        for budget in each_key_once(budgets) {
            let slot = self
                .book
                .find(&budget.key)
                .unwrap_or_else(|| self.open(budget, now_ms));
            if let Some(account) = self.book.account_mut(slot) {
                account.hold(tokens);
                account.open_reservations += 1;
            }
            slots.push(slot);
        }
        self.open_reservations += 1;
        Ok(slots)
    }

    /// Adds `tokens` to a reservation on every account or on none.
    pub(crate) fn extend(
        &mut self,
        slots: &[SlotNumber],
        tokens: u64,
        monotonic_ms: u64,
    ) -> Result<(), Denied> {
        let now_ms = self.time.at(monotonic_ms);
        let mut denied = None;
        for &slot in slots {
            denied = longer_wait(denied, self.refusal(slot, tokens, now_ms));
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        for &slot in slots {
            if let Some(account) = self.book.account_mut(slot) {
                account.hold(tokens);
            }
        }
        Ok(())
    }

    /// Ends a reservation of `held` tokens with a charge.
    pub(crate) fn settle(
        &mut self,
        slots: &[SlotNumber],
        held: u64,
        charge: u64,
        monotonic_ms: u64,
    ) -> Settlement {
        let now_ms = self.time.at(monotonic_ms);
        let mut debt = 0;
        for &slot in slots {
            if let Some(account) = self.book.account_mut(slot) {
                account.advance(now_ms);
                debt = account.settle(held, charge).max(debt);
                account.open_reservations = account.open_reservations.saturating_sub(1);
            }
        }
        self.open_reservations = self.open_reservations.saturating_sub(1);
        Settlement {
            settled: charge - debt,
            debt,
        }
    }

    /// Puts another limit or window into force on an account, if it differs.
    pub(crate) fn define(&mut self, slot: SlotNumber, limit: u64, window_ms: u64, now_ms: u64) {
        let Some(account) = self.book.account_mut(slot) else {
            return;
        };
        if account.limit != limit || account.window_ms != window_ms {
            account.redefine(limit, window_ms, now_ms);
        }
    }

    fn open(&mut self, budget: &Budget, now_ms: u64) -> SlotNumber {
        self.book.open(budget, now_ms)
    }

    /// Drops a few of the accounts that hold nothing.
    pub(crate) fn forget_idle(&mut self, now_ms: u64) {
        for slot in self.book.idle_slots(now_ms) {
            self.book.forget(slot);
        }
    }

    /// Brings an account up to date and says why it has not `tokens` free, if so.
    fn refusal(&mut self, slot: SlotNumber, tokens: u64, now_ms: u64) -> Option<Denied> {
        let account = self.book.account_mut(slot)?;
        account.advance(now_ms);
        (account.free() < tokens).then(|| refusal(account, tokens, now_ms))
    }

    /// The account as seen now. `unix_ms` places ledger time on the wall clock.
    pub(crate) fn account_state(
        &mut self,
        slot: SlotNumber,
        now_ms: u64,
        unix_ms: u64,
    ) -> Option<AccountState> {
        let account = self.book.account_mut(slot)?;
        account.advance(now_ms);
        let on_wall = |ledger_ms: u64| unix_ms.saturating_add(ledger_ms.saturating_sub(now_ms));
        Some(AccountState {
            key: account.key.clone(),
            limit: account.limit,
            window_ms: account.window_ms,
            settled: account.settled(),
            reserved: account.reserved,
            debt: account.debt,
            peak_outstanding: account.peak_outstanding,
            open_reservations: account.open_reservations,
            next_free_ms: account.next_free_ms().map(on_wall),
            resets_at_ms: account.resets_at_ms().map(on_wall),
        })
    }
}

/// The budgets without those whose key came before: one key is one account and is charged once. Quadratic in the budgets
/// of one request, which are a handful.
fn each_key_once<'a>(budgets: &'a [&'a Budget]) -> impl Iterator<Item = &'a Budget> {
    let first = |(at, budget): (usize, &&'a Budget)| {
        let seen = budgets.iter().take(at).any(|earlier| earlier.key == budget.key);
        (!seen).then_some(*budget)
    };
    budgets.iter().enumerate().filter_map(first)
}

fn refusal(account: &Account, tokens: u64, now_ms: u64) -> Denied {
    Denied {
        key: account.key.clone(),
        reason: if tokens > account.limit {
            DenyReason::LargerThanLimit
        } else {
            DenyReason::Exhausted
        },
        requested: tokens,
        limit: account.limit,
        used: account.settled(),
        reserved: account.reserved,
        debt: account.debt,
        retry_after_ms: account.fits_in_ms(tokens, now_ms),
    }
}

fn accounts_full(budgets: &[&Budget], tokens: u64) -> Denied {
    let (key, limit) = budgets
        .first()
        .map_or(("".into(), 0), |budget| (budget.key.clone(), budget.limit()));
    Denied {
        key,
        reason: DenyReason::AccountsFull,
        requested: tokens,
        limit,
        used: 0,
        reserved: 0,
        debt: 0,
        retry_after_ms: Some(RETRY_WHILE_RESERVED_MS),
    }
}

/// The refusal to report: that of the budget that takes longest to have room, never counting as longest.
fn longer_wait(one: Option<Denied>, other: Option<Denied>) -> Option<Denied> {
    let wait = |denied: &Denied| denied.retry_after_ms.unwrap_or(u64::MAX);
    match (one, other) {
        (Some(one), Some(other)) => Some(if wait(&other) > wait(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}
