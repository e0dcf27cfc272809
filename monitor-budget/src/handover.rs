//! From one agent to the next without a restart: the ledger changes hands while reservations are open.
//!
//! 1. [`Ledger::hand_over`](crate::Ledger::hand_over) writes all of it to the disk and lets go of the directory. Requests wait from then on.
//! 2. The next agent opens the directory with [`Ledger::open_adopting`](crate::Ledger::open_adopting): the reservations that are open in the
//!    first stay reserved, and are [`Adopted`].
//! 3. [`Ledger::succeed_by`](crate::Ledger::succeed_by) lets the first go on: each of its operations is carried out by the next agent, which holds
//!    the only accounts. Or [`Ledger::resume`](crate::Ledger::resume) takes the directory back, when there is no next agent.
//!
//! So `settled + reserved ≤ limit` holds over both at every moment, and nothing is counted twice: a reservation of the first is settled
//! with what it spent. When the first agent is gone, what it still held is charged in full, as after a kill.

use std::collections::HashMap;
use std::sync::Arc;

use crate::book::SlotNumber;
use crate::budget::{Budget, Denied, Settlement};
use crate::core::Core;
use crate::reservation::Settle;
use crate::unit::{Spend, Unit};

/// The ledger of the next agent, as the one before it reaches it. Calls may block for a moment, and answer without the next agent
/// when it cannot be reached.
pub trait Successor: Send + Sync {
    /// Holds what `spend` comes to on every budget or on none.
    ///
    /// # Errors
    /// The refusal, also when nobody answers: [`DenyReason::Unreachable`](crate::DenyReason::Unreachable).
    fn reserve(&self, budgets: &[&Budget], spend: &Spend) -> Result<(), Denied>;

    /// Holds more, by key, on every account or on none.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    fn extend(&self, amounts: &[(Arc<str>, u64)]) -> Result<(), Denied>;

    /// Ends a reservation. When nobody answers, the next agent charges what is held.
    fn settle(&self, endings: &[Ending]) -> Settlement;
}

/// The end of what one reservation holds on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The account.
    pub key: Arc<str>,
    /// What is given back.
    pub held: u64,
    /// What is charged.
    pub charge: u64,
}

/// What the agent before holds on this ledger's accounts.
pub struct Adopted {
    core: Arc<Core>,
    held: HashMap<SlotNumber, Held>,
    in_charge: bool,
}

/// What is held on one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) amount: u64,
    pub(crate) unit: Unit,
    pub(crate) reservations: u32,
}

impl Adopted {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let held = core.held();
        Self {
            core,
            held,
            in_charge: false,
        }
    }

    /// From now on this ledger answers for what the agent before holds: what is left when this is dropped is charged in full.
    /// Until then the agent before may take the directory back.
    pub fn take_charge(&mut self) {
        self.in_charge = true;
    }

    /// Holds for the agent before, as [`Ledger::reserve`](crate::Ledger::reserve).
    ///
    /// # Errors
    /// The refusal.
    pub fn reserve(&mut self, budgets: &[&Budget], spend: &Spend) -> Result<(), Denied> {
        for hold in self.core.reserve(budgets, spend)? {
            let held = self.held.entry(hold.slot).or_default();
            held.amount = held.amount.saturating_add(hold.held);
            held.unit = hold.unit;
            held.reservations = held.reservations.saturating_add(1);
        }
        Ok(())
    }

    /// Holds more for the agent before.
    ///
    /// # Errors
    /// The refusal.
    pub fn extend(&mut self, amounts: &[(Arc<str>, u64)]) -> Result<(), Denied> {
        let slots: Vec<_> = self.core.with_state(|state, _| {
            let slot = |(key, amount): &(Arc<str>, u64)| Some((state.book.find(key)?, *amount));
            amounts.iter().filter_map(slot).collect()
        });
        self.core.extend(&slots)?;
        for (slot, amount) in slots {
            let held = self.held.entry(slot).or_default();
            held.amount = held.amount.saturating_add(amount);
        }
        Ok(())
    }

    /// Ends a reservation of the agent before; it cannot give back more than it holds.
    pub fn settle(&mut self, endings: &[Ending]) -> Settlement {
        let mut settles: Vec<_> = self.core.with_state(|state, _| {
            let settle = |ending: &Ending| {
                Some(Settle {
                    slot: state.book.find(&ending.key)?,
                    held: ending.held,
                    charge: ending.charge,
                })
            };
            endings.iter().filter_map(settle).collect()
        });
        for settle in &mut settles {
            let Some(left) = self.held.get_mut(&settle.slot) else {
                settle.held = 0;
                continue;
            };
            settle.held = settle.held.min(left.amount);
            left.amount -= settle.held;
            left.reservations = left.reservations.saturating_sub(1);
            if left.amount == 0 && left.reservations == 0 {
                self.held.remove(&settle.slot);
            }
        }
        self.core.settle(&settles)
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if !self.in_charge {
            return;
        }
        for (slot, held) in self.held.drain() {
            // The journal knows reservations by their settling: the first takes all that is held, each of the others its place.
            let mut left = held.amount;
            for _ in 0..held.reservations.max(1) {
                let amount = std::mem::take(&mut left);
                let charge = if held.unit.is_charged() { amount } else { 0 };
                self.core.settle(&[Settle {
                    slot,
                    held: amount,
                    charge,
                }]);
            }
        }
    }
}

impl std::fmt::Debug for Adopted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adopted")
            .field("accounts", &self.held.len())
            .field("in_charge", &self.in_charge)
            .finish_non_exhaustive()
    }
}
