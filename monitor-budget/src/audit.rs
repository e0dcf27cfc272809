//! Who changed which budget by hand: a row for each change, in the journal first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::account::Account;
use crate::unit::Unit;

/// Audit rows kept; each new one drops the oldest beyond. A row takes some 300 bytes.
pub const MAX_AUDIT_ROWS: u64 = 100_000;

/// Longest name of who made a change, in bytes; longer ones are cut.
pub const MAX_BY_BYTES: usize = 256;

/// One change of a budget by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, counted from one over the life of the state directory: where the numbers begin later, older rows were dropped.
    pub number: u64,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Who, as the caller said.
    pub by: String,
    /// The budget's key.
    pub key: Arc<str>,
    /// What its figures count.
    pub unit: Unit,
    /// What was done.
    pub change: Change,
    /// The budget before.
    pub before: Figures,
    /// The budget after.
    pub after: Figures,
}

/// What was done to a budget by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Another limit was put into force for a time.
    Override,
    /// The definition's own limit was put back into force.
    OverrideRemoved,
    /// What was settled and owed was cleared.
    Reset,
}

/// The figures of a budget that a change by hand may touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// The limit in force.
    pub limit: u64,
    /// Until when it is an override, in Unix milliseconds; none if it is the definition's.
    pub override_until_ms: Option<u64>,
    /// Settled in the window.
    pub settled: u64,
    /// Owed.
    pub debt: u64,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 3] = [Self::Override, Self::OverrideRemoved, Self::Reset];

    /// The name in the store and in answers of the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::OverrideRemoved => "override_removed",
            Self::Reset => "reset",
        }
    }

    /// The change of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }
}

impl Figures {
    pub(crate) fn of(account: &Account) -> Self {
        Self {
            limit: account.limit(),
            override_until_ms: account.limit_override.map(|found| found.until_ms),
            settled: account.settled(),
            debt: account.debt,
        }
    }
}

/// The rows that the store does not have yet.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    /// Number of the last row.
    pub(crate) last: u64,
    rows: VecDeque<AuditEntry>,
}

impl AuditLog {
    /// One that goes on behind the store's last row.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            last,
            rows: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: AuditEntry) {
        self.last = self.last.max(entry.number);
        self.rows.push_back(entry);
        self.bound();
    }

    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &AuditEntry> {
        self.rows.iter()
    }

    /// Drops the rows that the store has now.
    pub(crate) fn stored(&mut self, last: u64) {
        self.rows.retain(|row| row.number > last);
    }

    fn bound(&mut self) {
        // Only reached where the store takes nothing for long, or there is none.
        while self.rows.len() as u64 > MAX_AUDIT_ROWS {
            self.rows.pop_front();
        }
    }
}

/// The latest rows of one key or of all, the latest first.
pub(crate) fn latest(log: &AuditLog, key: Option<&str>, limit: usize) -> Vec<AuditEntry> {
    let of_key = |row: &&AuditEntry| key.is_none_or(|key| &*row.key == key);
    log.rows().rev().filter(of_key).take(limit).cloned().collect()
}

/// A name within the bound, cut between characters.
pub(crate) fn bounded_name(by: &str) -> &str {
    let mut end = by.len().min(MAX_BY_BYTES);
    while !by.is_char_boundary(end) {
        end -= 1;
    }
    &by[..end]
}
