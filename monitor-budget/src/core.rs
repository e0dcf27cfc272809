//! What handles and reservations share, and how each operation takes the lock.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::audit::{AuditEntry, latest};
use crate::book::SlotNumber;
use crate::budget::{AccountState, Budget, Denied, DenyReason, Settlement};
use crate::checkpoint::Durable;
use crate::clock::{Clock, Moment, Reading, TimeLine};
use crate::cluster::bell::{Bell, Refill};
use crate::cluster::syncer::Syncer;
use crate::error::LedgerError;
use crate::handover::{Ending, Held, Successor};
use crate::health::Health;
use crate::ledger::Checkpoints;
use crate::overrides::{ByHand, ChangeError};
use crate::recovery::{Open, Recovery};
use crate::reservation::{Holds, Settle};
use crate::state::{Owner, State, no_account};
use crate::ticker::Ticker;
use crate::unit::Spend;

/// Slots visited per lock taken by operations that go through all accounts.
const SLOTS_PER_LOCK: usize = 256;

/// The ledger behind its handles. The last handle or reservation to go ends the checkpoint thread, writes a last
/// checkpoint and lets go of the directory.
pub(crate) struct Core {
    shared: Arc<Shared>,
    ticker: Option<Ticker>,
    syncer: Mutex<Option<Syncer>>,
}

/// What the threads need of it.
pub(crate) struct Shared {
    clock: Arc<dyn Clock>,
    /// One lock over all accounts: a reservation over several budgets is one step without an order of locks to keep. Held
    /// for well under a microsecond per operation. To shard, split the book by key and lock the shards of a request in
    /// ascending order; nothing outside this file and the checkpoints would change.
    state: Mutex<State>,
    /// Told when the accounts have changed hands.
    changed_hands: Condvar,
    durable: Option<Durable>,
}

impl Core {
    pub(crate) fn in_memory(clock: Arc<dyn Clock>) -> Self {
        let reading = Reading::of(&*clock);
        let time = TimeLine::starting_at(reading.unix_ms(), reading);
        let shared = Shared {
            clock,
            state: Mutex::new(State::new(time)),
            changed_hands: Condvar::new(),
            durable: None,
        };
        Self {
            shared: Arc::new(shared),
            ticker: None,
            syncer: Mutex::new(None),
        }
    }

