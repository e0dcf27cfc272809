//! What the ledger's lock guards, and the changes made under it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::account::{Account, RETRY_WHILE_RESERVED_MS};
use crate::book::{Book, SlotNumber};
use crate::budget::{AccountState, Budget, Denied, DenyReason, Settlement};
use crate::clock::TimeLine;
use crate::handover::Successor;
use crate::journal::Log;
use crate::journal::record::{MAX_KEY_BYTES, Record, SlotList};

/// Accounts one reservation holds; more than four budgets on one request spill to the heap.
pub(crate) type Slots = SmallVec<[SlotNumber; 4]>;

/// The accounts and the time they run on.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) time: TimeLine,
    pub(crate) book: Book,
    /// Reservations open on at least one account.
    pub(crate) open_reservations: u64,
    /// Where changes are logged; none for a ledger in memory and for one that was handed over.
    pub(crate) log: Option<Log>,
    /// Whose the accounts are.
    pub(crate) owner: Owner,
}

/// Whose the accounts are.
#[derive(Clone, Default)]
pub(crate) enum Owner {
    /// This ledger's.
    #[default]
    Own,
    /// They are changing hands: requests wait.
    Changing,
    /// Another agent's. The accounts here only give the slots their keys.
    Successor(Arc<dyn Successor>),
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own => "Own",
            Self::Changing => "Changing",
            Self::Successor(_) => "Successor",
        })
    }
}

impl State {
    pub(crate) fn new(time: TimeLine) -> Self {
        Self {
            time,
            book: Book::default(),
            open_reservations: 0,
            log: None,
            owner: Owner::Own,
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
        if let Some(budget) = budgets.iter().find(|budget| budget.key.len() > MAX_KEY_BYTES) {
            return Err(no_account(budget, tokens, DenyReason::KeyTooLong));
        }
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
            let without = budgets
                .iter()
                .find(|budget| self.book.find(&budget.key).is_none());
            return without.map_or(Ok(Slots::new()), |budget| {
                Err(no_account(budget, tokens, DenyReason::AccountsFull))
            });
        }
        let mut slots = Slots::new();
        for budget in each_key_once(budgets) {
            let slot = self
                .book
                .find(&budget.key)
                .unwrap_or_else(|| self.open(budget, now_ms));
            if let Some(account) = self.book.account_mut(slot) {
                account.open_reservation(tokens);
            }
            slots.push(slot);
        }
        self.open_reservations += 1;
        self.record(
            now_ms,
            &Record::Reserve {
                tokens,
                slots: SlotList::Numbers(&slots),
            },
            &slots,
        );
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
        self.record(
            now_ms,
            &Record::Extend {
                tokens,
                slots: SlotList::Numbers(slots),
            },
            slots,
        );
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
                debt = account.close_reservation(held, charge).max(debt);
            }
        }
        self.open_reservations = self.open_reservations.saturating_sub(1);
        self.record(
            now_ms,
            &Record::Settle {
                held,
                charge,
                slots: SlotList::Numbers(slots),
            },
            slots,
        );
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
            let key = Arc::clone(&account.key);
            self.record(
                now_ms,
                &Record::Define {
                    slot,
                    limit,
                    window_ms,
                    key: &key,
                },
                &[slot],
            );
        }
    }

    fn open(&mut self, budget: &Budget, now_ms: u64) -> SlotNumber {
        let slot = self.book.open(budget, now_ms);
        let (limit, window_ms, key) = (budget.limit(), budget.window_ms(), &*budget.key);
        self.record(
            now_ms,
            &Record::Define {
                slot,
                limit,
                window_ms,
                key,
            },
            &[slot],
        );
        slot
    }

    /// Drops a few of the accounts that hold nothing.
    pub(crate) fn forget_idle(&mut self, now_ms: u64) {
        for slot in self.book.idle_slots(now_ms) {
            self.book.forget(slot);
            self.record(now_ms, &Record::Forget { slot }, &[slot]);
        }
    }

    /// The slots of budgets that another agent keeps, so that reservations on them have numbers here too.
    pub(crate) fn slots_of(&mut self, budgets: &[&Budget], monotonic_ms: u64) -> Result<Slots, Denied> {
        let now_ms = self.time.at(monotonic_ms);
        let mut slots = Slots::new();
        for budget in each_key_once(budgets) {
            let slot = match self.book.find(&budget.key) {
                Some(slot) => slot,
                None if self.book.room() == 0 => {
                    return Err(no_account(budget, 0, DenyReason::AccountsFull));
                }
                None => self.book.open(budget, now_ms),
            };
            slots.push(slot);
        }
        Ok(slots)
    }

    /// The keys of slots.
    pub(crate) fn keys_of(&mut self, slots: &[SlotNumber]) -> Vec<Arc<str>> {
        let key = |slot: &SlotNumber| self.book.account_mut(*slot).map(|account| account.key.clone());
        slots.iter().filter_map(key).collect()
    }

    /// Logs a change already made to `slots`.
    pub(crate) fn record(&mut self, now_ms: u64, record: &Record<'_>, slots: &[SlotNumber]) {
        let Some(log) = self.log.as_mut() else { return };
        let lsn = log.append(now_ms, record);
        for &slot in slots {
            self.book.touch(slot, lsn);
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

fn no_account(budget: &Budget, tokens: u64, reason: DenyReason) -> Denied {
    Denied {
        key: Arc::clone(&budget.key),
        reason,
        requested: tokens,
        limit: budget.limit(),
        used: 0,
        reserved: 0,
        debt: 0,
        retry_after_ms: (reason == DenyReason::AccountsFull).then_some(RETRY_WHILE_RESERVED_MS),
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
