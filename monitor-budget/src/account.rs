//! One budget's account: what is settled in its window, reserved, and owed.

use std::sync::Arc;

use crate::budget::{Budget, MAX_TOKENS};
use crate::window::{SLOT_LIFE, Slot, Window};

/// Retry hint in milliseconds while open reservations hold the room: they may settle at any moment, so a second.
pub const RETRY_WHILE_RESERVED_MS: u64 = 1_000;

/// The rules of the crate's documentation for one budget.
///
/// Its state is a function of the changes made to it and their times alone: `advance` between two changes may run at any
/// moments or not at all. Replaying the journal depends on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) key: Arc<str>,
    pub(crate) limit: u64,
    pub(crate) window_ms: u64,
    pub(crate) window: Window,
    /// Sub-window up to which expiry and draining have been carried out.
    pub(crate) head: u64,
    pub(crate) reserved: u64,
    pub(crate) debt: u64,
    pub(crate) peak_outstanding: u64,
    pub(crate) open_reservations: u32,
}

impl Account {
    pub(crate) fn new(budget: &Budget, ledger_ms: u64) -> Self {
        let window = Window::new(budget.window_ms());
        Self {
            key: Arc::clone(&budget.key),
            limit: budget.limit(),
            window_ms: budget.window_ms(),
            head: window.index_at(ledger_ms),
            window,
            reserved: 0,
            debt: 0,
            peak_outstanding: 0,
            open_reservations: 0,
        }
    }

    pub(crate) fn settled(&self) -> u64 {
        self.window.settled()
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.settled().saturating_add(self.reserved)
    }

