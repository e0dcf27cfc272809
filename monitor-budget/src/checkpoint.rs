//! Everything that reaches the disk: the journal's writer, and the checkpoints that carry its content into the store.
//!
//! Order of locks: store, then journal, then accounts. A request holds the accounts' lock while it only *tries* the
//! journal's, so that it never waits in the other order.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};

use crate::audit::{AuditEntry, latest};
use crate::clock::{CLOCK_STEP_MS, Clock, Reading};
use crate::error::LedgerError;
use crate::health::{Health, HealthNotes};
use crate::journal::Log;
use crate::journal::file::{Header, JournalFile, ROTATE_BYTES, boot_id, remove_before};
use crate::journal::record::Record;
use crate::recovery::{Open, Recovered, Recovery, recover};
use crate::state::State;
use crate::store::{Position, Store, StoredSlot};

const LOCK_FILE: &str = "ledger.lock";

/// Accounts copied per lock taken: requests wait a few microseconds at most.
const ACCOUNTS_PER_LOCK: usize = 64;

/// The disk side of a ledger.
pub(crate) struct Durable {
    dir: PathBuf,
    boot_id: [u8; 16],
    journal: Mutex<Writer>,
    /// None once the directory has been handed over.
    store: Mutex<Option<Checkpointer>>,
    health: HealthNotes,
    pub(crate) recovery: Recovery,
    /// Locked as long as the ledger has the directory; the system unlocks it however the process ends.
    lock: Mutex<Option<File>>,
}

struct Writer {
    /// The file of the current generation; none before the first checkpoint and after a failed write.
    file: Option<JournalFile>,
    /// The buffer being written, swapped with the log's.
    writing: Vec<u8>,
    written_lsn: u64,
}

struct Checkpointer {
    store: Store,
    position: Position,
    last_generation: u64,
}

