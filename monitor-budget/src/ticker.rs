//! The checkpoint thread's rhythm.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Runs something at a period on a thread of its own until it is dropped.
pub(crate) struct Ticker {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(period: Duration, tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&stop);
        let run = move || {
            let (stopped, changed) = &*seen;
            loop {
                let mut stopped = stopped.lock();
                if !*stopped {
                    changed.wait_for(&mut stopped, period);
                }
                if *stopped {
                    return;
                }
                drop(stopped);
                tick();
            }
        };
        let thread = thread::Builder::new().name("weir-ledger".to_owned()).spawn(run)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    /// Stops the thread and waits until a tick under way is done.
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // Only a panic in a tick could make this an error, and that has been reported by then.
            let _ = thread.join();
        }
    }
}
