//! The way of a record from the data path to metrics, the local API and the sinks.
//!
//! 1. A task [sends](Recorder::send) an event: one push into a bounded queue, no formatting, no waiting.
//! 2. One thread takes what is queued as a batch; for each event it updates metrics, the [`Store`] and the [`History`], and
//!    adds a line to every sink.
//! 3. The batch is written as soon as the queue is empty or the batch is large. Then the thread sleeps for [`LINGER`]: under load
//!    the senders of the next batch find it awake soon anyway and need no system call to wake it. A record reaches the
//!    kernel's page cache, where `kill -9` cannot take it, within about that time.
//! 4. When the queue is full, events wait in tasks of their own, up to [`MAX_WAITING`] events and [`PATIENCE`]; while any does,
//!    [`Recorder::ready`] holds new exchanges back. Only what waits in vain is lost, and counted.

mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use self::worker::Worker;
use super::{Event, Store};
use crate::config::Sink;
use crate::history::History;
use crate::metrics::Metrics;

/// Events in the queue: a quarter of a second of a busy node; the queue itself takes 256 KiB.
pub const MAX_QUEUED: usize = 8_192;
/// Events that may wait in tasks of their own for room in the queue.
pub const MAX_WAITING: usize = 4_096;
/// How long an event waits for room: longer than a disk's usual stall, shorter than a client's patience.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between batches.
pub const LINGER: Duration = Duration::from_millis(1);
/// How often a waiting event looks for room.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What the worker is told.
enum Message {
    Event(Event),
    /// From here on, these are the sinks.
    Sinks(Vec<Sink>),
    /// Write everything that was sent before, then answer.
    Flush(SyncSender<()>),
    /// Write everything that was sent before, then end.
    Stop,
}

/// A handle for sending events; clones share the queue.
#[derive(Clone)]
pub struct Recorder {
    queue: SyncSender<Message>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    /// Events that wait for room.
    waiting: Arc<AtomicUsize>,
    /// How long one may: [`PATIENCE`] but in tests.
    patience: Duration,
}

/// The recorder's thread. Dropping it lets the thread go on; [`stop`](Self::stop) ends it in order.
#[derive(Debug)]
pub struct RecorderThread {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Starts the recorder's thread.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(sinks: &[Sink], metrics: Arc<Metrics>) -> std::io::Result<(Self, RecorderThread)> {
        Self::start_with(sinks, metrics, None)
    }

    /// The same, with a history to which exchanges are added.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start_with(
        sinks: &[Sink],
        metrics: Arc<Metrics>,
        history: Option<Arc<History>>,
    ) -> std::io::Result<(Self, RecorderThread)> {
        let (queue, events) = sync_channel(MAX_QUEUED);
        let store = Arc::new(Store::default());
        let worker = Worker::new(events, sinks, store.clone(), history, metrics.clone());
        let thread = std::thread::Builder::new()
            .name("weir-recorder".into())
            .spawn(move || worker.run())?;
        let recorder = Self {
            queue: queue.clone(),
            store,
            metrics,
            waiting: Arc::default(),
            patience: PATIENCE,
        };
        Ok((recorder, RecorderThread { queue, thread }))
    }

    /// Puts an event on record. Never waits and may be called from a destructor.
    pub fn send(&self, event: Event) {
        let event = match self.queue.try_send(Message::Event(event)) {
            Ok(()) => return,
            Err(TrySendError::Full(message)) => message,
            Err(TrySendError::Disconnected(_)) => return self.metrics.events_dropped.inc(),
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return self.metrics.events_dropped.inc();
        };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return self.metrics.events_dropped.inc();
        }
        self.metrics.events_delayed.inc();
        let waiting = Waiting {
            recorder: self.clone(),
            event: Some(event),
        };
        runtime.spawn(waiting.until_there_is_room());
    }

    /// Waits while events find no room, for at most [`PATIENCE`]: to be called before work is begun that will end in an
    /// event. Returns at once in ordinary operation.
    pub async fn ready(&self) {
        let deadline = tokio::time::Instant::now() + self.patience;
        while self.waiting.load(Ordering::Relaxed) > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The latest records and totals.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Puts other sinks in place of the present ones. A sink that stays the same keeps its file and what it holds. Blocks
    /// while the queue is full: not for the data path.
    pub fn replace_sinks(&self, sinks: &[Sink]) {
        // The worker is gone only after `stop`, when there is nothing to replace.
        let _stopped = self.queue.send(Message::Sinks(sinks.to_vec()));
    }

    /// Blocks until everything sent before was written, or tried to be; `false` if that takes longer than `timeout` once
    /// it is the recorder's turn.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> bool {
        let (done, wait) = sync_channel(1);
        self.queue.send(Message::Flush(done)).is_ok() && wait.recv_timeout(timeout).is_ok()
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl RecorderThread {
    /// Writes everything sent before and ends the thread. Events sent later are counted as dropped.
    pub fn stop(self) {
        // An error means that the thread has ended already.
        let _ended = self.queue.send(Message::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the recorder ended in a panic; its last records may be missing");
        }
    }
}

/// An event that found the queue full.
struct Waiting {
    recorder: Recorder,
    /// Taken once it is in the queue.
    event: Option<Message>,
}

impl Waiting {
    async fn until_there_is_room(mut self) {
        let deadline = tokio::time::Instant::now() + self.recorder.patience;
        while let Some(event) = self.event.take() {
            match self.recorder.queue.try_send(event) {
                Ok(()) => return,
                Err(TrySendError::Full(event)) => self.event = Some(event),
                Err(TrySendError::Disconnected(event)) => {
                    self.event = Some(event);
                    return;
                }
            }
            if tokio::time::Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Waiting {
    /// Also where the runtime ends and takes the task with it.
    fn drop(&mut self) {
        self.recorder.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(event) = self.event.take()
            && self.recorder.queue.try_send(event).is_err()
        {
            self.recorder.metrics.events_dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests;
