//! One agent takes over from another without a broken stream.
//!
//! They talk over `node.run_dir/takeover.sock`, a line of JSON each:
//! 1. The new agent says `hello` with what both must agree on. The running one answers `welcome`, or refuses. It goes on as it
//!    is while the new one loads its programs into the place of those that run; the connections of both pass.
//! 2. `hand_over`: the running agent stops its local API and self-test and lets go of the ledger; requests wait. It still accepts.
//! 3. The new one opens the ledger, its local API, and listeners of its own on new ports; the kernel's rows name the new ports
//!    and, as draining, the old ones. No port is shared: closing a listener of a shared port resets what waits in its queue.
//! 4. `commit`: the running agent's heart stops and its requests go on with the new one's ledger, by way of the same connection; the new one
//!    becomes the agent that the programs know.
//! 5. The old one accepts for another moment what was on its way, closes its listeners, serves what is open for
//!    `node.drain` at most, and ends.
//!
//! When the connection breaks before `commit`, the running agent takes everything back and goes on.

mod ledger;
mod predecessor;
mod successor;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use monitor_common::ABI_VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::Config;

pub(super) use predecessor::Predecessor;
pub(super) use successor::{Door, Step};

/// The socket's name in `node.run_dir`.
const SOCKET_NAME: &str = "takeover.sock";
/// Longest line: some budget keys of 8 KiB, escaped.
const MAX_LINE_BYTES: u64 = 256 << 10;
/// How long the running agent may take to answer, and the new one to go on once requests wait. Longer than either ever takes, and
/// short enough that whoever waits does not give up first.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the new agent may take to load its programs: the verifier is slow on slow machines.
const LOAD_WITHIN: Duration = Duration::from_secs(60);

/// What both agents must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    abi: u32,
    state_dir: PathBuf,
    pin_dir: PathBuf,
    cgroup: PathBuf,
}

impl Node {
    fn of(config: &Config, cgroup: &Path) -> Self {
        Self {
            abi: ABI_VERSION,
            state_dir: config.node.state_dir.clone(),
            pin_dir: config.node.pin_dir.clone(),
            cgroup: cgroup.to_path_buf(),
        }
    }
}

/// What is said until `committed`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    /// By the new agent, first.
    Hello { version: String, pid: u32, node: Node },
    /// It may take over.
    Welcome { version: String, pid: u32 },
    /// It may not.
    Refused { why: String },
    /// By the new agent, when its programs run.
    HandOver,
    /// The ledger is free, with this many reservations open.
    HandedOver { reservations: u64 },
    /// By the new agent, when it accepts connections.
    Commit,
    /// From now on the old agent only drains.
    Committed,
}

/// A connection that carries lines.
struct Lines {
    stream: BufReader<UnixStream>,
}

impl Lines {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    fn say(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)
    }

    /// The next line; without one within the time, an error. Without a time it waits for ever.
    fn hear<T: DeserializeOwned>(&mut self, within: Option<Duration>) -> io::Result<T> {
        self.stream.get_ref().set_read_timeout(within)?;
        let mut line = Vec::new();
        let length = (&mut self.stream)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}
