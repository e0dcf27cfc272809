//! The agent's sign of life in the kernel's row, for as long as it can really take connections.
//!
//! A thread of its own beats, so that a busy control loop (a large configuration, a slow disk) does not make a working agent
//! look dead; and only when every worker thread has answered since the last beat, so that a hung one does not look alive. After
//! a long stop of the whole process the agent is dead until it beats again.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::intercept::Pulse;
use crate::kernel::Kernel;

/// Between two beats: workers answer within microseconds, and two map operations twice a second cost nothing.
const INTERVAL: Duration = Duration::from_millis(500);
/// How old the last beat may be: four beats may be missed on a machine that is short of processor time before its closed workloads
/// are refused, and a hung agent is noticed within the time a person takes to wonder.
pub(super) const PATIENCE: Duration = Duration::from_millis(2_500);

/// The beating thread. Dropping it ends it.
pub(super) struct Heartbeat {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts beating. `trouble` says why it does not; empty while it does.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub(super) fn start(
        kernel: Arc<Kernel>,
        mut pulse: Pulse,
        trouble: Arc<Mutex<Option<String>>>,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let found = beat(&kernel, &mut pulse).err();
                    let mut told = trouble.lock();
                    if *told != found {
                        match &found {
                            Some(trouble) => tracing::error!(trouble, "no heartbeat"),
                            None => tracing::info!("the heart beats again"),
                        }
                        *told = found;
                    }
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

fn beat(kernel: &Kernel, pulse: &mut Pulse) -> Result<(), String> {
    pulse
        .ask()
        .map_err(|silent| format!("heartbeat: {silent} worker threads do not answer"))?;
    match kernel.beat() {
        Ok(true) => Ok(()),
        Ok(false) => Err("heartbeat: the kernel programs know another agent".to_owned()),
        Err(error) => Err(format!("heartbeat: {error}")),
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ended = self.stop.send(());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the heartbeat's thread panicked");
        }
    }
}
