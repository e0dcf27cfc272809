//! Whether what the ledger does reaches the disk.

use std::error::Error;
use std::io;

use parking_lot::Mutex;

use crate::error::LedgerError;

/// The ledger's health. Enforcement goes on from memory whatever it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Changes survive a kill of the agent at this moment. Always false for a ledger in memory.
    pub durable: bool,
    /// Writes to the journal that failed. One failure stops the journal until a checkpoint has written the store.
    pub journal_errors: u64,
    /// Checkpoints that failed. They are repeated; the first that succeeds makes the ledger durable again.
    pub checkpoint_errors: u64,
    /// The last error, in words.
    pub last_error: Option<String>,
    /// What kind of error that was, where the system said: [`io::ErrorKind::StorageFull`] for a full disk.
    pub last_error_kind: Option<io::ErrorKind>,
    /// Unix milliseconds of the last checkpoint.
    pub last_checkpoint_ms: Option<u64>,
    /// Accounts in the ledger, at most [`crate::MAX_ACCOUNTS`].
    pub accounts: usize,
    /// Open reservations that hold tokens.
    pub open_reservations: u64,
    /// Crossings of thresholds that nobody took before the same threshold was passed again.
    pub crossings_lost: u64,
}

/// The part of the health that the writers note.
#[derive(Debug, Default)]
pub(crate) struct HealthNotes(Mutex<Health>);

impl HealthNotes {
    pub(crate) fn read(&self) -> Health {
        self.0.lock().clone()
    }

    pub(crate) fn journal_failed(&self, error: &io::Error, path: &std::path::Path) {
        let mut health = self.0.lock();
        health.durable = false;
        health.journal_errors += 1;
        health.last_error = Some(format!("cannot append to {}: {error}", path.display()));
        health.last_error_kind = Some(error.kind());
    }

    pub(crate) fn checkpoint_failed(&self, error: &LedgerError) {
        let mut health = self.0.lock();
        health.checkpoint_errors += 1;
        health.last_error = Some(error.to_string());
        health.last_error_kind = kind_of(error);
    }

    pub(crate) fn checkpoint_done(&self, unix_ms: u64, durable: bool) {
        let mut health = self.0.lock();
        health.last_checkpoint_ms = Some(unix_ms);
        health.durable = durable;
    }
}

fn kind_of(error: &LedgerError) -> Option<io::ErrorKind> {
    let source = error.source()?;
    if let Some(error) = source.downcast_ref::<io::Error>() {
        return Some(error.kind());
    }
    match source.downcast_ref::<rusqlite::Error>()?.sqlite_error_code()? {
        rusqlite::ErrorCode::DiskFull => Some(io::ErrorKind::StorageFull),
        rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked => {
            Some(io::ErrorKind::ResourceBusy)
        }
        rusqlite::ErrorCode::ReadOnly => Some(io::ErrorKind::ReadOnlyFilesystem),
        rusqlite::ErrorCode::PermissionDenied => Some(io::ErrorKind::PermissionDenied),
        _ => Some(io::ErrorKind::Other),
    }
}
