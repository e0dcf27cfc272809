//! The checkpoint thread's rhythm.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Runs something at a period on a thread of its own until it is dropped.
pub(crate) struct Ticker {
    period: Duration,
    stop: Arc<(Mutex<bool>, Condvar)>,
}

impl Ticker {
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period,
            stop: Arc::default(),
        }
    }

    /// Starts the thread. It ends when `tick` returns false or the ticker is dropped; nobody waits for it.
    pub(crate) fn spawn(&self, mut tick: impl FnMut() -> bool + Send + 'static) -> io::Result<()> {
        let (period, stop) = (self.period, Arc::clone(&self.stop));
        let run = move || {
            let (stopped, changed) = &*stop;
            loop {
                let mut stopped = stopped.lock();
                if !*stopped {
                    changed.wait_for(&mut stopped, period);
                }
                if *stopped {
                    return;
                }
                drop(stopped);
                if !tick() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("weir-ledger".to_owned())
            .spawn(run)
            .map(drop)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
    }
}
