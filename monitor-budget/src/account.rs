//! One budget's account: what is settled in its window, reserved, and owed.

use std::sync::Arc;

use crate::budget::{Budget, MAX_AMOUNT};
use crate::charges::Charges;
use crate::clock::Moment;
use crate::unit::Unit;
use crate::window::Window;

/// Retry hint in milliseconds while open reservations hold the room: they may settle at any moment, so a second.
pub const RETRY_WHILE_RESERVED_MS: u64 = 1_000;

/// Periods that are looked ahead for a hint when room appears: a debt that takes longer is told as taking this long.
const MAX_PERIODS_AHEAD: usize = 1_000;

/// The rules of the crate's documentation for one budget.
///
/// Its state is a function of the changes made to it and their times alone: `advance` between two changes may run at any
/// moments or not at all. Replaying the journal depends on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) key: Arc<str>,
    pub(crate) unit: Unit,
    pub(crate) limit: u64,
    pub(crate) window: Window,
    pub(crate) charges: Charges,
    pub(crate) reserved: u64,
    pub(crate) debt: u64,
    pub(crate) peak_outstanding: u64,
    pub(crate) open_reservations: u32,
}

impl Account {
    pub(crate) fn new(budget: &Budget, now: Moment) -> Self {
        let window = budget.window.bounded();
        Self {
            key: Arc::clone(&budget.key),
            unit: budget.unit,
            limit: budget.limit(),
            charges: Charges::new(&window, now),
            window,
            reserved: 0,
            debt: 0,
            peak_outstanding: 0,
            open_reservations: 0,
        }
    }

    pub(crate) fn settled(&self) -> u64 {
        self.charges.settled()
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.settled().saturating_add(self.reserved)
    }

