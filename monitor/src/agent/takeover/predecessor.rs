//! The new agent's side: the agent that runs.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use monitor_budget::Adopted;

use super::{ANSWER_WITHIN, Lines, Message, Node, SOCKET_NAME, ledger};
use crate::agent::AgentError;
use crate::config::Config;

/// The agent that runs, and will hand over.
pub(in crate::agent) struct Predecessor {
    lines: Lines,
    adopted: Option<Adopted>,
}

impl Predecessor {
    /// Calls the agent that runs; `None` when there is none.
    ///
    /// # Errors
    /// It refuses: the message says why.
    pub(in crate::agent) fn call(config: &Config, cgroup: &Path) -> Result<Option<Self>, AgentError> {
        let stream = match UnixStream::connect(config.node.run_dir.join(SOCKET_NAME)) {
            Ok(stream) => stream,
            // Nobody, or what a killed agent left.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut lines = Lines::new(stream).map_err(failed)?;
        let greeted = lines
            .say(&Message::Hello {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                node: Node::of(config, cgroup),
            })
            .and_then(|()| lines.hear(Some(ANSWER_WITHIN)));
        match greeted {
            Ok(Message::Welcome { version, pid }) => {
                tracing::info!(version, pid, "taking over from the agent that runs");
                Ok(Some(Self { lines, adopted: None }))
            }
            Ok(Message::Refused { why }) => Err(AgentError::Refused(why)),
            Ok(_) => Err(AgentError::Refused(
                "it does not speak this agent's language".to_owned(),
            )),
            // It may be hung, or ending. If it still has the ledger, opening that says so.
            Err(error) => {
                tracing::warn!(%error, "the agent that runs does not answer; going on as after a crash");
                Ok(None)
            }
        }
    }

    /// Asks for the ledger. Returns how many reservations are open; requests wait from now on.
    ///
    /// # Errors
    /// It does not let go.
    pub(in crate::agent) fn hand_over(&mut self) -> Result<u64, AgentError> {
        match self.turn(&Message::HandOver)? {
            Message::HandedOver { reservations } => Ok(reservations),
            Message::Refused { why } => Err(AgentError::Refused(why)),
            _ => Err(AgentError::Refused(
                "it does not speak this agent's language".to_owned(),
            )),
        }
    }

    /// Keeps what its reservations hold, until [`commit`](Self::commit).
    pub(in crate::agent) fn adopt(&mut self, adopted: Adopted) {
        self.adopted = Some(adopted);
    }

    /// Tells it that this agent accepts: from now on it only drains. Its ledger operations are answered by a thread until it ends.
    ///
    /// # Errors
    /// It is gone, or a thread cannot be made.
    pub(in crate::agent) fn commit(mut self) -> Result<(), AgentError> {
        match self.turn(&Message::Commit)? {
            Message::Committed => {}
            _ => {
                return Err(AgentError::Refused(
                    "it does not speak this agent's language".to_owned(),
                ));
            }
        }
        if let Some(mut adopted) = self.adopted.take() {
            adopted.take_charge();
            std::thread::Builder::new()
                .name("agent-before".to_owned())
                .spawn(move || ledger::serve(self.lines, adopted))
                .map_err(failed)?;
        }
        Ok(())
    }

    fn turn(&mut self, message: &Message) -> Result<Message, AgentError> {
        self.lines
            .say(message)
            .and_then(|()| self.lines.hear(Some(ANSWER_WITHIN)))
            .map_err(failed)
    }
}

fn failed(source: io::Error) -> AgentError {
    AgentError::System {
        action: "take over from the agent that runs",
        source,
    }
}
