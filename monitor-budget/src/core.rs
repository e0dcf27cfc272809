//! What handles and reservations share, and how each operation takes the lock.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::book::SlotNumber;
use crate::budget::{Budget, Denied, Settlement};
use crate::checkpoint::Durable;
use crate::clock::{Clock, TimeLine};
use crate::error::LedgerError;
use crate::health::Health;
use crate::ledger::Checkpoints;
use crate::recovery::Recovery;
use crate::state::{Slots, State};
use crate::ticker::Ticker;

/// Slots visited per lock taken by operations that go through all accounts.
const SLOTS_PER_LOCK: usize = 256;

/// The ledger behind its handles. The last handle or reservation to go ends the checkpoint thread, writes a last
/// checkpoint and lets go of the directory.
pub(crate) struct Core {
    shared: Arc<Shared>,
    ticker: Option<Ticker>,
}

/// What the checkpoint thread needs of it.
struct Shared {
    clock: Arc<dyn Clock>,
    /// One lock over all accounts: a reservation over several budgets is one step without an order of locks to keep. Held
    /// for well under a microsecond per operation. To shard, split the book by key and lock the shards of a request in
    /// ascending order; nothing outside this file and the checkpoints would change.
    state: Mutex<State>,
    durable: Option<Durable>,
}

impl Core {
    pub(crate) fn in_memory(clock: Arc<dyn Clock>) -> Self {
        let time = TimeLine::starting_at(clock.now_ms(), clock.monotonic_ms());
        let shared = Shared {
            clock,
            state: Mutex::new(State::new(time)),
            durable: None,
        };
        Self {
            shared: Arc::new(shared),
            ticker: None,
        }
    }

    pub(crate) fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        checkpoints: Checkpoints,
    ) -> Result<Self, LedgerError> {
        let (durable, state) = Durable::open(dir, &*clock)?;
        let shared = Arc::new(Shared {
            clock,
            state: Mutex::new(state),
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
        Ok(Self { shared, ticker })
    }

    pub(crate) fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<Slots, Denied> {
        self.shared
            .change(|state, monotonic_ms| state.reserve(budgets, tokens, monotonic_ms))
    }

    pub(crate) fn extend(&self, slots: &[SlotNumber], tokens: u64) -> Result<(), Denied> {
        if slots.is_empty() {
            return Ok(());
        }
        self.shared
            .change(|state, monotonic_ms| state.extend(slots, tokens, monotonic_ms))
    }

    pub(crate) fn settle(&self, slots: &[SlotNumber], held: u64, charge: u64) -> Settlement {
        if slots.is_empty() {
            return Settlement {
                settled: charge,
                debt: 0,
            };
        }
        self.shared
            .change(|state, monotonic_ms| state.settle(slots, held, charge, monotonic_ms))
    }

    pub(crate) fn checkpoint(&self) -> Result<(), LedgerError> {
        self.shared.checkpoint()
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
        health
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.shared
            .durable
            .as_ref()
            .map(|durable| durable.recovery)
            .unwrap_or_default()
    }

    /// The wall clock, in Unix milliseconds.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    /// Hands the accounts and the ledger time to `visit`.
    pub(crate) fn with_state<T>(&self, visit: impl FnOnce(&mut State, u64) -> T) -> T {
        self.shared.change(|state, monotonic_ms| {
            let now_ms = state.time.at(monotonic_ms);
            visit(state, now_ms)
        })
    }

    /// Visits all slots with the ledger time, letting waiting requests go first now and then.
    pub(crate) fn for_each_slot(&self, mut visit: impl FnMut(&mut State, SlotNumber, u64)) {
        let mut from = 0;
        loop {
            let monotonic_ms = self.shared.clock.monotonic_ms();
            let mut state = self.shared.state.lock();
            MutexGuard::bump(&mut state);
            let now_ms = state.time.at(monotonic_ms);
            let to = state.book.slot_count().min(from + SLOTS_PER_LOCK);
            for slot in (from..to).filter_map(|slot| SlotNumber::try_from(slot).ok()) {
                visit(&mut state, slot, now_ms);
            }
            self.shared.release(state);
            if from == to {
                return;
            }
            from = to;
        }
    }
}

impl Shared {
    /// Makes a change and sees it into the journal before the caller hears of it.
    fn change<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
        let monotonic_ms = self.clock.monotonic_ms();
        let mut state = self.state.lock();
        let outcome = change(&mut state, monotonic_ms);
        self.release(state);
        outcome
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
        // Ended first: nothing may hold the directory when the ledger is gone.
        self.ticker = None;
        // The journal has all of it; this only makes the next start quicker, so that a failure needs no report.
        let _ = self.checkpoint();
    }
}
