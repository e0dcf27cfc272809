//! Changes by hand: another limit until a moment, a reset.

use std::sync::Arc;

use crate::account::Account;
use crate::audit::{AuditEntry, Change, Figures, bounded_name};
use crate::book::SlotNumber;
use crate::budget::{AccountState, Budget, Denied, DenyReason, MAX_AMOUNT};
use crate::clock::{Moment, Reading};
use crate::journal::record::{MAX_KEY_BYTES, Record};
use crate::state::{State, no_account};
use crate::unit::Spend;

/// Another limit than the definition's, for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// The limit in force meanwhile, in the budget's unit.
    pub limit: u64,
    /// Unix milliseconds at which the definition's limit comes back by itself.
    pub until_ms: u64,
}

/// Why a budget was not changed by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No account has the key.
    #[error("no budget has the key {0}; `weir budget list` shows those that have been used")]
    NoAccount(String),
    /// The accounts are another agent's now.
    #[error("this agent has handed its budgets over to the next one; ask that one")]
    HandedOver,
}

/// A change by hand, as it is carried out and replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByHand {
    Override(Option<Override>),
    Reset,
}

impl ByHand {
    fn change(self) -> Change {
        match self {
            Self::Override(Some(_)) => Change::Override,
            Self::Override(None) => Change::OverrideRemoved,
            Self::Reset => Change::Reset,
        }
    }
}

impl Account {
    /// The limit in force.
    pub(crate) fn limit(&self) -> u64 {
        self.limit_override
            .map_or(self.defined_limit, |found| found.limit)
    }

    /// Carries out a change by hand and says what it did.
    pub(crate) fn change_by_hand(&mut self, number: u64, what: ByHand, by: &str, now: Moment) -> AuditEntry {
        self.advance(now);
        let before = Figures::of(self);
        match what {
            ByHand::Override(wanted) => {
                self.limit_override =
                    wanted
                        .filter(|wanted| wanted.until_ms > now.calendar_ms)
                        .map(|wanted| Override {
                            limit: wanted.limit.min(MAX_AMOUNT),
                            ..wanted
                        });
            }
            ByHand::Reset => self.clear(),
        }
        self.drain_debt();
        AuditEntry {
            number,
            at_ms: now.calendar_ms,
            by: by.to_owned(),
            key: Arc::clone(&self.key),
            unit: self.unit,
            change: what.change(),
            before,
            after: Figures::of(self),
        }
    }
}

impl State {
    /// Carries out a change by hand on the account of a key.
    pub(crate) fn change_by_hand(
        &mut self,
        key: &str,
        what: ByHand,
        by: &str,
        reading: Reading<'_>,
    ) -> Result<AccountState, ChangeError> {
        let missing = || ChangeError::NoAccount(key.to_owned());
        let now = self.now(reading);
        let slot = self.book.find(key).ok_or_else(missing)?;
        let number = self.audit.last + 1;
        let by = bounded_name(by);
        self.apply_by_hand(slot, number, what, by, now)
            .ok_or_else(missing)?;
        let record = Record::ByHand {
            slot,
            number,
            what,
            by,
        };
        self.record(now.ledger_ms, &record, &[slot]);
        self.account_state(slot, now).ok_or_else(missing)
    }

    fn apply_by_hand(
        &mut self,
        slot: SlotNumber,
        number: u64,
        what: ByHand,
        by: &str,
        now: Moment,
    ) -> Option<()> {
        let account = self.book.account_mut(slot)?;
        self.audit.push(account.change_by_hand(number, what, by, now));
        let passed = account.pass_alerts(now);
        self.crossings.note(slot, passed);
        Some(())
    }

    /// Opens the account of a budget, or puts its definition into force where there is one.
    pub(crate) fn open_account(
        &mut self,
        budget: &Budget,
        reading: Reading<'_>,
    ) -> Result<AccountState, Denied> {
        let now = self.now(reading);
        let refused = |reason| no_account(budget, &Spend::default(), reason);
        if budget.key.len() > MAX_KEY_BYTES {
            return Err(refused(DenyReason::KeyTooLong));
        }
        let slot = match self.book.find(&budget.key) {
            Some(slot) => {
                self.define(slot, budget, now);
                slot
            }
            None => {
                if self.book.room() == 0 {
                    self.forget_idle(now);
                }
                if self.book.room() == 0 {
                    return Err(refused(DenyReason::AccountsFull));
                }
                self.open(budget, now)
            }
        };
        self.account_state(slot, now)
            .ok_or_else(|| refused(DenyReason::AccountsFull))
    }
}