    /// What may be reserved now. Zero while there is debt, because debt takes freed room first.
    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.outstanding())
    }

    /// Nothing settled, reserved or owed: dropping the account loses nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding() == 0 && self.debt == 0 && self.open_reservations == 0
    }

    /// Lets charges leave the window up to `now`, debt taking the room at the moment each one leaves.
    pub(crate) fn advance(&mut self, now: Moment) {
        if self.charges.is_at(now) {
            return;
        }
        loop {
            self.skip_whole_turns(now);
            if !self.charges.expire_one(&self.window, now, self.debt > 0) {
                break;
            }
            self.drain_debt();
        }
    }

    /// While debt fills the window to the brim, each charge that leaves is replaced by as much debt. Doing whole turns of a rolling
    /// window at once keeps a long sleep over a large debt from costing a step per sub-window.
    fn skip_whole_turns(&mut self, now: Moment) {
        let settled = self.settled();
        if self.debt < settled || settled == 0 || self.outstanding() != self.limit {
            return;
        }
        let turns = self.charges.skip_turns(now, self.debt / settled);
        self.debt -= turns * settled;
    }

    fn drain_debt(&mut self) {
        let drained = self.debt.min(self.free());
        if drained > 0 {
            self.debt -= drained;
            self.charges.add(drained);
        }
        self.peak_outstanding = self.peak_outstanding.max(self.outstanding());
    }

    /// Adds to what open reservations hold. The caller has checked `free`.
    pub(crate) fn hold(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_add(amount);
        self.peak_outstanding = self.peak_outstanding.max(self.outstanding());
    }

    /// `hold` for a new reservation.
    pub(crate) fn open_reservation(&mut self, amount: u64) {
        self.hold(amount);
        self.open_reservations = self.open_reservations.saturating_add(1);
    }

    /// `settle` for the end of a reservation.
    pub(crate) fn close_reservation(&mut self, held: u64, charge: u64) -> u64 {
        self.open_reservations = self.open_reservations.saturating_sub(1);
        self.settle(held, charge)
    }

    /// Gives `held` back and charges `charge`; what exceeds `held` becomes debt, drained at once as far as there is room.
    /// Returns the part of this charge that is left as debt.
    pub(crate) fn settle(&mut self, held: u64, charge: u64) -> u64 {
        let within = charge.min(held);
        let beyond = charge - within;
        self.reserved = self.reserved.saturating_sub(held);
        self.charges.add(within);
        self.debt = self.debt.saturating_add(beyond).min(MAX_AMOUNT);
        self.drain_debt();
        beyond.min(self.debt)
    }

    /// Gives back what reservations held that nobody will settle any more: charged in full where the unit is.
    pub(crate) fn charge_held(&mut self, held: u64) {
        let charge = if self.unit.is_charged() { held } else { 0 };
        self.settle(held, charge);
    }

    /// Whether a definition is in force.
    pub(crate) fn is_defined_by(&self, budget: &Budget) -> bool {
        self.limit == budget.limit() && self.unit == budget.unit && self.window == budget.window.bounded()
    }

    /// Puts a new definition into force. What is settled is carried over into a new window as of now at the latest; with another
    /// unit nothing can be carried over but what is held.
    pub(crate) fn redefine(&mut self, budget: &Budget, now: Moment) {
        self.advance(now);
        self.limit = budget.limit();
        let window = budget.window.bounded();
        if self.unit != budget.unit {
            self.unit = budget.unit;
            self.debt = 0;
            self.charges = Charges::new(&window, now);
        } else if window != self.window {
            self.charges = self.charges.moved(&window, now);
        }
        self.window = window;
        self.drain_debt();
    }

    /// Whether calendar time matters to it.
    pub(crate) fn is_calendar(&self) -> bool {
        matches!(self.window, Window::Calendar { .. })
    }

    /// The wall clock has been set: a calendar window that lies in the future comes back to the next period at the most.
    pub(crate) fn step(&mut self, now: Moment) {
        self.charges.step(&self.window, now);
    }

    /// Milliseconds from `now` until `amount` would fit if nothing else changed; `None` if it never does.
    pub(crate) fn fits_in_ms(&self, amount: u64, now: Moment) -> Option<u64> {
        if amount > self.limit {
            return None;
        }
        if self.reserved.saturating_add(amount) > self.limit || self.window == Window::Open {
            return Some(RETRY_WHILE_RESERVED_MS);
        }
        let mut later = self.clone();
        for _ in 0..MAX_PERIODS_AHEAD {
            if later.free() >= amount {
                break;
            }
            later.advance_past_next_expiry()?;
        }
        Some(later.charges.since_ms(now).max(1))
    }

    /// Milliseconds from `now` until all that is settled and owed now will have left, `None` if nothing is or reservations keep the
    /// debt from draining.
    pub(crate) fn resets_in_ms(&self, now: Moment) -> Option<u64> {
        let mut later = self.clone();
        for _ in 0..MAX_PERIODS_AHEAD {
            if later.debt == 0 {
                break;
            }
            later.advance_past_next_expiry()?;
        }
        later.charges.youngest_leaves_in_ms(now)
    }

    /// Milliseconds from `now` until the oldest settled amount leaves the window.
    pub(crate) fn next_free_in_ms(&self, now: Moment) -> Option<u64> {
        self.charges.oldest_leaves_in_ms(now)
    }

    /// Advances to the next moment at which room appears, over as many whole turns of debt as there are. `None` if nothing
    /// is left to leave.
    fn advance_past_next_expiry(&mut self) -> Option<()> {
        let turns = self.debt.checked_div(self.settled()).unwrap_or(0);
        let next = self.charges.next_expiry(turns)?;
        self.advance(next);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ledger_ms: u64) -> Moment {
        Moment {
            ledger_ms,
            calendar_ms: ledger_ms,
        }
    }

    fn account(limit: u64) -> Account {
        Account::new(&Budget::tokens("a", limit, 60_000), at(0))
    }

    #[test]
    fn debt_takes_the_next_windows_capacity() {
        let mut a = account(100);
        a.hold(100);
        assert_eq!(a.settle(100, 250), 150);
        assert_eq!((a.settled(), a.debt, a.free()), (100, 150, 0));
        a.advance(at(61_000));
        assert_eq!((a.settled(), a.debt, a.free()), (100, 50, 0));
        a.advance(at(122_000));
        assert_eq!((a.settled(), a.debt, a.free()), (50, 0, 50));
        a.advance(at(183_000));
        assert_eq!((a.settled(), a.debt, a.free()), (0, 0, 100));
        assert!(a.is_idle());
    }

    #[test]
    fn debt_first_takes_what_is_free_now() {
        let mut a = account(100);
        a.hold(10);
        assert_eq!(a.settle(10, 40), 0);
        assert_eq!((a.settled(), a.debt, a.free()), (40, 0, 60));
    }

    #[test]
    fn a_refund_drains_debt_before_anybody_can_reserve_it() {
        let mut a = account(100);
        a.hold(50);
        a.hold(50);
        assert_eq!(a.settle(50, 80), 30);
        assert_eq!(a.settle(50, 10), 0);
        assert_eq!((a.settled(), a.debt, a.free()), (90, 0, 10));
    }

    #[test]
    fn a_year_asleep_over_a_large_debt_is_settled_in_a_few_steps() {
        let mut a = account(1);
        a.hold(1);
        a.settle(1, 6_000_000);
        let windows_passed = 5_000_000;
        a.advance(at(61_000 * windows_passed));
        assert_eq!((a.settled(), a.debt), (1, 6_000_000 - 1 - windows_passed));
        assert_eq!(a.resets_in_ms(at(0)), Some(61_000 * 6_000_000));
    }

    #[test]
    fn the_wait_is_the_first_moment_at_which_it_fits() {
        let mut a = account(100);
        a.hold(60);
        a.settle(60, 60);
        a.advance(at(30_000));
        a.hold(40);
        a.settle(40, 90);
        for tokens in [1, 40, 60, 61, 100] {
            let wait_ms = a.fits_in_ms(tokens, at(30_000)).unwrap();
            let free_after = |ms: u64| {
                let mut later = a.clone();
                later.advance(at(30_000 + ms));
                later.free()
            };
            assert!(free_after(wait_ms) >= tokens, "{tokens} fit after {wait_ms}");
            assert!(
                free_after(wait_ms - 1) < tokens,
                "{tokens} fit only after {wait_ms}"
            );
        }
        assert_eq!(a.fits_in_ms(101, at(30_000)), None);
        a.reserved = 50;
        assert_eq!(a.fits_in_ms(51, at(30_000)), Some(RETRY_WHILE_RESERVED_MS));
    }

    #[test]
    fn a_new_window_length_keeps_what_it_must() {
        let mut a = account(100);
        a.hold(70);
        a.settle(70, 70);
        a.redefine(&Budget::tokens("a", 50, 3_600_000), at(30_000));
        assert_eq!((a.settled(), a.free()), (70, 0));
        a.advance(at(61_000));
        assert_eq!(a.settled(), 70);
        a.redefine(&Budget::tokens("a", 100, 1_000), at(62_000));
        assert_eq!((a.settled(), a.free()), (0, 100));
    }

    #[test]
    fn a_new_window_length_forgives_no_debt() {
        let mut a = account(100);
        a.hold(100);
        a.settle(100, 400);
        a.redefine(&Budget::tokens("a", 100, 1_000), at(30_000));
        assert_eq!(
            (a.settled(), a.debt),
            (100, 200),
            "the old 100 are out of the shorter window"
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Hold(u64),
        Settle(u64),
        Limit(u64),
        Sleep(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..60u64).prop_map(Step::Hold),
            (0..400u64).prop_map(Step::Settle),
            (1..150u64).prop_map(Step::Limit),
            (0..400_000u64).prop_map(Step::Sleep),
        ]
    }

    proptest! {
        /// Replaying the journal depends on this: looking at an account in between changes nothing, and whole turns equal
        /// single steps.
        #[test]
        fn the_state_does_not_depend_on_when_it_was_looked_at(steps in prop::collection::vec(step(), 1..40)) {
            let (mut rarely, mut often) = (account(100), account(100));
            let (mut now_ms, mut held) = (0, Vec::new());
            for step in steps {
                match step {
                    Step::Hold(tokens) => {
                        rarely.advance(at(now_ms));
                        if tokens <= rarely.free() {
                            rarely.hold(tokens);
                            often.hold(tokens);
                            held.push(tokens);
                        }
                    }
                    Step::Settle(charge) => if let Some(tokens) = held.pop() {
                        rarely.advance(at(now_ms));
                        prop_assert_eq!(rarely.settle(tokens, charge), often.settle(tokens, charge));
                    },
                    Step::Limit(limit) => {
                        rarely.redefine(&Budget::tokens("a", limit, 60_000), at(now_ms));
                        often.redefine(&Budget::tokens("a", limit, 60_000), at(now_ms));
                    }
                    Step::Sleep(ms) => {
                        for second in now_ms / 1_000..=(now_ms + ms) / 1_000 {
                            often.advance(at(second * 1_000));
                        }
                        now_ms += ms;
                        often.advance(at(now_ms));
                    }
                }
                let mut seen = rarely.clone();
                seen.advance(at(now_ms));
                prop_assert_eq!(&seen, &often);
                prop_assert!(seen.debt == 0 || seen.free() == 0);
            }
        }
    }
}
