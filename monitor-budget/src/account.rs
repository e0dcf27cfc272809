//! One budget's account: what is settled in its window, reserved, and owed.

use std::sync::Arc;

use crate::alert::{Alerts, Passed};
use crate::budget::{Budget, MAX_AMOUNT, Scope};
use crate::charges::Charges;
use crate::clock::Moment;
use crate::cluster::purse::{Held, Purse};
use crate::overrides::Override;
use crate::unit::Unit;
use crate::window::Window;

/// Retry hint in milliseconds while open reservations hold the room: they may settle at any moment, so a second.
pub const RETRY_WHILE_RESERVED_MS: u64 = 1_000;

/// Periods that are looked ahead for a hint when room appears: a debt that takes longer is told as taking this long.
const MAX_PERIODS_AHEAD: usize = 1_000;

/// Periods of the calendar that debt takes room in while nobody looks, over a year of hours: keeps a wall clock set forward by
/// centuries from holding the lock for long. What is owed beyond stays owed.
const MAX_PERIODS: u32 = 10_000;

/// The rules of the crate's documentation for one budget.
///
/// Its state is a function of the changes made to it and their times alone: `advance` between two changes may run at any
/// moments or not at all. Replaying the journal depends on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) key: Arc<str>,
    pub(crate) unit: Unit,
    /// The definition's limit; [`Account::limit`] is the one in force.
    pub(crate) defined_limit: u64,
    pub(crate) limit_override: Option<Override>,
    pub(crate) alerts: Alerts,
    pub(crate) window: Window,
    pub(crate) charges: Charges,
    pub(crate) reserved: u64,
    pub(crate) debt: u64,
    pub(crate) peak_outstanding: u64,
    pub(crate) open_reservations: u32,
    /// What the node holds of it, where the limit is a cluster's. What is settled is then the node's own part, and debt is the
    /// cluster's.
    pub(crate) purse: Option<Box<Purse>>,
}

impl Account {
    pub(crate) fn new(budget: &Budget, now: Moment) -> Self {
        let window = budget.window.bounded();
        Self {
            key: Arc::clone(&budget.key),
            unit: budget.unit,
            defined_limit: budget.limit(),
            limit_override: None,
            alerts: Alerts::new(&budget.alert_at),
            charges: Charges::new(&window, now),
            window,
            reserved: 0,
            debt: 0,
            peak_outstanding: 0,
            open_reservations: 0,
            purse: Purse::of(budget.scope).map(Box::new),
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
        self.limit().saturating_sub(self.outstanding())
    }

    /// Nothing settled, reserved, owed or overridden: dropping the account loses nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding() == 0
            && self.debt == 0
            && self.open_reservations == 0
            && self.limit_override.is_none()
    }

    /// Brings the account to `now`: an override ends in its time, charges leave the window, and debt takes the room at the moment
    /// at which it appears.
    pub(crate) fn advance(&mut self, now: Moment) {
        if let Some(over) = self
            .limit_override
            .filter(|over| over.until_ms <= now.calendar_ms)
        {
            let past_ms = now.calendar_ms - over.until_ms;
            self.advance_charges(Moment {
                ledger_ms: now.ledger_ms.saturating_sub(past_ms),
                calendar_ms: over.until_ms,
            });
            self.limit_override = None;
            self.drain_debt();
        }
        self.advance_charges(now);
    }

    fn advance_charges(&mut self, now: Moment) {
        if self.charges.is_at(now) {
            return;
        }
        for step in 0.. {
            self.skip_whole_turns(now);
            // Debt that finds no room in an empty period finds none in the next either.
            let drains = self.debt > 0 && self.limit() > self.reserved && step < MAX_PERIODS;
            if !self.charges.expire_one(&self.window, now, drains) {
                break;
            }
            if self.is_calendar() {
                self.alerts.forget_passed();
            }
            self.drain_debt();
        }
    }

