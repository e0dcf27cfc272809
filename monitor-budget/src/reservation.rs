//! A reservation: what is held on every budget of one exchange until it settles.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::book::SlotNumber;
use crate::budget::{Certainty, Denied, MAX_AMOUNT, Settlement};
use crate::core::Core;
use crate::unit::{Spend, Unit};

/// What one reservation holds on one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) slot: SlotNumber,
    pub(crate) unit: Unit,
    pub(crate) held: u64,
}

/// The holds of one reservation; more than four budgets on one request spill to the heap.
pub(crate) type Holds = SmallVec<[Hold; 4]>;

/// What is held for one exchange.
///
/// Dropped without [`settle`](Self::settle), it settles itself as [`Certainty::UnderEstimate`] with what was metered: all that
/// is held, or what was metered if that is more, counts as spent.
#[must_use = "a reservation that is dropped at once charges all it holds"]
pub struct Reservation {
    core: Arc<Core>,
    holds: Holds,
    metered: Spend,
    open: bool,
}

impl Reservation {
    pub(crate) fn new(core: Arc<Core>, holds: Holds) -> Self {
        Self {
            core,
            holds,
            metered: Spend::default(),
            open: true,
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotNumber> + '_ {
        self.holds.iter().map(|hold| hold.slot)
    }

    /// Sees to it that every budget holds at least what `spend` comes to in its unit, or takes nothing more from any. What is
    /// covered already costs no lock.
    ///
    /// # Errors
    /// [`Denied`] if one of the budgets has not as much left; the reservation stays as it was.
    pub fn cover(&mut self, spend: &Spend) -> Result<(), Denied> {
        let missing: SmallVec<[(SlotNumber, u64); 4]> = self
            .holds
            .iter()
            .map(|hold| (hold.slot, hold.unit.of(spend).saturating_sub(hold.held)))
            .filter(|(_, missing)| *missing > 0)
            .collect();
        self.core.extend(&missing)?;
        for hold in &mut self.holds {
            hold.held = hold.held.max(hold.unit.of(spend));
        }
        Ok(())
    }

    /// [`Ledger::refill`](crate::Ledger::refill) of its ledger.
    pub fn refill(&self) -> crate::Refill {
        self.core.refill()
    }

    /// Whether every budget holds at least what `spend` comes to in its unit.
    #[must_use]
    pub fn covers(&self, spend: &Spend) -> bool {
        self.holds.iter().all(|hold| hold.held >= hold.unit.of(spend))
    }

    /// What is held on each budget, in its unit and in the order in which they were given.
    pub fn held(&self) -> impl Iterator<Item = u64> + '_ {
        self.holds.iter().map(|hold| hold.held)
    }

    /// Notes what the exchange has spent so far, for the drop guard and as the floor of an estimate. Takes the largest figures
    /// given; costs no lock.
    pub fn meter(&mut self, spent_so_far: &Spend) {
        self.metered = self.metered.max(spent_so_far);
    }

    /// Ends the reservation with what was spent in all.
    pub fn settle(mut self, spent: &Spend, certainty: Certainty) -> Settlement {
        self.close(spent, certainty)
    }

    /// Ends the reservation of an exchange that never reached a provider: nothing is charged.
    pub fn release(self) {
        self.settle(&Spend::default(), Certainty::Exact);
    }

    fn close(&mut self, spent: &Spend, certainty: Certainty) -> Settlement {
        self.open = false;
        let spent = match certainty {
            Certainty::Exact => *spent,
            Certainty::Estimated | Certainty::UnderEstimate => spent.max(&self.metered),
        };
        let charge = |hold: &Hold| {
            let charge = match certainty {
                _ if !hold.unit.is_charged() => 0,
                Certainty::Exact | Certainty::Estimated => hold.unit.of(&spent),
                Certainty::UnderEstimate => hold.unit.of(&spent).max(hold.held),
            };
            Settle {
                slot: hold.slot,
                held: hold.held,
                charge: charge.min(MAX_AMOUNT),
            }
        };
        let settles: SmallVec<[Settle; 4]> = self.holds.iter().map(charge).collect();
        self.core.settle(&settles)
    }
}

/// The end of a hold: what was held is given back and `charge` is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settle {
    pub(crate) slot: SlotNumber,
    pub(crate) held: u64,
    pub(crate) charge: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            self.close(&Spend::default(), Certainty::UnderEstimate);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("holds", &self.holds)
            .field("metered", &self.metered)
            .finish_non_exhaustive()
    }
}
