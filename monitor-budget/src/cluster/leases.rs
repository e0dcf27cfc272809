//! The accounts' side of leases: what the ledger's lock guards of the cluster, and what the syncer does under it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bell::Bell;
use super::purse::span;
use super::script::{Ask, Reply, Seen};
use crate::account::{Account, RETRY_WHILE_RESERVED_MS};
use crate::book::SlotNumber;
use crate::budget::{Denied, DenyReason};
use crate::charges::Charges;
use crate::clock::Moment;
use crate::journal::record::Record;
use crate::state::{Owner, State};
use crate::unit::Unit;

/// Accounts looked at under one lock: some 50 microseconds.
const LOOKED_AT_ONCE: usize = 512;

/// Whether the cluster's store answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It does, or has not been asked yet.
    #[default]
    Answers,
    /// It did not, the last time.
    Gone,
}

/// What the ledger's lock guards of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Accounts with a purse; some may be gone.
    slots: BTreeSet<SlotNumber>,
    /// Accounts that cannot wait for their turn.
    hurried: BTreeSet<SlotNumber>,
    /// Where the turn has come to.
    look_from: SlotNumber,
    pub(crate) reach: Reach,
    /// Wakes the syncer.
    pub(crate) bell: Option<Arc<Bell>>,
    /// The newest of the store that was seen.
    pub(crate) seen: Seen,
    /// The store's wall clock less calendar time.
    store_ahead_ms: i64,
    /// Leases that were lost to the store: another node had used this one's identity.
    pub(crate) replaced: bool,
}

/// An exchange about one account.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) slot: SlotNumber,
    pub(crate) unit: Unit,
    pub(crate) key: Arc<str>,
    pub(crate) ask: Ask,
    /// Before it was sent.
    pub(crate) sent: Moment,
}

/// What the node holds of the cluster's budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) live: usize,
    pub(crate) unreported: usize,
}

impl Leases {
    fn hurry(&mut self, slot: SlotNumber) {
        self.hurried.insert(slot);
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }

    /// The moment by the store's wall clock.
    fn store_moment(&self, now: Moment) -> Moment {
        Moment {
            calendar_ms: now.calendar_ms.saturating_add_signed(self.store_ahead_ms),
            ..now
        }
    }

    /// Finds the purses of a book that was read.
    pub(crate) fn find(&mut self, book: &mut crate::book::Book) {
        let slots = book.slot_numbers();
        let has_purse = |slot: &SlotNumber| {
            book.account_mut(*slot)
                .is_some_and(|account| account.purse.is_some())
        };
        self.slots = slots.filter(has_purse).collect();
    }
}

impl State {
    /// Notes an account that was opened or whose scope has changed.
    pub(crate) fn record_purse(&mut self, slot: SlotNumber, now: Moment) {
        let Some(account) = self.book.account_mut(slot) else {
            return;
        };
        let purse = account.purse.as_ref().map(|purse| purse.to_string());
        if purse.is_some() {
            self.leases.slots.insert(slot);
        }
        let purse = purse.unwrap_or_default();
        self.record(now.ledger_ms, &Record::Purse { slot, purse: &purse }, &[slot]);
    }

    /// What is free in an account's purse, if it has one.
    pub(crate) fn lease_free(&mut self, slot: SlotNumber, now: Moment) -> Option<u64> {
        let store = self.leases.store_moment(now);
        let gone = self.leases.reach == Reach::Gone;
        let account = self.book.account_mut(slot)?;
        let held = account.held();
        Some(account.purse.as_mut()?.free(held, store, gone))
    }

    /// Why an account with a purse has not `amount` free, if so. More is asked for then.
    pub(crate) fn lease_refusal(&mut self, slot: SlotNumber, amount: u64, now: Moment) -> Option<Denied> {
        let store = self.leases.store_moment(now);
        let gone = self.leases.reach == Reach::Gone;
        let account = self.book.account_mut(slot)?;
        let held = account.held();
        let purse = account.purse.as_mut()?;
        let free = purse.free(held, store, gone);
        if amount <= free {
            return None;
        }
        let (reason, retry_after_ms) = if amount > held.limit {
            (DenyReason::LargerThanLimit, None)
        } else {
            let may_help = purse.note_need(amount - free, now);
            let reason = match (gone || purse.is_seeding(), may_help) {
                (true, _) => DenyReason::StoreLost,
                (false, true) => DenyReason::NeedsLease,
                (false, false) => DenyReason::Exhausted,
            };
            (reason, Some(RETRY_WHILE_RESERVED_MS))
        };
        let denied = Denied {
            key: account.key.clone(),
            reason,
            unit: account.unit,
            requested: amount,
            limit: held.limit,
            used: purse.view.used,
            reserved: purse.view.leased,
            debt: purse.view.debt,
            retry_after_ms,
        };
        if reason != DenyReason::LargerThanLimit {
            self.leases.hurry(slot);
        }
        Some(denied)
    }

