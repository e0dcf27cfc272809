//! The recorder's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use super::{LINGER, Message};
use crate::config::Sink;
use crate::event::sink::FileSink;
use crate::event::{Event, Store};
use crate::history::History;
use crate::metrics::Metrics;

/// Bytes of a batch after which it is written although more is queued.
const BATCH_BYTES: usize = 256 << 10;
/// How long the thread sleeps without events: as long as a failed sink waits until it is tried again.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    queue: Receiver<Message>,
    sinks: Vec<FileSink>,
    store: Arc<Store>,
    history: Option<Arc<History>>,
    metrics: Arc<Metrics>,
}

/// Why a batch ended.
enum BatchEnd {
    /// The queue is empty.
    Drained,
    /// It is large enough.
    Full,
    /// Somebody waits until it is written.
    Asked(SyncSender<()>),
    /// The recorder is to end.
    Stop,
}

impl Worker {
    pub(super) fn new(
        queue: Receiver<Message>,
        sinks: &[Sink],
        store: Arc<Store>,
        history: Option<Arc<History>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut worker = Self {
            queue,
            sinks: Vec::new(),
            store,
            history,
            metrics,
        };
        worker.replace_sinks(sinks);
        worker
    }

    pub(super) fn run(mut self) {
        loop {
            let first = match self.queue.recv_timeout(IDLE) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // More that is there within the pause belongs to the same burst: no need to sleep in `recv` between.
            let mut next = first;
            loop {
                match self.batch(next.take()) {
                    BatchEnd::Drained => {}
                    BatchEnd::Full => {
                        self.flush();
                        continue;
                    }
                    BatchEnd::Asked(done) => {
                        self.flush();
                        // Whoever asked may have given up.
                        let _gone = done.try_send(());
                        continue;
                    }
                    BatchEnd::Stop => return self.finish(),
                }
                self.flush();
                std::thread::sleep(LINGER);
                match self.queue.try_recv() {
                    Ok(message) => next = Some(message),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
        }
        self.finish();
    }

    /// Takes what is queued, beginning with `first`.
    fn batch(&mut self, first: Option<Message>) -> BatchEnd {
        let mut next = first.or_else(|| self.queue.try_recv().ok());
        let mut bytes = 0;
        while let Some(message) = next {
            match message {
                Message::Event(event) => bytes += self.record(&event),
                Message::Sinks(sinks) => self.replace_sinks(&sinks),
                Message::Flush(done) => return BatchEnd::Asked(done),
                Message::Stop => return BatchEnd::Stop,
            }
            if bytes >= BATCH_BYTES {
                return BatchEnd::Full;
            }
            next = self.queue.try_recv().ok();
        }
        BatchEnd::Drained
    }

    /// Returns the bytes it added to the sink that it added most to.
    fn record(&mut self, event: &Event) -> usize {
        match event {
            Event::Exchange(exchange) => {
                self.metrics.count_exchange(exchange);
                if let Some(history) = &self.history {
                    history.record(exchange);
                }
            }
            Event::Connection(connection) => self.metrics.count_connection(connection),
            Event::Bypass(bypass) => self.metrics.count_bypass(bypass),
            Event::Audit(audit) => self.metrics.count_audit(audit),
            Event::BudgetThreshold(threshold) => self.metrics.count_threshold(threshold),
        }
        let mut most = 0;
        for sink in &mut self.sinks {
            let before = sink.held_bytes();
            sink.append(event);
            most = most.max(sink.held_bytes() - before);
        }
        self.store.keep(event);
        most
    }

    fn flush(&mut self) {
        let now = Instant::now();
        self.sinks.iter_mut().for_each(|sink| sink.flush(now));
    }

    fn finish(mut self) {
        let now = Instant::now();
        self.sinks.iter_mut().for_each(|sink| sink.finish(now));
    }

    fn replace_sinks(&mut self, sinks: &[Sink]) {
        let mut old = std::mem::take(&mut self.sinks);
        for Sink::File(target) in sinks {
            let kept = old
                .iter()
                .position(|sink| sink.target() == target)
                .map(|index| old.swap_remove(index));
            self.sinks
                .push(kept.unwrap_or_else(|| FileSink::new(target.clone(), &self.metrics)));
        }
        let now = Instant::now();
        old.iter_mut().for_each(|sink| sink.finish(now));
    }
}
