//! A rolling window of settled tokens, kept in sub-windows.
//!
//! A charge lies in the sub-window of the moment it was settled and leaves the window when the *youngest* charge that
//! sub-window could hold is one whole window old. It is so held for between one window and one window plus one
//! sub-window: never too short, so that no stretch of one window's length ever holds more than the limit.

use std::collections::VecDeque;

/// Sub-windows per window: capacity comes back in steps of a sixtieth (a minute of an hour, a second of a minute), at
/// most 1.7 % later than exactly due, for at most 61 slots of 16 bytes per account.
pub(crate) const SUB_WINDOWS: u64 = 60;

/// Sub-windows from a slot's own until it leaves the window; also the most slots alive at once.
pub(crate) const SLOT_LIFE: u64 = SUB_WINDOWS + 1;

/// Tokens settled in one sub-window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Number of the sub-window, counted from ledger time zero.
    pub(crate) index: u64,
    /// Tokens settled in it; never zero.
    pub(crate) tokens: u64,
}

impl Slot {
    /// Number of the sub-window at whose start these tokens leave the window.
    pub(crate) fn leaves_at(self) -> u64 {
        self.index.saturating_add(SLOT_LIFE)
    }
}

/// The settled tokens of one account, by sub-window, oldest first. Only sub-windows that hold tokens take memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rolling {
    sub_window_ms: u64,
    slots: VecDeque<Slot>,
    settled: u64,
}

impl Rolling {
    pub(crate) fn new(window_ms: u64) -> Self {
        Self {
            sub_window_ms: window_ms.div_ceil(SUB_WINDOWS).max(1),
            slots: VecDeque::new(),
            settled: 0,
        }
    }

    /// Rebuilds a window from stored slots; `None` if they are out of order, empty or overflow.
    pub(crate) fn from_slots(window_ms: u64, slots: Vec<Slot>) -> Option<Self> {
        let mut settled = 0u64;
        for slot in &slots {
            settled = settled.checked_add(slot.tokens)?;
        }
        let ordered = slots.is_sorted_by(|older, younger| older.index < younger.index);
        let filled = slots.iter().all(|slot| slot.tokens > 0);
        (ordered && filled).then(|| Self {
            slots: slots.into(),
            settled,
            ..Self::new(window_ms)
        })
    }

    /// Sum over all slots.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.slots.iter().copied()
    }

    pub(crate) fn index_at(&self, ledger_ms: u64) -> u64 {
        ledger_ms / self.sub_window_ms
    }

    /// Ledger time at which a sub-window starts.
    pub(crate) fn start_ms(&self, index: u64) -> u64 {
        index.saturating_mul(self.sub_window_ms)
    }

    pub(crate) fn oldest(&self) -> Option<Slot> {
        self.slots.front().copied()
    }

    pub(crate) fn youngest(&self) -> Option<Slot> {
        self.slots.back().copied()
    }

    /// Adds tokens to a sub-window that is no older than the youngest slot.
    pub(crate) fn add(&mut self, index: u64, tokens: u64) {
        if tokens == 0 {
            return;
        }
        self.settled = self.settled.saturating_add(tokens);
        match self.slots.back_mut() {
            Some(slot) if slot.index >= index => slot.tokens = slot.tokens.saturating_add(tokens),
            _ => self.slots.push_back(Slot { index, tokens }),
        }
    }

    /// Takes the oldest slot out if it has left the window at sub-window `index`.
    pub(crate) fn expire_one(&mut self, index: u64) -> Option<Slot> {
        let slot = self.oldest().filter(|slot| slot.leaves_at() <= index)?;
        self.slots.pop_front();
        self.settled = self.settled.saturating_sub(slot.tokens);
        Some(slot)
    }

    /// Takes every slot out.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.settled = 0;
    }

    /// Moves every slot to `by` sub-windows later.
    pub(crate) fn shift(&mut self, by: u64) {
        for slot in &mut self.slots {
            slot.index = slot.index.saturating_add(by);
        }
    }

    /// The same charges cut into the sub-windows of another window length, each at the end of its old sub-window (the
    /// latest moment it can have been settled), but not after `ledger_ms`.
    pub(crate) fn resized(&self, window_ms: u64, ledger_ms: u64) -> Self {
        let mut resized = Self::new(window_ms);
        for slot in &self.slots {
            let end_ms = self
                .start_ms(slot.index.saturating_add(1))
                .saturating_sub(1)
                .min(ledger_ms);
            resized.add(resized.index_at(end_ms), slot.tokens);
        }
        resized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_held_for_at_least_a_window_and_at_most_a_sub_window_more() {
        let window_ms = 60_000;
        for settled_at_ms in [0, 1, 999, 1_000, 59_999, 123_456] {
            let mut window = Rolling::new(window_ms);
            window.add(window.index_at(settled_at_ms), 7);
            let index = window.index_at(settled_at_ms + window_ms);
            assert_eq!(window.expire_one(index), None, "settled at {settled_at_ms}");
            let index = window.index_at(settled_at_ms + window_ms + 1_000);
            assert!(window.expire_one(index).is_some(), "settled at {settled_at_ms}");
            assert_eq!(window.settled(), 0);
        }
    }

    #[test]
    fn resizing_keeps_the_sum_and_never_moves_a_charge_earlier() {
        let mut window = Rolling::new(60_000);
        for second in [3, 10, 59] {
            window.add(second, 10);
        }
        let longer = window.resized(3_600_000, 59_500);
        assert_eq!(longer.settled(), 30);
        assert_eq!(longer.slots().count(), 1);
        let shorter = window.resized(6_000, 59_500);
        assert_eq!(
            shorter.slots().map(|slot| slot.index).collect::<Vec<_>>(),
            [39, 109, 595]
        );
    }

    #[test]
    fn stored_slots_that_make_no_sense_are_refused() {
        let slot = |index, tokens| Slot { index, tokens };
        assert!(Rolling::from_slots(1_000, vec![slot(1, 5), slot(2, 5)]).is_some());
        assert!(Rolling::from_slots(1_000, vec![slot(2, 5), slot(1, 5)]).is_none());
        assert!(Rolling::from_slots(1_000, vec![slot(1, 0)]).is_none());
        assert!(Rolling::from_slots(1_000, vec![slot(1, u64::MAX), slot(2, 1)]).is_none());
    }
}