    /// Notes a reservation on an account with a purse; a purse that runs low is refilled ahead.
    pub(crate) fn note_lease_use(&mut self, slot: SlotNumber, now: Moment) {
        let low = self.book.account_mut(slot).is_some_and(|account| {
            let held = account.held();
            account
                .purse
                .as_mut()
                .is_some_and(|purse| purse.note_use(held, now))
        });
        if low {
            self.leases.hurry(slot);
        }
    }

    /// Exchanges that are due, at most `at_most`, each in the journal before it is sent. Also whether others are left to be looked at.
    pub(crate) fn asks(
        &mut self,
        ttl_ms: u64,
        at_most: usize,
        now: Moment,
        mut nonce: impl FnMut() -> u64,
    ) -> (Vec<Asked>, bool) {
        if !matches!(self.owner, Owner::Own) {
            return (Vec::new(), false);
        }
        let sent = self.leases.store_moment(now);
        let hurried = std::mem::take(&mut self.leases.hurried);
        let looked_at = self.leases.slots.range(self.leases.look_from..).copied();
        let looked_at: Vec<_> = looked_at.take(LOOKED_AT_ONCE).collect();
        let in_turn = looked_at.iter().filter(|slot| !hurried.contains(slot));
        let mut asks = Vec::new();
        let mut look_from = looked_at.last().map_or(0, |last| last + 1);
        for slot in hurried.iter().chain(in_turn).copied() {
            let Some(account) = self
                .book
                .account_mut(slot)
                .filter(|account| account.purse.is_some())
            else {
                self.leases.slots.remove(&slot);
                continue;
            };
            account.advance(now);
            if asks.len() == at_most {
                look_from = look_from.min(slot);
                break;
            }
            if let Some(ask) = ask(account, &self.leases.seen.epoch, ttl_ms, nonce(), sent) {
                let (unit, key) = (account.unit, account.key.clone());
                asks.push(Asked {
                    slot,
                    unit,
                    key,
                    ask,
                    sent,
                });
            }
        }
        let more = self.leases.slots.range(look_from..).next().is_some() && look_from > 0;
        self.leases.look_from = if more { look_from } else { 0 };
        for asked in &asks {
            self.record_purse(asked.slot, now);
        }
        (asks, more)
    }

    /// Takes the reply to an exchange.
    pub(crate) fn hear(&mut self, asked: &Asked, reply: &Reply, now: Moment) {
        self.leases.seen.note(reply);
        self.leases.store_ahead_ms = reply.store_ms.wrapping_sub(now.calendar_ms).cast_signed();
        if !matches!(self.owner, Owner::Own) {
            return;
        }
        let Some(account) = self
            .book
            .account_mut(asked.slot)
            .filter(|account| account.key == asked.key)
        else {
            return;
        };
        let Some(purse) = account.purse.as_mut() else {
            return;
        };
        if purse.hear(&asked.ask, reply, asked.sent) {
            self.leases.replaced = true;
        }
        self.record_purse(asked.slot, now);
    }

    /// Starts all purses anew, for a node that has a new identity.
    pub(crate) fn forget_leases(&mut self, now: Moment) {
        self.leases.replaced = false;
        for slot in self.leases.slots.clone() {
            if let Some(purse) = self
                .book
                .account_mut(slot)
                .and_then(|account| account.purse.as_mut())
            {
                purse.forget_lease();
                self.record_purse(slot, now);
            }
        }
    }

    pub(crate) fn holdings(&mut self, now: Moment) -> Holdings {
        let mut holdings = Holdings::default();
        for &slot in &self.leases.slots {
            if let Some(purse) = self
                .book
                .account_mut(slot)
                .and_then(|account| account.purse.as_ref())
            {
                holdings.live += usize::from(purse.lease() > 0 && purse.is_live(now));
                holdings.unreported += usize::from(purse.unreported() > 0);
            }
        }
        holdings
    }
}

fn ask(account: &mut Account, epoch: &str, ttl_ms: u64, nonce: u64, sent: Moment) -> Option<Ask> {
    let held = account.held();
    let span = span(account.unit, &account.window, sent.calendar_ms);
    let charges = &account.charges;
    let purse = account.purse.as_mut()?;
    let due = purse.is_due(held, epoch, ttl_ms, sent);
    due.then(|| purse.ask(held, span, ttl_ms, nonce, sent, || own(charges, sent)))
}

/// The node's own charges by their age, none taken for older than it is.
fn own(charges: &Charges, now: Moment) -> Vec<(u64, u64)> {
    match charges {
        Charges::Rolling { rolling, .. } => {
            let age = |index: u64| {
                now.ledger_ms
                    .saturating_sub(rolling.start_ms(index.saturating_add(1)))
            };
            rolling
                .slots()
                .map(|slot| (age(slot.index), slot.tokens))
                .collect()
        }
        Charges::Calendar { settled, .. } if *settled > 0 => vec![(0, *settled)],
        Charges::Calendar { .. } | Charges::Open => Vec::new(),
    }
}
