//! A reservation: tokens held on every budget of one exchange until it settles.

use std::fmt;
use std::sync::Arc;

use crate::budget::{Certainty, Denied, MAX_TOKENS, Settlement};
use crate::core::Core;
use crate::state::Slots;

/// Tokens held for one exchange.
///
/// Dropped without [`settle`](Self::settle), it settles itself as [`Certainty::UnderEstimate`] with what was metered: the
/// whole reservation, or the metered tokens if those are more, count as spent.
#[must_use = "a reservation that is dropped at once charges all it holds"]
pub struct Reservation {
    core: Arc<Core>,
    slots: Slots,
    reserved: u64,
    metered: u64,
    open: bool,
}

impl Reservation {
    pub(crate) fn new(core: Arc<Core>, slots: Slots, reserved: u64) -> Self {
        Self {
            core,
            slots,
            reserved,
            metered: 0,
            open: true,
        }
    }

    /// Holds `tokens` more on every budget, or none more on any.
    ///
    /// # Errors
    /// [`Denied`] if one of the budgets has not as many left; the reservation stays as it was.
    pub fn extend(&mut self, tokens: u64) -> Result<(), Denied> {
        self.core.extend(&self.slots, tokens)?;
        self.reserved = self.reserved.saturating_add(tokens);
        Ok(())
    }

    /// Tokens held on each budget.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Notes how many tokens the exchange has spent so far, for the drop guard and as the floor of an estimate. Takes the
    /// largest figure given; costs no lock.
    pub fn meter(&mut self, spent_so_far: u64) {
        self.metered = self.metered.max(spent_so_far);
    }

    /// Largest figure metered.
    #[must_use]
    pub fn metered(&self) -> u64 {
        self.metered
    }

    /// Ends the reservation with what was spent in all, prompt and completion.
    pub fn settle(mut self, spent: u64, certainty: Certainty) -> Settlement {
        self.close(spent, certainty)
    }

    fn close(&mut self, spent: u64, certainty: Certainty) -> Settlement {
        self.open = false;
        let charge = match certainty {
            Certainty::Exact => spent,
            Certainty::Estimated => spent.max(self.metered),
            Certainty::UnderEstimate => spent.max(self.metered).max(self.reserved),
        };
        self.core
            .settle(&self.slots, self.reserved, charge.min(MAX_TOKENS))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            self.close(self.metered, Certainty::UnderEstimate);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("budgets", &self.slots.len())
            .field("reserved", &self.reserved)
            .field("metered", &self.metered)
            .finish_non_exhaustive()
    }
}
