//! The journal: what happened since the store was last written.
//!
//! A transaction of SQLite per request is too dear for the request path, so each change is appended here with one `write` before the
//! operation returns: the page cache keeps it when the agent is killed. A checkpoint writes the changed accounts to the
//! store together with the journal position they are from; recovery loads the store and replays what lies beyond.
//!
//! Positions (*LSN*, log sequence number) count bytes of records over all generations of the journal. Each account remembers the
//! position of the last record that changed it and replay skips what it already contains: so a checkpoint may copy the accounts a
//! few at a time while requests go on, and nothing is applied twice.
//!
//! A file `ledger.journal.<generation>` starts with 64 bytes: magic, generation, base position, boot id, whether it continues the
//! generation before, checksum.

pub(crate) mod file;
pub(crate) mod first;
pub(crate) mod record;

use record::Record;

/// Records encoded under the ledger's lock and not yet handed to the file.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) generation: u64,
    /// Position after the last record encoded.
    pub(crate) end_lsn: u64,
    /// Off while the file cannot be written: the store then catches up from memory.
    pub(crate) on: bool,
    pub(crate) pending: Vec<u8>,
}

impl Log {
    /// A log that is off until the first checkpoint gives it a file.
    pub(crate) fn off(end_lsn: u64) -> Self {
        Self {
            generation: 0,
            end_lsn,
            on: false,
            pending: Vec::new(),
        }
    }

    /// Encodes a record and returns the position after it.
    pub(crate) fn append(&mut self, ledger_ms: u64, record: &Record<'_>) -> u64 {
        if self.on {
            self.end_lsn += record::append(&mut self.pending, self.generation, ledger_ms, record) as u64;
        }
        self.end_lsn
    }
}
