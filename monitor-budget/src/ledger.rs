//! The ledger's handle.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Crossing;
use crate::audit::AuditEntry;
use crate::budget::{AccountState, Budget, Denied};
use crate::clock::Clock;
use crate::cluster::bell::Refill;
use crate::cluster::link::{Cluster, ClusterError};
use crate::cluster::syncer::{self, ClusterHealth};
use crate::core::Core;
use crate::error::LedgerError;
use crate::handover::{Adopted, Successor};
use crate::health::Health;
use crate::overrides::{ByHand, ChangeError, Override};
use crate::recovery::{Open, Recovery};
use crate::reservation::Reservation;
use crate::state::State;
use crate::unit::Spend;

/// The token ledger. A cheap handle: clones share the accounts.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) core: Arc<Core>,
}

/// When what the journal holds is written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// By a thread, this often. Each one costs a transaction and a disk sync if anything has changed. A power cut loses at
    /// most this much and the time of the sync.
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

impl Ledger {
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// A ledger that forgets everything when it is dropped.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        Self {
            core: Arc::new(Core::in_memory(clock)),
        }
    }

    /// Opens the ledger kept in a state directory, making it if there is none, with checkpoints as by default.
    ///
    /// What the last agent acknowledged is there again, however it ended; reservations it left open are charged in full
    /// ([`Ledger::recovery`]). A disk that takes no writes is an error only where SQLite cannot read without them; otherwise
    /// [`Ledger::health`] says so.
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
        Ok(Self {
            core: Arc::new(Core::open(dir, clock, checkpoints, Open::Charged)?),
        })
    }

    /// Opens a ledger that another agent has just [handed over](Self::hand_over), with `reservations` of its reservations open: they stay
    /// reserved until it settles them by way of what is returned.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_adopting(
        dir: &Path,
        clock: Arc<dyn Clock>,
        reservations: u64,
    ) -> Result<(Self, Adopted), LedgerError> {
        let core = Core::open(dir, clock, Checkpoints::default(), Open::Kept { reservations })?;
        let core = Arc::new(core);
        let adopted = Adopted::new(Arc::clone(&core));
        Ok((Self { core }, adopted))
    }

    /// Writes everything to the disk and lets go of the directory, so that another agent can open it. Returns how many
    /// reservations are open. From now on every operation waits, until [`succeed_by`](Self::succeed_by) or [`resume`](Self::resume): call one
    /// of them soon, whatever happens.
    ///
    /// # Errors
    /// What could not be written; the ledger then goes on as if nothing had been asked.
    pub fn hand_over(&self) -> Result<u64, LedgerError> {
        self.core.hand_over()
    }

    /// Carries out every operation on the accounts of the agent that took over, those that wait first.
    pub fn succeed_by(&self, successor: Arc<dyn Successor>) {
        self.core.succeed_by(successor);
    }

    /// Takes back a ledger that was [handed over](Self::hand_over), with what is on the disk now. What the other agent had reserved is
    /// charged in full. Nothing happens where nothing was handed over.
    ///
    /// # Errors
    /// As [`Ledger::open`]; operations go on waiting.
    pub fn resume(&self) -> Result<(), LedgerError> {
        self.core.resume()
    }

    /// Holds what `spend` comes to on every budget, or on none. With no budgets the reservation only meters.
    ///
    /// A budget seen for the first time opens its account; one whose definition has changed takes the new one at
    /// once. The same key given twice is one budget, as first given.
    ///
    /// # Errors
    /// [`Denied`] with the budget that refused: the one with the longest wait if several did.
    pub fn reserve(&self, budgets: &[&Budget], spend: &Spend) -> Result<Reservation, Denied> {
        let holds = if budgets.is_empty() {
            Default::default()
        } else {
            self.core.reserve(budgets, spend)?
        };
        Ok(Reservation::new(Arc::clone(&self.core), holds))
    }

    /// Puts new definitions into force on accounts that exist, for a configuration reload: `definition` gives the budget of a
    /// key, or `None` to leave that account as it is.
    pub fn redefine(&self, mut definition: impl FnMut(&str) -> Option<Budget>) {
        self.core.for_each_slot(|state, slot, now| {
            if let Some(budget) = state.key_of(slot).and_then(|key| definition(&key)) {
                state.define(slot, &budget, now);
            }
        });
    }

    /// Opens the account of a budget, so that it can be changed by hand before it is used first; puts its definition into force if
    /// there is one. An account that holds nothing is dropped again in time.
    ///
    /// # Errors
    /// [`Denied`] if there is no room for another account or the key is too long.
    pub fn open_account(&self, budget: &Budget) -> Result<AccountState, Denied> {
        self.core.open_account(budget)
    }

    /// Puts another limit into force on an account until a moment, or with `None` the definition's own at once. `by` says who asks,
    /// for [`audit`](Self::audit), up to [`crate::MAX_BY_BYTES`].
    ///
    /// # Errors
    /// No account has the key, or the accounts are another agent's.
    pub fn set_override(
        &self,
        key: &str,
        wanted: Option<Override>,
        by: &str,
    ) -> Result<AccountState, ChangeError> {
        self.core.change_by_hand(key, ByHand::Override(wanted), by)
    }

    /// Clears what is settled and owed on an account. What open reservations hold stays reserved.
    ///
    /// # Errors
    /// As [`set_override`](Self::set_override).
    pub fn reset(&self, key: &str, by: &str) -> Result<AccountState, ChangeError> {
        self.core.change_by_hand(key, ByHand::Reset, by)
    }

    /// The last changes by hand of one account or of all, the latest first; of those [`crate::MAX_AUDIT_ROWS`] are kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn audit(&self, key: Option<&str>, limit: usize) -> Result<Vec<AuditEntry>, LedgerError> {
        self.core.audit(key, limit)
    }

    /// The thresholds ([`Budget::alert_at`]) that were passed since this was last called: each once per window, also over restarts and kills of
    /// the agent. A passing that is not taken before the next window's is replaced by it and counted in
    /// [`Health::crossings_lost`].
    #[must_use]
    pub fn take_crossings(&self) -> Vec<Crossing> {
        self.core.with_state(State::take_crossings)
    }

    /// Makes this ledger a node of a cluster: budgets of its scope are leased from the cluster's store from now on, by a thread of
    /// its own. A ledger joins once.
    ///
    /// # Errors
    /// [`ClusterError`] if the settings are not valid or the thread cannot be started. A store that does not answer is none: see
    /// [`cluster_health`](Self::cluster_health).
    pub fn join(&self, cluster: Cluster) -> Result<(), ClusterError> {
        syncer::join(&self.core, cluster)
    }

    /// How the cluster is reached; `None` for a ledger that has not joined one.
    #[must_use]
    pub fn cluster_health(&self) -> Option<ClusterHealth> {
        let syncer = self.core.syncer().lock();
        syncer.as_ref().map(|syncer| syncer.health(self.core.shared()))
    }

    /// Asks the cluster's store for what reservations lacked that were refused as [`DenyReason::NeedsLease`](crate::DenyReason::NeedsLease),
    /// and is done when it has answered or did not within its time-out: then they are worth one more try. Done at once without a
    /// cluster. May be awaited in any runtime.
    pub fn refill(&self) -> Refill {
        self.core.refill()
    }

    /// Writes all changes to the store now. Only what is in a checkpoint survives a power cut; a kill of the agent takes
    /// nothing away in any case.
    ///
    /// # Errors
    /// What could not be written; it is also in [`Ledger::health`] and tried again at the next checkpoint.
    pub fn checkpoint(&self) -> Result<(), LedgerError> {
        self.core.checkpoint()
    }

    /// Whether what the ledger does reaches the disk, and how much it holds.
    #[must_use]
    pub fn health(&self) -> Health {
        self.core.health()
    }

    /// What opening the ledger found; nothing for a ledger in memory.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.core.recovery()
    }

    /// All accounts, each as it stood at one moment of the call. An account that holds nothing any more is dropped in time
    /// and is then not among them.
    #[must_use]
    pub fn snapshot(&self) -> Vec<AccountState> {
        let mut accounts = Vec::new();
        self.core
            .for_each_slot(|state, slot, now| accounts.extend(state.account_state(slot, now)));
        accounts
    }

    /// The account of one budget, if it has one.
    #[must_use]
    pub fn account(&self, key: &str) -> Option<AccountState> {
        self.core.with_state(|state, now| {
            let slot = state.book.find(key)?;
            state.account_state(slot, now)
        })
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
