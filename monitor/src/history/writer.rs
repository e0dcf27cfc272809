//! The history's thread: opens the file, writes batches, deletes what is old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::error::HistoryError;
use super::retention::{Believed, Deleted, MAX_ROWS, cutoffs, noted, step};
use super::schema::{File, extents, failed};
use super::write::{Dictionary, write};
use super::{FileState, History, WRITE_EVERY};

/// How often a file that cannot be used is looked at again.
const OPEN_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked for what is old. While there is something, the next step follows the next write.
const DELETE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    history: Arc<History>,
    open: Option<Open>,
    /// When a file that cannot be used is looked at again.
    pub(super) open_again: Option<Instant>,
    /// When it is looked for what is old; `None` for the next turn.
    pub(super) delete_again: Option<Instant>,
}

/// The file, and what is known of it.
struct Open {
    file: File,
    dictionary: Dictionary,
    believed: Believed,
}

impl Writer {
    pub(super) fn new(history: Arc<History>) -> Self {
        Self {
            history,
            open: None,
            open_again: None,
            delete_again: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let now = Instant::now();
            self.tick(now);
            let mut memory = self.history.memory.lock();
            if !memory.stop {
                self.history.wake.wait_until(&mut memory, now + WRITE_EVERY);
            }
            if memory.stop {
                break;
            }
        }
        // One batch may be on its way, another behind it.
        for _ in 0..2 {
            self.write();
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.open.is_none() && self.open_again.is_none_or(|again| now >= again) {
            self.open_again = Some(now + OPEN_EVERY);
            self.open();
        }
        self.write();
        if self.delete_again.is_none_or(|again| now >= again) {
            let more = self.delete();
            self.delete_again = (!more).then(|| now + DELETE_EVERY);
        }
    }

    fn open(&mut self) {
        let clock = &self.history.clock;
        let written = self.history.memory.lock().written;
        let open = || -> Result<Open, HistoryError> {
            let mut file = File::open(&self.history.path)?;
            file.register(self.history.writer, clock.now_ms() / 1_000, written)?;
            let believed = Believed::resume(noted(&file)?, clock.now_ms(), clock.monotonic_ms());
            Ok(Open {
                file,
                dictionary: Dictionary::default(),
                believed,
            })
        };
        match open() {
            Ok(open) => {
                self.open = Some(open);
                let mut memory = self.history.memory.lock();
                if memory.health.file == FileState::Failed {
                    tracing::info!(path = %self.history.path.display(), "the usage history is written again");
                }
                memory.health.file = FileState::Open;
                memory.health.error = None;
            }
            Err(error) => self.failed(&error, true),
        }
        self.note_size();
        self.history.opened.notify_all();
    }

    /// Writes what is in memory. A batch that cannot be written is tried again as it is: what comes meanwhile is collected behind it.
    fn write(&mut self) {
        let Some(open) = &mut self.open else { return };
        let (batch, number) = {
            let mut memory = self.history.memory.lock();
            if memory.writing.is_none() && !memory.collecting.is_empty() {
                let batch: Batch = std::mem::take(&mut memory.collecting);
                memory.writing = Some(Arc::new(batch));
            }
            let Some(batch) = memory.writing.clone() else {
                return;
            };
            (batch, memory.written + 1)
        };
        match write(
            &mut open.file,
            &mut open.dictionary,
            &batch,
            self.history.writer,
            number,
        ) {
            Ok(written) => {
                let mut memory = self.history.memory.lock();
                memory.writing = None;
                memory.written = number;
                memory.health.error = None;
                memory.health.events.batches += 1;
                memory.health.events.other += written.other;
            }
            Err(error) => {
                if !error.is_damage()
                    && let Err(log) = open.file.empty_log()
                {
                    tracing::debug!(error = %log, "the history's log stays");
                }
                self.failed(&error, error.is_damage());
            }
        }
        self.note_size();
    }

    /// Deletes some of what is old; whether there is more.
    fn delete(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let clock = &self.history.clock;
        let now = open.believed.now(clock.now_ms(), clock.monotonic_ms());
        let cutoffs = cutoffs(&self.history.memory.lock().kept, now);
        match step(&mut open.file, cutoffs, MAX_ROWS, &mut open.believed) {
            Ok(deleted) => {
                if deleted.names > 0 {
                    open.dictionary.clear();
                }
                {
                    let events = &mut self.history.memory.lock().health.events;
                    events.expired += deleted.expired;
                    events.evicted += deleted.evicted;
                }
                if deleted != Deleted::default() {
                    self.note_size();
                }
                deleted.more
            }
            Err(error) => {
                self.failed(&error, error.is_damage());
                false
            }
        }
    }

    fn failed(&mut self, error: &HistoryError, reopen: bool) {
        let mut memory = self.history.memory.lock();
        let text = error.to_string();
        // The same error once a second is said once.
        if memory.health.error.as_ref() != Some(&text) {
            tracing::error!(%error, "the usage history is not written; it goes on in memory");
        }
        memory.health.error = Some(text);
        memory.health.events.errors += 1;
        if reopen {
            self.open = None;
            memory.health.file = FileState::Failed;
        }
    }

    fn note_size(&mut self) {
        let Some(open) = &self.open else { return };
        let read = || -> rusqlite::Result<_> {
            let pages: u64 = open.file.connection.query_row(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                [],
                |row| row.get(0),
            )?;
            Ok((extents(&open.file.connection)?.map(|extent| extent.rows), pages))
        };
        match read().map_err(failed("read its size", &open.file.path)) {
            Ok((rows, bytes)) => {
                let health = &mut self.history.memory.lock().health;
                (health.rows, health.bytes) = (rows, bytes);
            }
            Err(error) => self.failed(&error, error.is_damage()),
        }
    }
}