    /// Tokens that may be reserved now. Zero while there is debt, because debt takes freed room first.
    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.outstanding())
    }

    /// Nothing settled, reserved or owed: dropping the account loses nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding() == 0 && self.debt == 0 && self.open_reservations == 0
    }

    /// Lets charges leave the window up to `ledger_ms`, debt taking the room at the moment each one leaves.
    pub(crate) fn advance(&mut self, ledger_ms: u64) {
        self.advance_to(self.window.index_at(ledger_ms));
    }

    fn advance_to(&mut self, index: u64) {
        if index <= self.head {
            return;
        }
        loop {
            self.skip_whole_turns(index);
            let Some(left) = self.window.expire_one(index) else {
                break;
            };
            self.head = left.leaves_at();
            self.drain_debt();
        }
        self.head = index;
    }

    /// While debt fills the window to the brim, each slot that leaves is replaced by as much debt, so that after
    /// `SLOT_LIFE` sub-windows the slots are the same, later, and the debt is smaller by all that was settled. Doing whole
    /// turns at once keeps a long sleep over a large debt from costing a step per sub-window.
    fn skip_whole_turns(&mut self, index: u64) {
        let settled = self.settled();
        if self.debt < settled || settled == 0 || self.outstanding() != self.limit {
            return;
        }
        let turns = (index.saturating_sub(self.head) / SLOT_LIFE).min(self.debt / settled);
        self.debt -= turns * settled;
        self.window.shift(turns * SLOT_LIFE);
        self.head += turns * SLOT_LIFE;
    }

    fn drain_debt(&mut self) {
        let drained = self.debt.min(self.free());
        if drained > 0 {
            self.debt -= drained;
            self.window.add(self.head, drained);
        }
        self.peak_outstanding = self.peak_outstanding.max(self.outstanding());
    }

    /// Adds to what open reservations hold. The caller has checked `free`.
    pub(crate) fn hold(&mut self, tokens: u64) {
        self.reserved = self.reserved.saturating_add(tokens);
        self.peak_outstanding = self.peak_outstanding.max(self.outstanding());
    }

    /// `hold` for a new reservation.
    pub(crate) fn open_reservation(&mut self, tokens: u64) {
        self.hold(tokens);
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
        self.window.add(self.head, within);
        self.debt = self.debt.saturating_add(beyond).min(MAX_TOKENS);
        self.drain_debt();
        beyond.min(self.debt)
    }

    /// Puts a new limit and window length into force.
    pub(crate) fn redefine(&mut self, limit: u64, window_ms: u64, ledger_ms: u64) {
        self.advance(ledger_ms);
        self.limit = limit;
        if window_ms != self.window_ms {
            self.window_ms = window_ms;
            self.window = self.window.resized(window_ms, ledger_ms);
            self.head = self.window.index_at(ledger_ms);
            while self.window.expire_one(self.head).is_some() {}
        }
        self.drain_debt();
    }

    /// Milliseconds from `ledger_ms` until `tokens` would fit if nothing else changed; `None` if they never do.
    pub(crate) fn fits_in_ms(&self, tokens: u64, ledger_ms: u64) -> Option<u64> {
        if tokens > self.limit {
            return None;
        }
        if self.reserved.saturating_add(tokens) > self.limit {
            return Some(RETRY_WHILE_RESERVED_MS);
        }
        let mut later = self.clone();
        while later.free() < tokens {
            later.advance_past_next_expiry()?;
        }
        let at_ms = later.window.start_ms(later.head);
        Some(at_ms.saturating_sub(ledger_ms).max(1))
    }

    /// Ledger time at which all that is settled and owed now will have left, `None` if nothing is or reservations keep the
    /// debt from draining.
    pub(crate) fn resets_at_ms(&self) -> Option<u64> {
        let mut later = self.clone();
        while later.debt > 0 {
            later.advance_past_next_expiry()?;
        }
        later
            .window
            .youngest()
            .map(|slot| later.window.start_ms(slot.leaves_at()))
    }

    /// Ledger time at which the oldest settled tokens leave the window.
    pub(crate) fn next_free_ms(&self) -> Option<u64> {
        self.window
            .oldest()
            .map(|slot: Slot| self.window.start_ms(slot.leaves_at()))
    }

    /// Advances to the next moment at which room appears, over as many whole turns of debt as there are. `None` if nothing
    /// is left to leave. Called at most some `3 * SLOT_LIFE` times in a row before debt and window are empty.
    fn advance_past_next_expiry(&mut self) -> Option<()> {
        let turns = self.debt.checked_div(self.settled()).unwrap_or(0);
        let next = self.window.oldest()?.leaves_at();
        self.advance_to(next.max(self.head.saturating_add(turns.saturating_mul(SLOT_LIFE))));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(limit: u64) -> Account {
        Account::new(&Budget::new("a", limit, 60_000), 0)
    }

    #[test]
    fn debt_takes_the_next_windows_capacity() {
        let mut a = account(100);
        a.hold(100);
        assert_eq!(a.settle(100, 250), 150);
        assert_eq!((a.settled(), a.debt, a.free()), (100, 150, 0));
        a.advance(61_000);
        assert_eq!((a.settled(), a.debt, a.free()), (100, 50, 0));
        a.advance(122_000);
        assert_eq!((a.settled(), a.debt, a.free()), (50, 0, 50));
        a.advance(183_000);
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
        a.advance(61_000 * windows_passed);
        assert_eq!((a.settled(), a.debt), (1, 6_000_000 - 1 - windows_passed));
        assert_eq!(a.resets_at_ms(), Some(61_000 * 6_000_000));
    }

    #[test]
    fn the_wait_is_the_first_moment_at_which_it_fits() {
        let mut a = account(100);
        a.hold(60);
        a.settle(60, 60);
        a.advance(30_000);
        a.hold(40);
        a.settle(40, 90);
        for tokens in [1, 40, 60, 61, 100] {
            let wait_ms = a.fits_in_ms(tokens, 30_000).unwrap();
            let free_after = |ms: u64| {
                let mut later = a.clone();
                later.advance(30_000 + ms);
                later.free()
            };
            assert!(free_after(wait_ms) >= tokens, "{tokens} fit after {wait_ms}");
            assert!(
                free_after(wait_ms - 1) < tokens,
                "{tokens} fit only after {wait_ms}"
            );
        }
        assert_eq!(a.fits_in_ms(101, 30_000), None);
        a.reserved = 50;
        assert_eq!(a.fits_in_ms(51, 30_000), Some(RETRY_WHILE_RESERVED_MS));
    }

    #[test]
    fn a_new_window_length_keeps_what_it_must() {
        let mut a = account(100);
        a.hold(70);
        a.settle(70, 70);
        a.redefine(50, 3_600_000, 30_000);
        assert_eq!((a.settled(), a.free()), (70, 0));
        a.advance(61_000);
        assert_eq!(a.settled(), 70);
        a.redefine(100, 1_000, 62_000);
        assert_eq!((a.settled(), a.free()), (0, 100));
    }

    #[test]
    fn a_new_window_length_forgives_no_debt() {
        let mut a = account(100);
        a.hold(100);
        a.settle(100, 400);
        a.redefine(100, 1_000, 30_000);
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
                        rarely.advance(now_ms);
                        if tokens <= rarely.free() {
                            rarely.hold(tokens);
                            often.hold(tokens);
                            held.push(tokens);
                        }
                    }
                    Step::Settle(charge) => if let Some(tokens) = held.pop() {
                        rarely.advance(now_ms);
                        prop_assert_eq!(rarely.settle(tokens, charge), often.settle(tokens, charge));
                    },
                    Step::Limit(limit) => {
                        rarely.redefine(limit, 60_000, now_ms);
                        often.redefine(limit, 60_000, now_ms);
                    }
                    Step::Sleep(ms) => {
                        for second in now_ms / 1_000..=(now_ms + ms) / 1_000 {
                            often.advance(second * 1_000);
                        }
                        now_ms += ms;
                        often.advance(now_ms);
                    }
                }
                let mut seen = rarely.clone();
                seen.advance(now_ms);
                prop_assert_eq!(&seen, &often);
                prop_assert!(seen.debt == 0 || seen.free() == 0);
            }
        }
    }
}
