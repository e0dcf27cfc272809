//! What can go wrong when a ledger is opened or written to its store.

use std::io;
use std::path::PathBuf;

/// Why a ledger cannot be opened, or could not be written to its store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process (or another ledger in this one) has the state directory.
    #[error("the ledger in {} is in use by another agent (it holds a lock on ledger.lock); stop that one first", dir.display())]
    InUse {
        /// The state directory.
        dir: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// SQLite refused an operation.
    #[error("cannot {action} in {}: {source}; if the file is damaged, restore it or move the directory away to start with empty budgets", path.display())]
    Store {
        /// What was tried.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// The store was written by a later version.
    #[error("{} has schema version {found}, this agent knows up to {known}; run the newer agent", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Version found in it.
        found: i64,
        /// Latest version this crate knows.
        known: i64,
    },
    /// The store's content contradicts itself.
    #[error("{} is damaged: {what}; restore it or move the directory away to start with empty budgets", path.display())]
    CorruptStore {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A journal is damaged elsewhere than at its end.
    #[error("journal {} is damaged at byte {offset}: {what}; restore it or move the directory away to start with empty budgets", path.display())]
    CorruptJournal {
        /// The journal.
        path: PathBuf,
        /// Offset of the damage from the start of the file.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A file the ledger needs is gone.
    #[error("{} is missing although {needed_by} refers to it; restore it or move the directory away to start with empty budgets", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What needs it.
        needed_by: &'static str,
    },
}

impl LedgerError {
    /// An adapter for `map_err` on file operations.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// An adapter for `map_err` on SQLite operations.
    pub(crate) fn store(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.into();
        move |source| Self::Store { action, path, source }
    }
}
