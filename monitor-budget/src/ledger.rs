//! The ledger's handle and its public operations.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::book::SlotNumber;
use crate::budget::{AccountState, Budget, Denied, Settlement};
use crate::checkpoint::Durable;
use crate::clock::{Clock, TimeLine};
use crate::error::LedgerError;
use crate::health::Health;
use crate::recovery::Recovery;
use crate::reservation::Reservation;
use crate::state::{Slots, State};
use crate::ticker::Ticker;

/// Slots read per lock taken by operations that go through all accounts.
const SLOTS_PER_LOCK: usize = 256;

/// The token ledger. A cheap handle: clones share the accounts.
#[derive(Clone)]
pub struct Ledger {
    core: Arc<Core>,
}

/// When what the journal holds is written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// By a thread, this often. Each one costs a transaction and a disk sync if anything has changed. A power cut loses at most
    /// this much and the time of the sync.
    Every(Duration),
    /// Only by [`Ledger::checkpoint`], and when the last handle is dropped: for tools and tests.
    OnDemand,
}

impl Default for Checkpoints {
    /// Every half second: with the sync's time, a power cut loses less than a second.
    fn default() -> Self {
        Self::Every(Duration::from_millis(500))
    }
}

/// What handles and reservations share.
pub(crate) struct Core {
    clock: Arc<dyn Clock>,
    /// One lock over all accounts: a reservation over several budgets is one step without an order of locks to keep. Held for
    /// well under a microsecond per operation. To shard, split the book by key and lock the shards of a request in ascending order;
    /// nothing outside `Core` would change.
    state: Mutex<State>,
    durable: Option<Durable>,
    ticker: Option<Ticker>,
}

impl Ledger {
    /// A ledger that forgets everything when it is dropped.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        let time = TimeLine::starting_at(clock.now_ms(), clock.monotonic_ms());
        let core = Core {
            clock,
            state: Mutex::new(State::new(time)),
            durable: None,
            ticker: None,
        };
        Self { core: Arc::new(core) }
    }

    /// Opens the ledger kept in a state directory, making it if there is none, with checkpoints as by default.
    ///
    /// What the last agent acknowledged is there again, however it ended; reservations it left open are charged in full
    /// ([`Ledger::recovery`]). If the disk takes no writes, the ledger opens all the same and [`Ledger::health`] says so.
    ///
    /// # Errors
    /// [`LedgerError`] if another ledger has the directory, or its files cannot be read or are damaged.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Self::open_with(dir, clock, Checkpoints::default())
    }

    /// [`Ledger::open`] with another rhythm of checkpoints.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with(
        dir: &Path,
        clock: Arc<dyn Clock>,
        checkpoints: Checkpoints,
    ) -> Result<Self, LedgerError> {
        let (durable, state) = Durable::open(dir, &*clock)?;
        let ticker = match checkpoints {
            Checkpoints::Every(period) => Some(Ticker::new(period)),
            Checkpoints::OnDemand => None,
        };
        let core = Core {
            clock,
            state: Mutex::new(state),
            durable: Some(durable),
            ticker,
        };
        // A failure is in the health, and repeated.
        let _ = core.checkpoint();
        let core = Arc::new(core);
        if let Some(ticker) = &core.ticker {
            let weak = Arc::downgrade(&core);
            let tick = move || match weak.upgrade() {
                Some(core) => {
                    // A failure is in the health, and the next tick tries again.
                    let _ = core.checkpoint();
                    true
                }
                None => false,
            };
            ticker
                .spawn(tick)
                .map_err(LedgerError::file("start the checkpoint thread for", dir))?;
        }
        Ok(Self { core })
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

    /// Writes all changes to the store now. Only a checkpoint survives a power cut; a kill of the agent needs none.
    ///
    /// # Errors
    /// What could not be written; it is also in [`Ledger::health`] and tried again at the next checkpoint.
    pub fn checkpoint(&self) -> Result<(), LedgerError> {
        self.core.checkpoint()
    }

    /// Whether what the ledger does reaches the disk, and how much it holds.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut health = self
            .core
            .durable
            .as_ref()
            .map(Durable::health)
            .unwrap_or_default();
        let state = self.core.state.lock();
        health.accounts = state.book.len();
        health.open_reservations = state.open_reservations;
        health
    }

    /// What opening the ledger found; nothing for a ledger in memory.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.core
            .durable
            .as_ref()
            .map(|durable| durable.recovery)
            .unwrap_or_default()
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
    fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<Slots, Denied> {
        let monotonic_ms = self.clock.monotonic_ms();
        let mut state = self.state.lock();
        let reserved = state.reserve(budgets, tokens, monotonic_ms);
        self.flush(state);
        reserved
    }

    pub(crate) fn extend(&self, slots: &[SlotNumber], tokens: u64) -> Result<(), Denied> {
        if slots.is_empty() {
            return Ok(());
        }
        let monotonic_ms = self.clock.monotonic_ms();
        let mut state = self.state.lock();
        let extended = state.extend(slots, tokens, monotonic_ms);
        self.flush(state);
        extended
    }

    pub(crate) fn settle(&self, slots: &[SlotNumber], held: u64, charge: u64) -> Settlement {
        if slots.is_empty() {
            return Settlement {
                settled: charge,
                debt: 0,
            };
        }
        let monotonic_ms = self.clock.monotonic_ms();
        let mut state = self.state.lock();
        let settlement = state.settle(slots, held, charge, monotonic_ms);
        self.flush(state);
        settlement
    }

    fn flush(&self, state: MutexGuard<'_, State>) {
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
            self.flush(state);
            from = to;
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The journal has all of it; a checkpoint here only makes the next start quicker, so that a failure needs no report.
        let _ = self.checkpoint();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
