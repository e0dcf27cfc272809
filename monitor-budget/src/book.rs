//! All accounts, by slot and by key.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;

use crate::account::Account;
use crate::budget::Budget;
use crate::clock::Moment;

/// Accounts kept at most. An account takes some 250 bytes with a few sub-windows in use, so that this many stay near
/// 32 MB. Beyond it, accounts that hold nothing are dropped to make room; if there are none, reservations that need a new
/// account are denied.
pub const MAX_ACCOUNTS: usize = 1 << 17;

/// Slots looked at in one go for accounts that hold nothing: keeps the lock for a few microseconds.
const SWEEP_SLOTS: usize = 128;

/// Place of an account in the book, also its number in the journal and the store. Reused after the account is dropped.
pub(crate) type SlotNumber = u32;

/// One place in the book.
#[derive(Debug, Default)]
pub(crate) struct BookSlot {
    pub(crate) account: Option<Account>,
    /// Journal position after the last record that changed this slot.
    pub(crate) lsn: u64,
    /// Changed since the store last took it.
    pub(crate) dirty: bool,
}

/// The accounts.
#[derive(Debug, Default)]
pub(crate) struct Book {
    slots: Vec<BookSlot>,
    free: Vec<SlotNumber>,
    /// Workloads choose parts of keys, such as names of models: the hash is seeded at random.
    by_key: HashMap<Arc<str>, SlotNumber, RandomState>,
    dirty: Vec<SlotNumber>,
    sweep_from: usize,
}

impl Book {
    pub(crate) fn find(&self, key: &str) -> Option<SlotNumber> {
        self.by_key.get(key).copied()
    }

    /// Accounts in the book.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Accounts that may still be opened.
    pub(crate) fn room(&self) -> usize {
        MAX_ACCOUNTS.saturating_sub(self.len())
    }

    /// One more than the highest slot ever used.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn account_mut(&mut self, slot: SlotNumber) -> Option<&mut Account> {
        self.slots.get_mut(slot as usize)?.account.as_mut()
    }

    /// Opens an account in the first free slot. The caller has checked `room`.
    pub(crate) fn open(&mut self, budget: &Budget, now: Moment) -> SlotNumber {
        let slot = self
            .free
            .pop()
            .unwrap_or_else(|| SlotNumber::try_from(self.slots.len()).unwrap_or(SlotNumber::MAX));
        self.put(slot, Account::new(budget, now));
        slot
    }

    /// Puts an account into a given slot, growing the book up to it.
    pub(crate) fn put(&mut self, slot: SlotNumber, account: Account) {
        let index = slot as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, BookSlot::default);
        }
        self.by_key.insert(Arc::clone(&account.key), slot);
        self.slots[index].account = Some(account);
    }

    /// Takes an account out of the book and frees its slot.
    pub(crate) fn forget(&mut self, slot: SlotNumber) {
        if let Some(account) = self
            .slots
            .get_mut(slot as usize)
            .and_then(|place| place.account.take())
        {
            self.by_key.remove(&account.key);
            self.free.push(slot);
        }
    }

    /// Notes that the record ending at `lsn` changed a slot, so that the store takes it at the next checkpoint.
    pub(crate) fn touch(&mut self, slot: SlotNumber, lsn: u64) {
        let Some(place) = self.slots.get_mut(slot as usize) else {
            return;
        };
        place.lsn = lsn;
        if !place.dirty {
            place.dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Whether the slot already contains the change of the record that ends at `lsn`.
    pub(crate) fn contains(&self, slot: SlotNumber, lsn: u64) -> bool {
        self.slots
            .get(slot as usize)
            .is_some_and(|place| place.lsn >= lsn)
    }

    /// Takes the list of slots changed since the last time.
    pub(crate) fn take_dirty(&mut self) -> Vec<SlotNumber> {
        std::mem::take(&mut self.dirty)
    }

    /// Copies a slot for the store, which has all of its changes then. Taking it to the present first keeps the copy short.
    pub(crate) fn copy_clean(&mut self, slot: SlotNumber, now: Moment) -> Option<(u64, Option<Account>)> {
        let place = self.slots.get_mut(slot as usize)?;
        place.dirty = false;
        if let Some(account) = place.account.as_mut() {
            account.advance(now);
        }
        Some((place.lsn, place.account.clone()))
    }

    /// Puts slots back on the list after the store could not be written.
    pub(crate) fn mark_dirty(&mut self, slots: &[SlotNumber]) {
        for &slot in slots {
            let lsn = self.slots.get(slot as usize).map_or(0, |place| place.lsn);
            self.touch(slot, lsn);
        }
    }

    /// Puts a slot back as stored.
    pub(crate) fn restore(&mut self, slot: SlotNumber, lsn: u64, account: Option<Account>) {
        let index = slot as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, BookSlot::default);
        }
        self.slots[index].lsn = lsn;
        if let Some(account) = account {
            self.put(slot, account);
        }
    }

    /// Carries out a step of calendar time on every account it matters to in a slot that `applies`; returns their slots.
    pub(crate) fn step(
        &mut self,
        before: Moment,
        after: Moment,
        applies: impl Fn(&BookSlot) -> bool,
    ) -> Vec<SlotNumber> {
        let mut stepped = Vec::new();
        for (slot, place) in self.slots.iter_mut().enumerate() {
            if !applies(place) {
                continue;
            }
            if let Some(account) = place
                .account
                .as_mut()
                .filter(|account| account.follows_calendar())
            {
                account.advance(before);
                account.step(after);
                stepped.extend(SlotNumber::try_from(slot));
            }
        }
        stepped
    }

    /// All slot numbers in use or used before.
    pub(crate) fn slot_numbers(&self) -> std::ops::Range<SlotNumber> {
        0..SlotNumber::try_from(self.slots.len()).unwrap_or(SlotNumber::MAX)
    }

    /// Makes the list of free slots anew, after slots were put in place by number.
    pub(crate) fn rebuild_free_slots(&mut self) {
        let slots = self.slot_numbers().rev();
        self.free = slots
            .filter(|&slot| self.slots[slot as usize].account.is_none())
            .collect();
    }

    /// Highest journal position any slot contains.
    pub(crate) fn highest_lsn(&self) -> u64 {
        self.slots.iter().map(|place| place.lsn).max().unwrap_or(0)
    }

    /// Slots of accounts that hold nothing any more, among the next few in turn.
    pub(crate) fn idle_slots(&mut self, now: Moment) -> Vec<SlotNumber> {
        let mut idle = Vec::new();
        for _ in 0..SWEEP_SLOTS.min(self.slots.len()) {
            self.sweep_from = (self.sweep_from + 1) % self.slots.len();
            let Some(account) = self.slots[self.sweep_from].account.as_mut() else {
                continue;
            };
            account.advance(now);
            if account.is_idle() && account.purse.as_ref().is_none_or(|purse| purse.is_idle(now)) {
                idle.extend(SlotNumber::try_from(self.sweep_from));
            }
        }
        idle
    }
}
