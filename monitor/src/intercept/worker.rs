//! One thread and one current-thread runtime per core: a connection and its upstream stay on the core that accepted it.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Interceptor;
use super::listeners::NamespaceListeners;
use crate::identity::Netns;

/// Pause after `accept` fails for want of descriptors or memory; trying at once would only burn the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the queue of a closed listener waits for descriptors or memory: clients do not wait longer for an answer.
const QUEUE_PATIENCE: Duration = Duration::from_secs(60);
/// How often draining looks whether the last connection has ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);

enum Command {
    Listen(Arc<Netns>, Vec<TcpListener>),
    Close(u64),
    /// Say that the thread runs: note the number.
    Answer(u64),
}

/// Whether the workers run: each is asked again and again, and must have answered.
pub struct Pulse {
    asked: u64,
    /// Weak, so that a question does not keep a worker from ending.
    workers: Vec<(mpsc::WeakUnboundedSender<Command>, Arc<AtomicU64>)>,
}

impl Pulse {
    /// Asks each worker again, if all have answered the last time; else says how many have not.
    ///
    /// # Errors
    /// How many have not answered.
    pub fn ask(&mut self) -> Result<(), usize> {
        let silent = self
            .workers
            .iter()
            .filter(|(_, answered)| answered.load(Ordering::Relaxed) < self.asked)
            .count();
        if silent > 0 {
            return Err(silent);
        }
        self.asked += 1;
        let ended = self
            .workers
            .iter()
            .filter(|(worker, _)| {
                worker
                    .upgrade()
                    .is_none_or(|worker| worker.send(Command::Answer(self.asked)).is_err())
            })
            .count();
        if ended > 0 { Err(ended) } else { Ok(()) }
    }
}

/// The threads that carry connections.
pub struct Workers {
    interceptor: Arc<Interceptor>,
    commands: Vec<mpsc::UnboundedSender<Command>>,
    answers: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// A thread or its runtime cannot be made.
    pub fn start(interceptor: Arc<Interceptor>, count: usize) -> io::Result<Self> {
        let (mut commands, mut answers, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            // Unbounded, because only the agent itself sends: two commands in the life of a namespace.
            let (sender, receiver) = mpsc::unbounded_channel();
            let interceptor = interceptor.clone();
            let answered = Arc::new(AtomicU64::new(0));
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn({
                    let answered = answered.clone();
                    move || runtime.block_on(run(&interceptor, receiver, &answered))
                })?;
            commands.push(sender);
            answers.push(answered);
            threads.push(thread);
        }
        Ok(Self {
            interceptor,
            commands,
            answers,
            threads,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.commands.len()
    }

    /// Asks the workers whether they run.
    pub fn pulse(&self) -> Pulse {
        let senders = self.commands.iter().map(mpsc::UnboundedSender::downgrade);
        Pulse {
            asked: 0,
            workers: senders.zip(self.answers.iter().cloned()).collect(),
        }
    }

    /// Gives each worker its share of a namespace's listeners.
    pub fn listen(&self, netns: &Arc<Netns>, listeners: NamespaceListeners) {
        for (worker, sockets) in self.commands.iter().zip(listeners.per_worker) {
            self.tell(worker, Command::Listen(netns.clone(), sockets));
        }
    }

    /// Closes the listeners of a namespace; its connections go on.
    pub fn close(&self, cookie: u64) {
        for worker in &self.commands {
            self.tell(worker, Command::Close(cookie));
        }
    }

    fn tell(&self, worker: &mpsc::UnboundedSender<Command>, command: Command) {
        if worker.send(command).is_err() {
            tracing::error!("a worker thread has ended; its share of connections is not accepted any more");
        }
    }

    /// Waits until the open connections have ended, `limit` at most, then ends the threads and what is still open.
    pub async fn drain(self, limit: Duration) {
        let deadline = tokio::time::Instant::now() + limit;
        while !self.interceptor.live.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        drop(self.commands);
        for thread in self.threads {
            // The runtime drops its tasks: each exchange under way settles and records itself.
            if tokio::task::spawn_blocking(move || thread.join()).await.is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

async fn run(
    interceptor: &Arc<Interceptor>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    answered: &AtomicU64,
) {
    // A loop ends when its sender is dropped.
    let mut accepting: HashMap<u64, Vec<oneshot::Sender<()>>> = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen(netns, sockets) => {
                let loops = accepting.entry(netns.cookie()).or_default();
                for socket in sockets {
                    match tokio::net::TcpListener::from_std(socket) {
                        Ok(listener) => {
                            let (open, closed) = oneshot::channel();
                            tokio::spawn(accept(interceptor.clone(), listener, netns.clone(), closed));
                            loops.push(open);
                        }
                        Err(error) => tracing::error!(%error, "a listener cannot be used"),
                    }
                }
            }
            Command::Answer(asked) => answered.store(asked, Ordering::Relaxed),
            Command::Close(cookie) => {
                accepting.remove(&cookie);
            }
        }
    }
}

/// Accepts until `closed`, and then what is in the queue still: the kernel has told those clients that they are
/// connected, so each must be handled and on record, also when its namespace is gone.
async fn accept(
    interceptor: Arc<Interceptor>,
    listener: tokio::net::TcpListener,
    netns: Arc<Netns>,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut closed => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(interceptor.clone().handle(stream, netns.clone()));
            }
            // The client has left the queue already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted; raise the limit of open files if it is that");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drain(&interceptor, listener, &netns).await;
}

/// Handles what is in the queue of a listener that is to be closed. The runtime may not have been told of all of it yet, so
/// the listener is asked directly.
async fn drain(interceptor: &Arc<Interceptor>, listener: tokio::net::TcpListener, netns: &Arc<Netns>) {
    let listener = match listener.into_std() {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "connections are left in the queue of a listener that is closed");
            return;
        }
    };
    let give_up = tokio::time::Instant::now() + QUEUE_PATIENCE;
    loop {
        let accepted = listener.accept().and_then(|(stream, _)| {
            stream.set_nonblocking(true)?;
            tokio::net::TcpStream::from_std(stream)
        });
        match accepted {
            Ok(stream) => {
                tokio::spawn(interceptor.clone().handle(stream, netns.clone()));
                // Lets it run: thousands that only wait for their turn would take all descriptors.
                tokio::task::yield_now().await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if tokio::time::Instant::now() < give_up => {
                tracing::debug!(%error, "a listener's queue has to wait");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, "connections are left in the queue of a listener that is closed");
                return;
            }
        }
    }
}