    /// While debt fills the window to the brim, each charge that leaves is replaced by as much debt. Doing whole turns of a rolling
    /// window at once keeps a long sleep over a large debt from costing a step per sub-window.
    fn skip_whole_turns(&mut self, now: Moment) {
        let settled = self.settled();
        if self.debt < settled || settled == 0 || self.outstanding() != self.limit() {
            return;
        }
        let turns = self.charges.skip_turns(now, self.debt / settled);
        self.debt -= turns * settled;
    }

    /// Clears what is settled and owed; what is reserved stays.
    pub(crate) fn clear(&mut self) {
        self.charges.clear();
        self.debt = 0;
        self.alerts.forget_passed();
    }

    pub(crate) fn drain_debt(&mut self) {
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
        if let Some(purse) = &mut self.purse {
            self.charges.add(charge);
            return purse.settle(charge, self.reserved);
        }
        self.charges.add(within);
        self.debt = self.debt.saturating_add(beyond).min(MAX_AMOUNT);
        self.drain_debt();
        beyond.min(self.debt)
    }

    /// Gives back what reservations held that nobody will settle any more: charged in full where the unit is.
    pub(crate) fn charge_held(&mut self, held: u64, now: Moment) -> Passed {
        let charge = if self.unit.is_charged() { held } else { 0 };
        self.settle(held, charge);
        self.pass_alerts(now)
    }

    /// Whether a definition is in force.
    pub(crate) fn is_defined_by(&self, budget: &Budget) -> bool {
        self.defined_limit == budget.limit()
            && self.unit == budget.unit
            && self.window == budget.window.bounded()
            && self.alerts.are(&budget.alert_at)
    }

    /// Puts a new definition into force. What is settled is carried over into a new window as of now at the latest; with another
    /// unit nothing can be carried over but what is held, and no override.
    pub(crate) fn redefine(&mut self, budget: &Budget, now: Moment) {
        self.advance(now);
        self.defined_limit = budget.limit();
        if !self.alerts.are(&budget.alert_at) {
            self.alerts = self.alerts.with(&budget.alert_at);
        }
        let window = budget.window.bounded();
        if self.unit != budget.unit {
            self.unit = budget.unit;
            self.debt = 0;
            self.charges = Charges::new(&window, now);
            self.limit_override = None;
            self.alerts.forget_passed();
        } else if window != self.window {
            self.charges = self.charges.moved(&window, now);
        }
        self.window = window;
        self.drain_debt();
    }

    /// Whose its limit is.
    pub(crate) fn scope(&self) -> Scope {
        self.purse.as_ref().map_or(Scope::Node, |purse| purse.scope())
    }

    /// Makes the limit the cluster's or the node's own. What the node alone owed, it owes the cluster then.
    pub(crate) fn rescope(&mut self, scope: Scope) {
        match (&mut self.purse, scope) {
            (Some(purse), Scope::Cluster { on_store_loss }) => purse.on_store_loss = on_store_loss,
            (purse, _) => {
                *purse = Purse::of(scope).map(Box::new);
                if let Some(purse) = purse {
                    purse.owe(std::mem::take(&mut self.debt));
                }
            }
        }
    }

    /// What its purse needs to know.
    pub(crate) fn held(&self) -> Held {
        Held {
            limit: self.limit(),
            reserved: self.reserved,
            settled: self.settled(),
        }
    }

    fn is_calendar(&self) -> bool {
        matches!(self.window, Window::Calendar { .. })
    }

    /// Whether calendar time matters to it.
    pub(crate) fn follows_calendar(&self) -> bool {
        self.is_calendar() || self.limit_override.is_some()
    }

    /// The wall clock has been set: a calendar window that lies in the future comes back to the next period at the most.
    pub(crate) fn step(&mut self, now: Moment) {
        self.charges.step(&self.window, now);
    }

    /// Milliseconds from `now` until `amount` would fit if nothing else changed; `None` if it never does.
    pub(crate) fn fits_in_ms(&self, amount: u64, now: Moment) -> Option<u64> {
        if amount > self.limit() {
            let over = self.limit_override.filter(|_| amount <= self.defined_limit)?;
            return Some(over.until_ms.saturating_sub(now.calendar_ms).max(1));
        }
        if self.reserved.saturating_add(amount) > self.limit() || self.window == Window::Open {
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