impl Durable {
    /// Takes the state directory and recovers what is in it. The journal is off until the first checkpoint.
    pub(crate) fn open(dir: &Path, clock: &dyn Clock, open: Open) -> Result<(Self, State), LedgerError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(LedgerError::file("create the directory", dir))?;
        let boot_id = boot_id();
        let taken = take(dir, clock, boot_id, open)?;
        let durable = Self {
            dir: dir.to_owned(),
            boot_id,
            journal: Mutex::new(Writer {
                file: None,
                writing: Vec::new(),
                written_lsn: 0,
            }),
            store: Mutex::new(Some(taken.checkpointer)),
            health: HealthNotes::default(),
            recovery: taken.report,
            lock: Mutex::new(Some(taken.lock)),
        };
        Ok((durable, taken.state))
    }

    /// Writes all of it and lets go of the directory: from now on nothing is written.
    pub(crate) fn release(&self, accounts: &Mutex<State>, clock: &dyn Clock) -> Result<(), LedgerError> {
        let mut store = self.store.lock();
        if let Some(checkpointer) = store.as_mut() {
            self.run(checkpointer, accounts, clock)?;
        }
        accounts.lock().log = None;
        self.journal.lock().file = None;
        *store = None;
        *self.lock.lock() = None;
        Ok(())
    }

    /// Takes the directory back, with what is in it now. The journal is off until the next checkpoint.
    pub(crate) fn retake(&self, clock: &dyn Clock, open: Open) -> Result<State, LedgerError> {
        let mut store = self.store.lock();
        let taken = take(&self.dir, clock, self.boot_id, open)?;
        *store = Some(taken.checkpointer);
        *self.lock.lock() = Some(taken.lock);
        Ok(taken.state)
    }

    /// The node's identity in its cluster, as [`Store::node_id`].
    pub(crate) fn node_id(&self, new: &str, not: Option<&str>) -> Result<String, LedgerError> {
        match self.store.lock().as_ref() {
            Some(checkpointer) => checkpointer.store.node_id(new, not),
            None => Ok(new.to_owned()),
        }
    }

    pub(crate) fn health(&self) -> Health {
        self.health.read()
    }

    /// Writes the records that the caller has just logged, or sees to it that somebody has. Threads that come while one writes
    /// leave their records to the next writer, who takes them all at once.
    pub(crate) fn flush(&self, accounts: &Mutex<State>, mut state: MutexGuard<'_, State>) {
        let Some(log) = state.log.as_mut().filter(|log| !log.pending.is_empty()) else {
            return;
        };
        let lsn = log.end_lsn;
        if let Some(mut writer) = self.journal.try_lock() {
            writer.take(log);
            drop(state);
            self.write(accounts, &mut writer, lsn);
            return;
        }
        drop(state);
        let mut writer = self.journal.lock();
        if writer.written_lsn >= lsn {
            return;
        }
        let mut state = accounts.lock();
        let Some(log) = state.log.as_mut() else { return };
        writer.take(log);
        let lsn = log.end_lsn;
        drop(state);
        self.write(accounts, &mut writer, lsn);
    }

    fn write(&self, accounts: &Mutex<State>, writer: &mut Writer, lsn: u64) {
        if let Some(file) = writer.file.as_mut().filter(|_| !writer.writing.is_empty()) {
            match file.append(&writer.writing) {
                Ok(()) => writer.written_lsn = lsn,
                Err(error) => {
                    self.health.journal_failed(&error, file.path());
                    self.stop(writer, accounts);
                }
            }
        }
        writer.writing.clear();
    }

    /// Brings the store up to the present. Repeated after a failure, it starts where that left off.
    pub(crate) fn checkpoint(&self, accounts: &Mutex<State>, clock: &dyn Clock) -> Result<(), LedgerError> {
        let mut store = self.store.lock();
        let Some(checkpointer) = store.as_mut() else {
            return Ok(());
        };
        let done = self.run(checkpointer, accounts, clock);
        match &done {
            Ok(()) => {
                let durable = accounts.lock().log.as_ref().is_some_and(|log| log.on);
                self.health.checkpoint_done(clock.now_ms(), durable);
            }
            Err(error) => self.health.checkpoint_failed(error),
        }
        done
    }

    fn run(
        &self,
        checkpointer: &mut Checkpointer,
        accounts: &Mutex<State>,
        clock: &dyn Clock,
    ) -> Result<(), LedgerError> {
        let mut state = accounts.lock();
        let now = state.now(Reading::of(clock));
        state.forget_idle(now);
        if state.open_reservations > 0 {
            state.record(
                now.ledger_ms,
                &Record::Clock {
                    unix_ms: clock.now_ms(),
                },
                &[],
            );
        }
        let stopped = !state.log.as_ref().is_some_and(|log| log.on);
        self.flush(accounts, state);

        let long = self
            .journal
            .lock()
            .file
            .as_ref()
            .is_some_and(|file| file.length() >= ROTATE_BYTES);
        let started = if stopped || long {
            self.start_file(checkpointer, accounts, !stopped)
        } else {
            Ok(())
        };
        // Without a journal the store is still kept up. A journal begun anew counts only once the store has caught up.
        let written = self.write_store(checkpointer, accounts, clock);
        if stopped && written.is_err() {
            self.stop(&mut self.journal.lock(), accounts);
        }
        started.and(written)
    }

    /// Begins the next generation of the journal. Requests wait while two small writes switch the files.
    fn start_file(
        &self,
        checkpointer: &mut Checkpointer,
        accounts: &Mutex<State>,
        continues: bool,
    ) -> Result<(), LedgerError> {
        let generation = checkpointer.last_generation + 1;
        let mut file = JournalFile::create(&self.dir, generation)?;
        checkpointer.last_generation = generation;

        let mut writer = self.journal.lock();
        let mut state = accounts.lock();
        let Some(log) = state.log.as_mut() else {
            return Ok(());
        };
        writer.take(log);
        (log.generation, log.on) = (generation, true);
        let base_lsn = log.end_lsn;
        drop(state);
        self.write(accounts, &mut writer, base_lsn);
        if continues && writer.file.is_none() {
            // A write to the old file failed meanwhile: the new one cannot continue it. The next checkpoint starts over.
            self.stop(&mut writer, accounts);
            return Ok(());
        }
        let header = Header {
            generation,
            base_lsn,
            boot_id: self.boot_id,
            continues,
            first_format: false,
        };
        let synced = file.begin(&header).inspect(|_| writer.file = Some(file));
        let synced = synced.inspect_err(|_| self.stop(&mut writer, accounts))?;
        drop(writer);
        synced
            .sync(&self.dir)
            .inspect_err(|_| self.stop(&mut self.journal.lock(), accounts))
    }

    fn write_store(
        &self,
        checkpointer: &mut Checkpointer,
        accounts: &Mutex<State>,
        clock: &dyn Clock,
    ) -> Result<(), LedgerError> {
        let mut state = accounts.lock();
        let (unix_ms, ledger_ms) = (clock.now_ms(), state.time.at(clock.monotonic_ms()));
        let Some(log) = state.log.as_ref() else {
            return Ok(());
        };
        // While the journal is off its last file need not be on the disk: the store keeps to the one it knows.
        let generation = if log.on {
            log.generation
        } else {
            checkpointer.position.generation
        };
        // Accounts are copied after this position is taken: what they contain beyond it, replay skips.
        let position = Position {
            generation,
            lsn: log.end_lsn,
            ledger_ms,
            unix_ms,
            ahead_ms: state.time.ahead_ms(),
        };
        let changed = state.book.take_dirty();
        drop(state);

        let last = &checkpointer.position;
        let stepped = unix_ms
            .wrapping_sub(ledger_ms)
            .wrapping_sub(last.unix_ms.wrapping_sub(last.ledger_ms));
        let stepped = stepped.cast_signed().unsigned_abs() >= CLOCK_STEP_MS;
        if changed.is_empty() && position.generation == last.generation && !stepped {
            return Ok(());
        }
        let mut stored = Vec::with_capacity(changed.len());
        for slots in changed.chunks(ACCOUNTS_PER_LOCK) {
            let mut state = accounts.lock();
            // Calendar time may have been set back since.
            let now = state.time.moment(ledger_ms);
            stored.extend(slots.iter().filter_map(|&slot| {
                let (lsn, account) = state.book.copy_clean(slot, now)?;
                Some(StoredSlot { slot, lsn, account })
            }));
            // Requests that wait go first: an ordinary unlock would let this loop take the lock again and again.
            MutexGuard::unlock_fair(state);
        }
        // Taken after the accounts: a row of the journal that replay will skip on its account is among them.
        let audit: Vec<_> = accounts.lock().audit.rows().cloned().collect();
        if let Err(error) = checkpointer.store.write(&stored, &audit, &position) {
            accounts.lock().book.mark_dirty(&changed);
            return Err(error);
        }
        if let Some(last) = audit.last() {
            accounts.lock().audit.stored(last.number);
        }
        checkpointer.position = position;
        remove_before(&self.dir, position.generation)
    }

    /// The last changes by hand, the latest first: those that are not in the store yet, then the store's.
    pub(crate) fn audit(
        &self,
        accounts: &Mutex<State>,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, LedgerError> {
        let store = self.store.lock();
        let mut rows = latest(&accounts.lock().audit, key, limit);
        if let Some(checkpointer) = store.as_ref() {
            let left = limit - rows.len();
            rows.extend(checkpointer.store.audit(key, left)?);
        }
        Ok(rows)
    }

    /// Stops the journal until a checkpoint starts a new file.
    fn stop(&self, writer: &mut Writer, accounts: &Mutex<State>) {
        writer.file = None;
        if let Some(log) = accounts.lock().log.as_mut() {
            log.on = false;
            log.pending.clear();
        }
    }
}

impl Writer {
    fn take(&mut self, log: &mut Log) {
        std::mem::swap(&mut self.writing, &mut log.pending);
    }
}

/// A directory that is ours, and what was recovered from it.
struct Taken {
    lock: File,
    checkpointer: Checkpointer,
    state: State,
    report: Recovery,
}

fn take(dir: &Path, clock: &dyn Clock, boot_id: [u8; 16], open: Open) -> Result<Taken, LedgerError> {
    let lock = lock(dir)?;
    let no_journal = crate::journal::file::generations(dir)?.is_empty();
    let store = Store::open(dir, no_journal)?;
    let position = store.position()?;
    let Recovered {
        state,
        report,
        last_generation,
    } = recover(dir, &store, clock, boot_id, open)?;
    Ok(Taken {
        lock,
        checkpointer: Checkpointer {
            store,
            position,
            last_generation,
        },
        state,
        report,
    })
}

fn lock(dir: &Path) -> Result<File, LedgerError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(LedgerError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(LedgerError::File {
            action: "lock",
            path,
            source,
        }),
    }
}
