//! The ledger's handle and its public operations.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::book::SlotNumber;
use crate::budget::{AccountState, Budget, Denied, Settlement};
use crate::clock::{Clock, TimeLine};
use crate::reservation::Reservation;
use crate::state::State;

/// Slots read per lock taken by operations that go through all accounts.
const SLOTS_PER_LOCK: usize = 256;

/// The token ledger. A cheap handle: clones share the accounts.
#[derive(Clone)]
pub struct Ledger {
    core: Arc<Core>,
}

/// What handles and reservations share.
pub(crate) struct Core {
    clock: Arc<dyn Clock>,
    /// One lock over all accounts: a reservation over several budgets is one step without an order of locks to keep. Held for
    /// well under a microsecond per operation. To shard, split the book by key and lock the shards of a request in ascending order;
    /// nothing outside `Core` would change.
    state: Mutex<State>,
}

impl Ledger {
    /// A ledger that forgets everything when it is dropped.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        let time = TimeLine::starting_at(clock.now_ms(), clock.monotonic_ms());
        Self {
            core: Arc::new(Core {
                clock,
                state: Mutex::new(State::new(time)),
            }),
        }
    }

    /// Holds `tokens` on every budget, or on none. With no budgets the reservation only meters.
    ///
    /// A budget seen for the first time opens its account; one whose limit or window has changed takes the new ones at
    /// once. The same key given twice is one budget, as first given.
    ///
    /// # Errors
    /// [`Denied`] with the budget that refused: the one with the longest wait if several did.
    pub fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<Reservation, Denied> {
        let slots = if budgets.is_empty() {
            Default::default()
        } else {
            self.core.reserve(budgets, tokens)?
        };
        Ok(Reservation::new(Arc::clone(&self.core), slots, tokens))
    }

    /// Puts new limits and windows into force on accounts that exist, for a configuration reload: `definition` gives limit in
    /// tokens and window in milliseconds for a key, or `None` to leave that account as it is.
    pub fn redefine(&self, mut definition: impl FnMut(&str) -> Option<(u64, u64)>) {
        self.core.for_each_slot(|state, slot, now_ms| {
            let Some(account) = state.book.account_mut(slot) else {
                return;
            };
            if let Some((limit, window_ms)) = definition(&account.key) {
                let budget = Budget::new(Arc::clone(&account.key), limit, window_ms);
                state.define(slot, budget.limit(), budget.window_ms(), now_ms);
            }
        });
    }

    /// All accounts, each as it stood at one moment of the call.
    #[must_use]
    pub fn snapshot(&self) -> Vec<AccountState> {
        let unix_ms = self.core.clock.now_ms();
        let mut accounts = Vec::new();
        self.core
            .for_each_slot(|state, slot, now_ms| accounts.extend(state.account_state(slot, now_ms, unix_ms)));
        accounts
    }

    /// The account of one budget, if it has one.
    #[must_use]
    pub fn account(&self, key: &str) -> Option<AccountState> {
        let unix_ms = self.core.clock.now_ms();
        let monotonic_ms = self.core.clock.monotonic_ms();
        let mut state = self.core.state.lock();
        let now_ms = state.time.at(monotonic_ms);
        let slot = state.book.find(key)?;
        state.account_state(slot, now_ms, unix_ms)
    }
}

impl Core {
    fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<crate::state::Slots, Denied> {
        let monotonic_ms = self.clock.monotonic_ms();
        self.state.lock().reserve(budgets, tokens, monotonic_ms)
    }

    pub(crate) fn extend(&self, slots: &[SlotNumber], tokens: u64) -> Result<(), Denied> {
        if slots.is_empty() {
            return Ok(());
        }
        let monotonic_ms = self.clock.monotonic_ms();
        self.state.lock().extend(slots, tokens, monotonic_ms)
    }

    pub(crate) fn settle(&self, slots: &[SlotNumber], held: u64, charge: u64) -> Settlement {
        if slots.is_empty() {
            return Settlement {
                settled: charge,
                debt: 0,
            };
        }
        let monotonic_ms = self.clock.monotonic_ms();
        self.state.lock().settle(slots, held, charge, monotonic_ms)
    }

    /// Visits all slots with the ledger time, letting go of the lock now and then so that requests are not held up.
    fn for_each_slot(&self, mut visit: impl FnMut(&mut State, SlotNumber, u64)) {
        let mut from = 0;
        loop {
            let monotonic_ms = self.clock.monotonic_ms();
            let mut state = self.state.lock();
            let now_ms = state.time.at(monotonic_ms);
            let to = state.book.slot_count().min(from + SLOTS_PER_LOCK);
            if from == to {
                return;
            }
            for slot in (from..to).filter_map(|slot| SlotNumber::try_from(slot).ok()) {
                visit(&mut state, slot, now_ms);
            }
            from = to;
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
