//! The running agent's side: the agent that comes.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monitor_budget::Ledger;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::ledger::Remote;
use super::{ANSWER_WITHIN, LOAD_WITHIN, Lines, Message, Node, SOCKET_NAME};
use crate::config::Config;

/// Pause after a failed `accept`, which would fail again at once.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// What the running agent is to do. It answers when it has done it.
pub(in crate::agent) enum Step {
    /// Let go of local API, events and ledger. The answer is how many reservations are open.
    HandOver(oneshot::Sender<Result<u64, String>>),
    /// The new agent has failed: take all of it back.
    Resume(oneshot::Sender<()>),
    /// The new agent accepts: stop the heart.
    Commit(oneshot::Sender<()>),
    /// The ledger's operations go to the new agent: drain, and end.
    Drain,
}

/// The socket at which a new agent calls.
pub(in crate::agent) struct Door {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Door {
    /// Opens it, in the place of one that another agent left or will leave.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub(in crate::agent) fn open(
        config: &Config,
        cgroup: &Path,
        stays: Result<(), &str>,
        ledger: Ledger,
    ) -> io::Result<(Self, mpsc::Receiver<Step>)> {
        let path = config.node.run_dir.join(SOCKET_NAME);
        // Bound under another name and renamed, so that the socket never has its name with a wider mode than it should.
        let draft = path.with_extension("new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&draft)?;
        fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
        fs::rename(&draft, &path)?;
        // One step at a time.
        let (steps, taken) = mpsc::channel(1);
        let host = Host {
            node: Node::of(config, cgroup),
            unpinned: stays.err().map(str::to_owned),
            ledger,
            steps,
        };
        let task = tokio::spawn(host.receive(listener));
        Ok((Self { path, task }, taken))
    }

    /// Closes it, when no new agent has opened its own in its place.
    pub(in crate::agent) fn close(self) {
        self.task.abort();
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket for the next agent");
        }
    }

    /// Leaves its name to the new agent.
    pub(in crate::agent) fn leave(self) {
        self.task.abort();
    }
}

struct Host {
    node: Node,
    /// Why the programs are not pinned, if so.
    unpinned: Option<String>,
    ledger: Ledger,
    steps: mpsc::Sender<Step>,
}

impl Host {
    /// One new agent at a time; others wait in the socket's queue and give up.
    async fn receive(self, listener: UnixListener) {
        let host = Arc::new(self);
        // The owner of the process's directory is its effective user (proc(5)).
        let own = fs::metadata("/proc/self").map_or(0, |own| own.uid());
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a new agent cannot be received");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == 0 || peer.uid() == own => {}
                peer => {
                    tracing::warn!(?peer, "a user who may not take over has called");
                    continue;
                }
            }
            let Ok(stream) = stream.into_std() else { continue };
            let host = host.clone();
            let handled = tokio::task::spawn_blocking(move || host.handle(stream)).await;
            if handled.is_err() {
                tracing::error!("the thread that hands over panicked");
            }
        }
    }

    fn handle(&self, stream: UnixStream) {
        if let Err(error) = self.talk(stream) {
            tracing::warn!(%error, "a new agent has not taken over");
        }
    }

    fn talk(&self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        let mut lines = Lines::new(stream)?;
        let Message::Hello { version, pid, node } = lines.hear(Some(ANSWER_WITHIN))? else {
            return Err(unexpected());
        };
        if let Some(why) = self.refusal(&node) {
            tracing::warn!(version, pid, why, "a new agent may not take over");
            return lines.say(&Message::Refused { why });
        }
        tracing::info!(version, pid, "a new agent is taking over");
        lines.say(&Message::Welcome {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        })?;
        let asked = lines.hear(Some(LOAD_WITHIN));
        if !matches!(asked, Ok(Message::HandOver)) {
            // It may have written into the maps that both share.
            self.ask(Step::Resume)?;
            return Err(asked.err().unwrap_or_else(unexpected));
        }
        match self.ask(Step::HandOver)? {
            Ok(reservations) => {
                let gone_on = lines
                    .say(&Message::HandedOver { reservations })
                    .and_then(|()| lines.hear(Some(ANSWER_WITHIN)));
                if !matches!(gone_on, Ok(Message::Commit)) {
                    // Closed before anything is taken back: it must not go on believing that it may.
                    drop(lines);
                    self.ask(Step::Resume)?;
                    return Err(gone_on.err().unwrap_or_else(unexpected));
                }
            }
            Err(why) => {
                lines.say(&Message::Refused { why })?;
                self.ask(Step::Resume)?;
                return Err(unexpected());
            }
        }
        self.ask(Step::Commit)?;
        if let Err(error) = lines.say(&Message::Committed) {
            drop(lines);
            self.ask(Step::Resume)?;
            return Err(error);
        }
        self.ledger.succeed_by(Arc::new(Remote::new(lines)));
        self.steps.blocking_send(Step::Drain).map_err(io::Error::other)
    }

    fn refusal(&self, node: &Node) -> Option<String> {
        if let Some(why) = &self.unpinned {
            return Some(format!("its programs are not pinned ({why}); stop it first"));
        }
        (*node != self.node).then(|| format!("it has {:?}, the new one {node:?}; stop it first", self.node))
    }

    /// Has the agent do a step, and waits until it has.
    fn ask<T>(&self, step: impl FnOnce(oneshot::Sender<T>) -> Step) -> io::Result<T> {
        let (done, answer) = oneshot::channel();
        self.steps.blocking_send(step(done)).map_err(io::Error::other)?;
        answer.blocking_recv().map_err(io::Error::other)
    }
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it said something else than expected")
}
