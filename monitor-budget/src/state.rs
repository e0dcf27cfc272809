//! What the ledger's lock guards, and the changes made under it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::account::{Account, RETRY_WHILE_RESERVED_MS};
use crate::alert::{Crossings, MAX_ALERTS};
use crate::audit::AuditLog;
use crate::book::{Book, SlotNumber};
use crate::budget::{AccountState, Budget, Charge, Denied, DenyReason, Scope, Settlement};
use crate::clock::{Moment, Reading, TimeLine};
use crate::cluster::leases::Leases;
use crate::handover::Successor;
use crate::journal::Log;
use crate::journal::record::{Amounts, MAX_KEY_BYTES, Record, Settles, WindowText};
use crate::reservation::{Hold, Holds, Settle};
use crate::unit::Spend;

/// The accounts and the time they run on.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) time: TimeLine,
    pub(crate) book: Book,
    /// Reservations open on at least one account.
    pub(crate) open_reservations: u64,
    /// Where changes are logged; none for a ledger in memory and for one that was handed over.
    pub(crate) log: Option<Log>,
    /// Changes by hand that the store does not have yet.
    pub(crate) audit: AuditLog,
    /// Thresholds passed that nobody has taken yet.
    pub(crate) crossings: Crossings,
    /// Whose the accounts are.
    pub(crate) owner: Owner,
    /// Budgets of the cluster.
    pub(crate) leases: Leases,
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
            audit: AuditLog::default(),
            crossings: Crossings::default(),
            owner: Owner::Own,
            leases: Leases::default(),
        }
    }

    /// The present on both time lines. A step of the wall clock is carried out first.
    pub(crate) fn now(&mut self, reading: Reading<'_>) -> Moment {
        let ledger_ms = self.time.at(reading.monotonic_ms);
        if let Some(unix_ms) = self.time.stepped_to(ledger_ms, reading) {
            self.step(ledger_ms, unix_ms);
        }
        self.time.moment(ledger_ms)
    }

    /// Brings all calendar windows up to the old time, then to the new one: the only place where a step has an effect.
    fn step(&mut self, ledger_ms: u64, unix_ms: u64) {
        let before = self.time.moment(ledger_ms);
        self.time.step(ledger_ms, unix_ms);
        let after = self.time.moment(ledger_ms);
        let stepped = self.book.step(before, after, |_| true);
        self.record(ledger_ms, &Record::Step { unix_ms }, &stepped);
    }

    /// Takes what `spend` comes to from every budget or from none.
    pub(crate) fn reserve(
        &mut self,
        budgets: &[&Budget],
        spend: &Spend,
        reading: Reading<'_>,
    ) -> Result<Holds, Denied> {
        let now = self.now(reading);
        if let Some(budget) = budgets.iter().find(|budget| budget.key.len() > MAX_KEY_BYTES) {
            return Err(no_account(budget, spend, DenyReason::KeyTooLong));
        }
        let mut missing = 0;
        let mut denied: Option<Denied> = None;
        // Each key is looked up once: with many accounts that is much of what a reservation costs.
        let mut found: SmallVec<[(&Budget, Option<SlotNumber>); 4]> = SmallVec::new();
        for budget in each_key_once(budgets) {
            let amount = budget.unit.of(spend);
            let mut slot = self.book.find(&budget.key);
            let refusal = match slot {
                Some(slot) => {
                    self.define(slot, budget, now);
                    self.refusal(slot, amount, now)
                }
                // Nothing is leased yet: the account is there so that something will be.
                None if budget.scope != Scope::Node && self.book.room() > 0 => {
                    let opened = self.open(budget, now);
                    slot = Some(opened);
                    self.refusal(opened, amount, now)
                }
                None => {
                    missing += 1;
                    (amount > budget.limit()).then(|| refusal(&Account::new(budget, now), amount, now))
                }
            };
            found.push((budget, slot));
            denied = longer_wait(denied, refusal);
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        if missing > self.book.room() {
            self.forget_idle(now);
            // Those of this request may be among the dropped.
            for (budget, slot) in &mut found {
                *slot = self.book.find(&budget.key);
            }
        }
        if missing > self.book.room() {
            let without = budgets
                .iter()
                .find(|budget| self.book.find(&budget.key).is_none());
            return without.map_or(Ok(Holds::new()), |budget| {
                Err(no_account(budget, spend, DenyReason::AccountsFull))
            });
        }
        let mut holds = Holds::new();
        for (budget, slot) in found {
            let slot = slot.unwrap_or_else(|| self.open(budget, now));
            let held = budget.unit.of(spend);
            if let Some(account) = self.book.account_mut(slot) {
                account.open_reservation(held);
            }
            self.note_lease_use(slot, now);
            holds.push(Hold {
                slot,
                unit: budget.unit,
                held,
            });
        }
        self.open_reservations += 1;
        let amounts: SmallVec<[_; 4]> = holds.iter().map(|hold| (hold.slot, hold.held)).collect();
        let amounts = Amounts::List(&amounts);
        let slots = holds.iter().map(|hold| hold.slot);
        self.record_each(now.ledger_ms, &Record::Reserve { amounts }, slots);
        Ok(holds)
    }

    /// Adds to a reservation on every account or on none.
    pub(crate) fn extend(
        &mut self,
        amounts: &[(SlotNumber, u64)],
        reading: Reading<'_>,
    ) -> Result<(), Denied> {
        let now = self.now(reading);
        let mut denied = None;
        for &(slot, amount) in amounts {
            denied = longer_wait(denied, self.refusal(slot, amount, now));
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        for &(slot, amount) in amounts {
            if let Some(account) = self.book.account_mut(slot) {
                account.hold(amount);
            }
            self.note_lease_use(slot, now);
        }
        let slots = amounts.iter().map(|(slot, _)| *slot);
        let amounts = Amounts::List(amounts);
        self.record_each(now.ledger_ms, &Record::Extend { amounts }, slots);
        Ok(())
    }

    /// Ends a reservation with its charges.
    pub(crate) fn settle(&mut self, settles: &[Settle], reading: Reading<'_>) -> Settlement {
        let now = self.now(reading);
        let mut settlement = Settlement::default();
        for settle in settles {
            let mut debt = 0;
            if let Some(account) = self.book.account_mut(settle.slot) {
                account.advance(now);
                debt = account.close_reservation(settle.held, settle.charge);
                let passed = account.pass_alerts(now);
                self.crossings.note(settle.slot, passed);
            }
            settlement.0.push(Charge {
                settled: settle.charge - debt,
                debt,
            });
        }
        self.open_reservations = self.open_reservations.saturating_sub(1);
        let slots = settles.iter().map(|settle| settle.slot);
        let settles = Settles::List(settles);
        self.record_each(now.ledger_ms, &Record::Settle { settles }, slots);
        settlement
    }

    /// Puts another definition into force on an account, if it differs.
    pub(crate) fn define(&mut self, slot: SlotNumber, budget: &Budget, now: Moment) {
        let Some(account) = self.book.account_mut(slot) else {
            return;
        };
        if !account.is_defined_by(budget) {
            account.redefine(budget, now);
            let passed = account.pass_alerts(now);
            self.crossings.note(slot, passed);
            self.record_definition(slot, now);
        }
        let Some(account) = self.book.account_mut(slot) else {
            return;
        };
        if account.scope() != budget.scope {
            account.rescope(budget.scope);
            self.record_purse(slot, now);
        }
    }

    pub(crate) fn open(&mut self, budget: &Budget, now: Moment) -> SlotNumber {
        let slot = self.book.open(budget, now);
        self.record_definition(slot, now);
        if budget.scope != Scope::Node {
            self.record_purse(slot, now);
        }
        slot
    }

    fn record_definition(&mut self, slot: SlotNumber, now: Moment) {
        let Some(account) = self.book.account_mut(slot) else {
            return;
        };
        let (limit, unit, key) = (account.defined_limit, account.unit, Arc::clone(&account.key));
        let window = account.window.to_string();
        let alert_at: SmallVec<[u8; MAX_ALERTS]> = account.alerts.percents().collect();
        let record = Record::Define {
            slot,
            limit,
            unit,
            window: WindowText::Text(&window),
            alert_at: &alert_at,
            key: &key,
        };
        self.record(now.ledger_ms, &record, &[slot]);
    }

    /// Drops a few of the accounts that hold nothing.
    pub(crate) fn forget_idle(&mut self, now: Moment) {
        for slot in self.book.idle_slots(now) {
            let untold = self.book.account_mut(slot).map_or(0, |a| a.untold_alerts());
            self.crossings.lost += untold as u64;
            self.book.forget(slot);
            self.record(now.ledger_ms, &Record::Forget { slot }, &[slot]);
        }
    }

    /// The holds on budgets that another agent keeps, so that reservations on them have numbers here too.
    pub(crate) fn holds_of(
        &mut self,
        budgets: &[&Budget],
        spend: &Spend,
        reading: Reading<'_>,
    ) -> Result<Holds, Denied> {
        let now = self.now(reading);
        let mut holds = Holds::new();
        for budget in each_key_once(budgets) {
            let slot = match self.book.find(&budget.key) {
                Some(slot) => slot,
                None if self.book.room() == 0 => {
                    return Err(no_account(budget, spend, DenyReason::AccountsFull));
                }
                None => self.book.open(budget, now),
            };
            holds.push(Hold {
                slot,
                unit: budget.unit,
                held: budget.unit.of(spend),
            });
        }
        Ok(holds)
    }

    /// The key of a slot.
    pub(crate) fn key_of(&mut self, slot: SlotNumber) -> Option<Arc<str>> {
        self.book.account_mut(slot).map(|account| account.key.clone())
    }

    /// Logs a change already made to `slots`.
    pub(crate) fn record(&mut self, ledger_ms: u64, record: &Record<'_>, slots: &[SlotNumber]) {
        self.record_each(ledger_ms, record, slots.iter().copied());
    }

    fn record_each(&mut self, ledger_ms: u64, record: &Record<'_>, slots: impl Iterator<Item = SlotNumber>) {
        let Some(log) = self.log.as_mut() else { return };
        let lsn = log.append(ledger_ms, record);
        for slot in slots {
            self.book.touch(slot, lsn);
        }
    }

    /// Brings an account up to date and says why it has not `amount` free, if so.
    fn refusal(&mut self, slot: SlotNumber, amount: u64, now: Moment) -> Option<Denied> {
        let account = self.book.account_mut(slot)?;
        account.advance(now);
        if account.purse.is_some() {
            return self.lease_refusal(slot, amount, now);
        }
        (account.free() < amount).then(|| refusal(account, amount, now))
    }

    /// The account as seen now.
    pub(crate) fn account_state(&mut self, slot: SlotNumber, now: Moment) -> Option<AccountState> {
        let account = self.book.account_mut(slot)?;
        account.advance(now);
        let on_wall = |in_ms: u64| now.calendar_ms.saturating_add(in_ms);
        Some(AccountState {
            key: account.key.clone(),
            unit: account.unit,
            limit: account.limit(),
            defined_limit: account.defined_limit,
            override_until_ms: account.limit_override.map(|found| found.until_ms),
            window: account.window.clone(),
            settled: account.settled(),
            reserved: account.reserved,
            debt: account.debt,
            peak_outstanding: account.peak_outstanding,
            open_reservations: account.open_reservations,
            next_free_ms: account.next_free_in_ms(now).map(on_wall),
            resets_at_ms: account.resets_in_ms(now).map(on_wall),
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

fn refusal(account: &Account, amount: u64, now: Moment) -> Denied {
    Denied {
        key: account.key.clone(),
        reason: if amount > account.limit().max(account.defined_limit) {
            DenyReason::LargerThanLimit
        } else {
            DenyReason::Exhausted
        },
        unit: account.unit,
        requested: amount,
        limit: account.limit(),
        used: account.settled(),
        reserved: account.reserved,
        debt: account.debt,
        retry_after_ms: account.fits_in_ms(amount, now),
    }
}

pub(crate) fn no_account(budget: &Budget, spend: &Spend, reason: DenyReason) -> Denied {
    Denied {
        key: Arc::clone(&budget.key),
        reason,
        unit: budget.unit,
        requested: budget.unit.of(spend),
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
