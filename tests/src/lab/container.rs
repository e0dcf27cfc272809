//! Containers of real runtimes, below the lab's cgroup and gone with the lab.
//!
//! The runtimes run in a [`Node`]: a place of their own whose `/run` is not the host's. A container waits at a gate, so
//! that its runtime can be asked about it while it runs; then it becomes the client:
//!
//! 1. the runtime starts `sh`, which waits for the gate's `open` file;
//! 2. the runtime reports id and process, `/proc` the rest: [`Contained`];
//! 3. [`Running::open`] opens the gate, `sh` executes curl, and the outcome is curl's.

mod image;
mod machine;
mod node;
mod podman;
mod runc;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Child;

pub(crate) use machine::Machine;
pub(crate) use node::{Network, Node};
pub(crate) use podman::{Attach, Podman};
pub(crate) use runc::{Bundle, Runc};

use super::Lab;
use super::workload::Truth;

/// How long a runtime may take to start a container, on a machine that is busy building.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// How long a container may run once its gate is open.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// Where a container sees its gate, unless its runtime has another way.
const GATE: &str = "/gate";

/// The program a container becomes, as it sees it.
const CLIENT: &str = "/bin/curl";

/// What a container's runtime reports of it, and what is to be seen of its first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contained {
    /// The first process, once it has become the client.
    pub(crate) truth: Truth,
    /// The runtime's id of the container.
    pub(crate) id: String,
}

/// A container that waits at its gate.
#[derive(Debug)]
pub(crate) struct Running {
    /// What is known of it.
    pub(crate) contained: Contained,
    child: Child,
    gate: Gate,
}

/// A directory that a container sees as well: at [`GATE`], unless its runtime has another way.
#[derive(Clone, Debug)]
struct Gate {
    dir: PathBuf,
    seen: String,
}

impl Gate {
    fn new(lab: &Lab, name: &str) -> Result<Self> {
        Self::at(lab.dir().join(format!("gate-{name}")), GATE)
    }

    fn at(dir: PathBuf, seen: &str) -> Result<Self> {
        fs::create_dir(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self {
            dir,
            seen: seen.to_owned(),
        })
    }

    fn path(&self) -> &Path {
        &self.dir
    }

    /// What the container runs: it waits, then becomes the client of `url` and prints the answer's status.
    fn command(&self, client: &str, url: &str) -> [String; 3] {
        let gate = &self.seen;
        let script = format!(
            "until [ -e {gate}/open ]; do sleep 0.02; done; \
             exec {client} -sS --max-time 30 --cacert {gate}/trust.pem -o /dev/null -w '%{{http_code}}' {url}"
        );
        ["/bin/sh".to_owned(), "-c".to_owned(), script]
    }

    fn open(&self, trust: &Path) -> Result<()> {
        fs::copy(trust, self.dir.join("trust.pem")).context("giving the container its trust")?;
        fs::write(self.dir.join("open"), "").context("opening the gate")
    }
}

impl Running {
    /// Waits until `report` says who the container is. It is asked again until it knows, as a runtime does not know a
    /// container at once.
    async fn wait<F>(
        name: &str,
        client: &str,
        mut child: Child,
        gate: Gate,
        report: impl Fn() -> F,
    ) -> Result<Self>
    where
        F: Future<Output = Result<(String, u32)>>,
    {
        let deadline = Instant::now() + STARTED_WITHIN;
        loop {
            let said = match report().await {
                Ok((id, pid)) => {
                    let truth = Truth::of_process(name, pid, client)?;
                    let contained = Contained { truth, id };
                    return Ok(Self {
                        contained,
                        child,
                        gate,
                    });
                }
                Err(error) => error,
            };
            if child.try_wait()?.is_some() {
                let output = child.wait_with_output().await?;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                bail!("container {name} ended with {}: {said}", output.status);
            }
            if Instant::now() > deadline {
                return Err(said.context(format!("container {name} did not start")));
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Opens the gate and waits for the end. The client trusts the bundle at `trust`.
    pub(crate) async fn open(self, trust: &Path) -> Result<(Contained, Output)> {
        self.gate.open(trust)?;
        let output = tokio::time::timeout(ENDED_WITHIN, self.child.wait_with_output())
            .await
            .with_context(|| {
                format!(
                    "{} did not end within {ENDED_WITHIN:?}",
                    self.contained.truth.name
                )
            })??;
        Ok((self.contained, output))
    }
}
