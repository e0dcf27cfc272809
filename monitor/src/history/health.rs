//! Whether usage reaches the disk.

use std::fmt;

/// How the file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileState {
    /// It is being opened and checked.
    #[default]
    Opening,
    /// Usage is written to it.
    Open,
    /// It cannot be used: usage stays in memory.
    Failed,
}

/// Whether usage reaches the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How the file is.
    pub file: FileState,
    /// The last error, in words, until the next success.
    pub error: Option<String>,
    /// Rows in the tables, finest level first.
    pub rows: [u64; 3],
    /// Size of the database, without its log.
    pub bytes: u64,
    /// Sums in memory that are not on the disk yet: at most 32,768 of two batches each, and one for each hour beyond them.
    pub waiting: usize,
    /// What happened since the agent's start.
    pub events: HealthEvents,
}

/// What happened to the history since the agent's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HealthEvents {
    /// Batches written.
    pub batches: u64,
    /// Attempts to open, write or shrink the file that failed.
    pub errors: u64,
    /// Exchanges kept without minute, workload and model, because too much was waiting for the disk.
    pub folded: u64,
    /// Exchanges kept under the shared name for workloads or models beyond the bound of a day.
    pub other: u64,
    /// Rows deleted because of their age.
    pub expired: u64,
    /// Rows deleted before their time because there were too many.
    pub evicted: u64,
}

impl HealthEvents {
    /// Each with its name in metrics.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("batch_written", self.batches),
            ("error", self.errors),
            ("exchange_folded", self.folded),
            ("exchange_other", self.other),
            ("row_expired", self.expired),
            ("row_evicted", self.evicted),
        ]
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.file) {
            (Some(error), _) => write!(f, "in memory only, {} sums: {error}", self.waiting),
            (None, FileState::Open) => {
                let rows: u64 = self.rows.iter().sum();
                write!(f, "on disk, {rows} rows in {} KiB", self.bytes / 1_024)
            }
            (None, _) => f.write_str("being opened"),
        }
    }
}
