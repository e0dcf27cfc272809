//! What can go wrong with the history's file.

use std::path::PathBuf;

/// Why the history cannot be opened, written or read. The agent enforces and records without it.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// SQLite refused an operation.
    #[error("cannot {action} in {}: {source}", path.display())]
    Store {
        /// What was tried.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// The file was written by a later version.
    #[error("{} has schema version {found}, this agent knows up to {known}; run the newer agent, or move the file away to begin a new history", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Version found in it.
        found: i64,
        /// Latest version this agent knows.
        known: i64,
    },
    /// The file is no history, or is damaged.
    #[error("{} is damaged: {what}; restore it, or move it away to begin a new history (the agent looks again by itself)", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The question cannot be answered.
    #[error("{0}")]
    Question(String),
}

impl HistoryError {
    /// Whether asking for something else would help.
    #[must_use]
    pub const fn is_question(&self) -> bool {
        matches!(self, Self::Question(_))
    }

    /// Whether the file must be opened and checked anew before it is written again.
    pub(super) const fn is_damage(&self) -> bool {
        !matches!(self, Self::Store { .. })
    }
}
