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

/// The ledger of the next agent, as the one before it reaches it. Calls may block for a moment, and answer without the next agent
/// when it cannot be reached.
pub trait Successor: Send + Sync {
    /// Holds `tokens` on every budget or on none.
    ///
    /// # Errors
    /// The refusal, also when nobody answers: [`DenyReason::Unreachable`](crate::DenyReason::Unreachable).
    fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<(), Denied>;

    /// Holds `tokens` more on every account or on none.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    fn extend(&self, keys: &[Arc<str>], tokens: u64) -> Result<(), Denied>;

    /// Gives `held` back on every account and charges `charge`. When nobody answers, the next agent charges what is held.
    fn settle(&self, keys: &[Arc<str>], held: u64, charge: u64) -> Settlement;
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
    pub(crate) tokens: u64,
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

    /// Holds tokens for the agent before, as [`Ledger::reserve`](crate::Ledger::reserve).
    ///
    /// # Errors
    /// The refusal.
    pub fn reserve(&mut self, budgets: &[&Budget], tokens: u64) -> Result<(), Denied> {
        for slot in self.core.reserve(budgets, tokens)? {
            let held = self.held.entry(slot).or_default();
            held.tokens = held.tokens.saturating_add(tokens);
            held.reservations = held.reservations.saturating_add(1);
        }
        Ok(())
    }

    /// Holds more tokens for the agent before.
    ///
    /// # Errors
    /// The refusal.
    pub fn extend(&mut self, keys: &[Arc<str>], tokens: u64) -> Result<(), Denied> {
        let slots = self.slots(keys);
        self.core.extend(&slots, tokens)?;
        for slot in slots {
            let held = self.held.entry(slot).or_default();
            held.tokens = held.tokens.saturating_add(tokens);
        }
        Ok(())
    }

    /// Ends a reservation of the agent before; it cannot give back more than it holds.
    pub fn settle(&mut self, keys: &[Arc<str>], held: u64, charge: u64) -> Settlement {
        let slots = self.slots(keys);
        let held = slots.iter().fold(held, |held, slot| {
            held.min(self.held.get(slot).map_or(0, |held| held.tokens))
        });
        for slot in &slots {
            if let Some(left) = self.held.get_mut(slot) {
                left.tokens -= held;
                left.reservations = left.reservations.saturating_sub(1);
                if *left == Held::default() {
                    self.held.remove(slot);
                }
            }
        }
        self.core.settle(&slots, held, charge)
    }

    fn slots(&self, keys: &[Arc<str>]) -> Vec<SlotNumber> {
        self.core
            .with_state(|state, _| keys.iter().filter_map(|key| state.book.find(key)).collect())
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if !self.in_charge {
            return;
        }
        for (slot, held) in self.held.drain() {
            // The journal knows reservations by their settling: the first takes the tokens, each of the others its place.
            self.core.settle(&[slot], held.tokens, held.tokens);
            for _ in 1..held.reservations {
                self.core.settle(&[slot], 0, 0);
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
