//! The usage history: what was spent, by minute, hour and day, on disk.
//!
//! 1. The recorder's thread [adds](History::record) each exchange to sums in memory, one for each minute, workload, provider, model and
//!    operation. It never waits for the disk.
//! 2. Once a second a thread of the history's own writes the sums as one transaction, into the tables of all three levels. In ordinary
//!    operation a kill takes the exchanges of the last second; a power cut does too, because a commit is synced.
//! 3. What cannot be written (a full disk) stays in memory, bounded, and is written when that is possible again. A file that is damaged or of
//!    a later version is never written; it is looked at again until it has been repaired or moved away. The agent enforces and
//!    records meanwhile, and says so.
//! 4. An [answer](History::answer) is put together from one snapshot of the tables and what of memory is not in it.
//!
//! Buckets are in UTC, by the wall clock at the end of the exchange. A clock that is stepped puts usage into other buckets; it neither loses
//! nor doubles any.

mod answer;
mod batch;
mod error;
mod health;
mod level;
mod names;
mod plan;
mod question;
mod read;
mod retention;
mod schema;
mod seconds;
mod write;
mod writer;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use monitor_budget::Clock;
use parking_lot::{Condvar, Mutex};

use self::answer::Groups;
pub use self::answer::{Answer, MAX_GROUPS, Row};
use self::batch::Batch;
pub(crate) use self::batch::MAX_WAITING_ROWS;
pub use self::error::HistoryError;
pub use self::health::{FileState, Health, HealthEvents};
pub use self::level::Level;
pub use self::names::OTHER;
use self::plan::{OPEN, Plan, plan};
pub use self::question::{Dimension, Order, Question};
use self::read::Snapshot;
pub use self::retention::MAX_ROWS;
pub(crate) use self::schema::FILE_NAME;
pub use self::seconds::{Moment, NotAMoment};
pub use self::write::{MAX_MODELS_PER_WORKLOAD_AND_DAY, MAX_WORKLOADS_PER_DAY};
use self::writer::Writer;
use crate::config::Usage;
use crate::event::Exchange;

/// How often what is in memory is written.
pub const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How long an answer waits for the file to be opened and checked after a start.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// How often an answer begins anew because a batch was written between its two halves: batches are a second apart.
const MAX_TRIES: usize = 5;

/// The history of one agent.
pub struct History {
    path: PathBuf,
    /// This run's name in the file.
    writer: i64,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
    /// For the thread: there is something to do before its time.
    wake: Condvar,
    /// For answers: the file was opened, or could not be.
    opened: Condvar,
}

/// What is not on the disk, and how the disk is.
#[derive(Debug)]
struct Memory {
    collecting: Batch,
    /// The batch after `written`, on its way to the disk.
    writing: Option<Arc<Batch>>,
    /// Number of the last batch that is on the disk.
    written: u64,
    kept: Usage,
    health: Health,
    stop: bool,
}

/// The history's thread.
#[derive(Debug)]
pub struct HistoryThread {
    history: Arc<History>,
    thread: JoinHandle<()>,
}