    pub(crate) fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        checkpoints: Checkpoints,
        open: Open,
    ) -> Result<Self, LedgerError> {
        let (durable, state) = Durable::open(dir, &*clock, open)?;
        let shared = Arc::new(Shared {
            clock,
            state: Mutex::new(state),
            changed_hands: Condvar::new(),
            durable: Some(durable),
        });
        // A failure, of this one or of the thread's, is in the health and tried again at the next.
        let _ = shared.checkpoint();
        let ticker = match checkpoints {
            Checkpoints::OnDemand => None,
            Checkpoints::Every(period) => {
                let shared = Arc::clone(&shared);
                let ticker = Ticker::start(period, move || drop(shared.checkpoint()));
                Some(ticker.map_err(LedgerError::file("start the checkpoint thread for", dir))?)
            }
        };
        Ok(Self {
            shared,
            ticker,
            syncer: Mutex::new(None),
        })
    }

    pub(crate) fn reserve(&self, budgets: &[&Budget], spend: &Spend) -> Result<Holds, Denied> {
        match self.shared.enter() {
            Entered::Own(state) => self
                .shared
                .change_in(state, |state, reading| state.reserve(budgets, spend, reading)),
            Entered::Successor(successor, mut state) => {
                let holds = state.holds_of(budgets, spend, Reading::of(&*self.shared.clock))?;
                drop(state);
                successor.reserve(budgets, spend)?;
                Ok(holds)
            }
        }
    }

    /// Carries out `change` in one step on accounts that are this ledger's; `None` while they are another agent's.
    pub(crate) fn with_own<T>(&self, change: impl FnOnce(&mut State, Reading<'_>) -> T) -> Option<T> {
        match self.shared.enter() {
            Entered::Own(state) => Some(self.shared.change_in(state, change)),
            Entered::Successor(..) => None,
        }
    }

    pub(crate) fn extend(&self, amounts: &[(SlotNumber, u64)]) -> Result<(), Denied> {
        if amounts.is_empty() {
            return Ok(());
        }
        match self.shared.enter() {
            Entered::Own(state) => self
                .shared
                .change_in(state, |state, reading| state.extend(amounts, reading)),
            Entered::Successor(successor, mut state) => {
                let keyed = |&(slot, amount): &(SlotNumber, u64)| Some((state.key_of(slot)?, amount));
                let amounts: Vec<_> = amounts.iter().filter_map(keyed).collect();
                drop(state);
                successor.extend(&amounts)
            }
        }
    }

    pub(crate) fn settle(&self, settles: &[Settle]) -> Settlement {
        if settles.is_empty() {
            return Settlement::default();
        }
        match self.shared.enter() {
            Entered::Own(state) => self
                .shared
                .change_in(state, |state, reading| state.settle(settles, reading)),
            Entered::Successor(successor, mut state) => {
                let keyed = |settle: &Settle| {
                    Some(Ending {
                        key: state.key_of(settle.slot)?,
                        held: settle.held,
                        charge: settle.charge,
                    })
                };
                let endings: Vec<_> = settles.iter().filter_map(keyed).collect();
                drop(state);
                successor.settle(&endings)
            }
        }
    }

    /// Opens the account of a budget, or puts its definition into force.
    pub(crate) fn open_account(&self, budget: &Budget) -> Result<AccountState, Denied> {
        match self.shared.enter() {
            Entered::Own(state) => self
                .shared
                .change_in(state, |state, reading| state.open_account(budget, reading)),
            Entered::Successor(..) => Err(no_account(budget, &Spend::default(), DenyReason::Unreachable)),
        }
    }

    /// Carries out a change by hand.
    pub(crate) fn change_by_hand(
        &self,
        key: &str,
        what: ByHand,
        by: &str,
    ) -> Result<AccountState, ChangeError> {
        match self.shared.enter() {
            Entered::Own(state) => self.shared.change_in(state, |state, reading| {
                state.change_by_hand(key, what, by, reading)
            }),
            Entered::Successor(..) => Err(ChangeError::HandedOver),
        }
    }

    /// The last changes by hand, the latest first.
    pub(crate) fn audit(&self, key: Option<&str>, limit: usize) -> Result<Vec<AuditEntry>, LedgerError> {
        match &self.shared.durable {
            Some(durable) => durable.audit(&self.shared.state, key, limit),
            None => Ok(latest(&self.shared.state.lock().audit, key, limit)),
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<(), LedgerError> {
        self.shared.checkpoint()
    }

    /// Lets requests wait, writes all to the disk and lets go of it. Returns how many reservations are open.
    pub(crate) fn hand_over(&self) -> Result<u64, LedgerError> {
        let bell = self.shared.bell();
        // Two agents must never speak for one node.
        if let Some(bell) = &bell {
            bell.pause();
        }
        self.shared.state.lock().owner = Owner::Changing;
        let released = match &self.shared.durable {
            Some(durable) => durable.release(&self.shared.state, &*self.shared.clock),
            None => Ok(()),
        };
        if let Err(error) = released {
            self.shared.belongs_to(Owner::Own);
            if let Some(bell) = &bell {
                bell.resume();
            }
            return Err(error);
        }
        Ok(self.shared.state.lock().open_reservations)
    }

    /// Lets requests go on with the accounts of another agent.
    pub(crate) fn succeed_by(&self, successor: Arc<dyn Successor>) {
        self.shared.belongs_to(Owner::Successor(successor));
    }

    /// Takes the accounts back that were being handed over. What somebody else has reserved since is charged in full.
    pub(crate) fn resume(&self) -> Result<(), LedgerError> {
        if matches!(self.shared.state.lock().owner, Owner::Own) {
            return Ok(());
        }
        let Some(durable) = &self.shared.durable else {
            self.shared.belongs_to(Owner::Own);
            if let Some(bell) = self.shared.bell() {
                bell.resume();
            }
            return Ok(());
        };
        let reservations = self.shared.state.lock().open_reservations;
        let mut retaken = durable.retake(&*self.shared.clock, Open::Kept { reservations })?;
        let own = self.held();
        let now = retaken.now(Reading::of(&*self.shared.clock));
        for slot in retaken.book.slot_numbers() {
            let Some(account) = retaken.book.account_mut(slot) else {
                continue;
            };
            let ours = own.get(&slot).copied().unwrap_or_default();
            let foreign = account.reserved.saturating_sub(ours.amount);
            if foreign > 0 || account.open_reservations > ours.reservations {
                account.advance(now);
                account.charge_held(foreign, now);
                account.open_reservations = ours.reservations;
                retaken.book.mark_dirty(&[slot]);
            }
        }
        retaken.queue_untold();
        let bell = self.shared.bell();
        retaken.leases.bell.clone_from(&bell);
        *self.shared.state.lock() = retaken;
        self.shared.changed_hands.notify_all();
        if let Some(bell) = bell {
            bell.resume();
        }
        // A failure is in the health and tried again at the next.
        let _ = self.shared.checkpoint();
        Ok(())
    }

    /// What open reservations hold, by account.
    pub(crate) fn held(&self) -> HashMap<SlotNumber, Held> {
        let mut state = self.shared.state.lock();
        let mut held = HashMap::new();
        for slot in state.book.slot_numbers() {
            if let Some(account) = state.book.account_mut(slot)
                && account.open_reservations > 0
            {
                held.insert(
                    slot,
                    Held {
                        amount: account.reserved,
                        unit: account.unit,
                        reservations: account.open_reservations,
                    },
                );
            }
        }
        held
    }

    pub(crate) fn health(&self) -> Health {
        let mut health = self
            .shared
            .durable
            .as_ref()
            .map(Durable::health)
            .unwrap_or_default();
        let state = self.shared.state.lock();
        health.accounts = state.book.len();
        health.open_reservations = state.open_reservations;
        health.crossings_lost = state.crossings.lost;
        health
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.shared
            .durable
            .as_ref()
            .map(|durable| durable.recovery)
            .unwrap_or_default()
    }

    /// Hands the accounts and the present to `visit`.
    pub(crate) fn with_state<T>(&self, visit: impl FnOnce(&mut State, Moment) -> T) -> T {
        self.shared.with_state(visit)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The thread that leases from the cluster's store.
    pub(crate) fn syncer(&self) -> &Mutex<Option<Syncer>> {
        &self.syncer
    }

    pub(crate) fn refill(&self) -> Refill {
        Refill::new(self.shared.bell())
    }

    /// Visits all slots with the present, letting waiting requests go first now and then.
    pub(crate) fn for_each_slot(&self, mut visit: impl FnMut(&mut State, SlotNumber, Moment)) {
        let mut from = 0;
        loop {
            let mut state = self.shared.state.lock();
            MutexGuard::bump(&mut state);
            let now = state.now(Reading::of(&*self.shared.clock));
            let to = state.book.slot_count().min(from + SLOTS_PER_LOCK);
            for slot in (from..to).filter_map(|slot| SlotNumber::try_from(slot).ok()) {
                visit(&mut state, slot, now);
            }
            self.shared.release(state);
            if from == to {
                return;
            }
            from = to;
        }
    }
}

/// The lock, and whose the accounts are.
enum Entered<'s> {
    Own(MutexGuard<'s, State>),
    Successor(Arc<dyn Successor>, MutexGuard<'s, State>),
}

impl Shared {
    /// Makes a change and sees it into the journal before the caller hears of it.
    fn change<T>(&self, change: impl FnOnce(&mut State, Reading<'_>) -> T) -> T {
        self.change_in(self.state.lock(), change)
    }

    fn change_in<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        change: impl FnOnce(&mut State, Reading<'_>) -> T,
    ) -> T {
        let outcome = change(&mut state, Reading::of(&*self.clock));
        self.release(state);
        outcome
    }

    /// Hands the accounts and the present to `visit`.
    pub(crate) fn with_state<T>(&self, visit: impl FnOnce(&mut State, Moment) -> T) -> T {
        self.change(|state, reading| {
            let now = state.now(reading);
            visit(state, now)
        })
    }

    fn bell(&self) -> Option<Arc<Bell>> {
        self.state.lock().leases.bell.clone()
    }

    /// The node's identity in its cluster: `new` if it has none, or is to have another one than `not`.
    pub(crate) fn node_id(&self, new: &str, not: Option<&str>) -> Result<String, LedgerError> {
        match &self.durable {
            Some(durable) => durable.node_id(new, not),
            None => Ok(new.to_owned()),
        }
    }

    fn belongs_to(&self, owner: Owner) {
        self.state.lock().owner = owner;
        self.changed_hands.notify_all();
    }

    /// Takes the lock once the accounts are somebody's. They change hands within milliseconds, or the agent that hands them over
    /// takes them back.
    fn enter(&self) -> Entered<'_> {
        let mut state = self.state.lock();
        loop {
            match &state.owner {
                Owner::Own => return Entered::Own(state),
                Owner::Successor(successor) => return Entered::Successor(Arc::clone(successor), state),
                Owner::Changing => self.changed_hands.wait(&mut state),
            }
        }
    }

    fn release(&self, state: MutexGuard<'_, State>) {
        if let Some(durable) = &self.durable {
            durable.flush(&self.state, state);
        }
    }

    fn checkpoint(&self) -> Result<(), LedgerError> {
        let Some(durable) = &self.durable else {
            return Ok(());
        };
        durable.checkpoint(&self.state, &*self.clock)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        *self.syncer.lock() = None;
        // Ended first: nothing may hold the directory when the ledger is gone.
        self.ticker = None;
        // The journal has all of it; this only makes the next start quicker, so that a failure needs no report.
        let _ = self.checkpoint();
    }
}