impl History {
    /// Starts the history of a state directory. The file is opened by the history's thread: a long check does not hold the agent up.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(
        state_dir: &Path,
        kept: Usage,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Arc<Self>, HistoryThread)> {
        let history = Arc::new(Self::new(state_dir, kept, clock));
        let writer = Writer::new(history.clone());
        let thread = std::thread::Builder::new()
            .name("weir-history".into())
            .spawn(move || writer.run())?;
        Ok((history.clone(), HistoryThread { history, thread }))
    }

    fn new(state_dir: &Path, kept: Usage, clock: Arc<dyn Clock>) -> Self {
        // The standard library seeds its hasher from the system's random source; runs need to differ, no more.
        let chance = RandomState::new().build_hasher().finish() >> 1;
        Self {
            path: state_dir.join(FILE_NAME),
            writer: chance.cast_signed(),
            clock,
            memory: Mutex::new(Memory {
                collecting: Batch::default(),
                writing: None,
                written: 0,
                kept,
                health: Health::default(),
                stop: false,
            }),
            wake: Condvar::new(),
            opened: Condvar::new(),
        }
    }

    /// Adds an exchange. Never waits for the disk.
    pub fn record(&self, exchange: &Exchange) {
        let mut memory = self.memory.lock();
        if !memory.collecting.add(exchange, MAX_WAITING_ROWS) {
            memory.health.events.folded += 1;
        }
    }

    /// Keeps usage for other lengths of time from now on.
    pub fn keep(&self, kept: Usage) {
        self.memory.lock().kept = kept;
    }

    /// The wall clock by which usage is put into buckets, Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Whether usage reaches the disk.
    #[must_use]
    pub fn health(&self) -> Health {
        let memory = self.memory.lock();
        let writing = memory.writing.as_ref().map_or(0, |batch| batch.rows.len());
        Health {
            waiting: memory.collecting.rows.len() + writing,
            ..memory.health.clone()
        }
    }

    /// Answers a question: from the disk, and from memory what is not there yet. Blocks for as long as the disk takes.
    ///
    /// # Errors
    ///
    /// The question asks for what is not kept or for too much, or the file cannot be read.
    pub fn answer(&self, question: &Question) -> Result<Answer, HistoryError> {
        let until = question
            .until_ms
            .map_or(OPEN, |until_ms| until_ms.div_ceil(1_000));
        let plan = |complete_from| {
            plan(question.since_ms / 1_000, until, question.step, complete_from).map_err(|refused| {
                let step = question.step.map_or("step", Level::name);
                let from = crate::event::native::rfc3339(refused.kept_from.saturating_mul(1_000));
                HistoryError::Question(format!(
                    "usage by {step} is kept from {from} on; ask for a later time, or for a longer step"
                ))
            })
        };
        for _ in 0..MAX_TRIES {
            if let Some(error) = self.until_opened() {
                let plan = plan([0; 3])?;
                let mut groups = Groups::new(question);
                self.memory.lock().add(0, &plan, &mut groups)?;
                let note = format!("only what is in memory: {error}");
                return Ok(groups.answer(&plan, Some(note)));
            }
            let snapshot = Snapshot::begin(&self.path, self.writer)?;
            let plan = plan(snapshot.extents.map(|extent| extent.complete_from))?;
            let mut groups = Groups::new(question);
            {
                let memory = self.memory.lock();
                if memory.written > snapshot.batch {
                    // A batch went from memory to the disk after the snapshot: it would be in neither.
                    continue;
                }
                memory.add(snapshot.batch, &plan, &mut groups)?;
            }
            snapshot.read(&plan, &mut groups)?;
            return Ok(groups.answer(&plan, None));
        }
        Err(HistoryError::Question(
            "the history was written again and again while it was read; ask again".to_owned(),
        ))
    }

    /// Waits until the file was opened; why not, if it cannot be.
    fn until_opened(&self) -> Option<String> {
        let mut memory = self.memory.lock();
        let opening = |memory: &mut Memory| memory.health.file == FileState::Opening;
        self.opened.wait_while_for(&mut memory, opening, OPEN_WITHIN);
        match memory.health.file {
            FileState::Open => None,
            FileState::Opening => Some("the file is still being checked".to_owned()),
            FileState::Failed => Some(memory.health.error.clone().unwrap_or_default()),
        }
    }
}

impl Memory {
    /// Adds what of a plan's span is in memory and not in the tables up to batch number `on_disk`.
    fn add(&self, on_disk: u64, plan: &Plan, groups: &mut Groups<'_>) -> Result<(), HistoryError> {
        let writing = self.writing.as_deref().filter(|_| self.written + 1 > on_disk);
        for batch in writing.into_iter().chain([&self.collecting]) {
            let mut askers = Vec::with_capacity(batch.askers.values().len());
            askers.extend(batch.askers.values().iter().map(|asker| groups.asker(asker)));
            let mut asked = Vec::with_capacity(batch.asked.values().len());
            asked.extend(batch.asked.values().iter().map(|asked| groups.asked(asked)));
            for (&(at, asker, what), counts) in &batch.rows {
                if at < plan.from || at >= plan.to {
                    continue;
                }
                let asker = askers.get(asker as usize).copied().flatten();
                let what = asked.get(what as usize).copied().flatten();
                if let Some((asker, what)) = asker.zip(what) {
                    groups.add(at, asker, what, counts)?;
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl HistoryThread {
    /// Writes what is in memory, as far as the disk takes it, and ends the thread.
    pub fn stop(self) {
        self.history.memory.lock().stop = true;
        self.history.wake.notify_all();
        if self.thread.join().is_err() {
            tracing::error!("the usage history ended in a panic; its last seconds may be missing");
        }
    }
}

#[cfg(test)]
mod tests;
