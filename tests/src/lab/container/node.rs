//! Where container runtimes run: a mount namespace whose `/run` is its own, so that no state, socket or mount of the
//! host's runtimes is touched, and a netns for bridges and their rules. One process holds it; killing the lab's cgroup
//! takes all of it away.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use crate::lab::cgroup::Cgroup;
use crate::lab::netns::Netns;
use crate::lab::workload::Launch;
use crate::lab::{Lab, entry};

/// A place for container runtimes.
#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    netns: Netns,
    cgroup: Cgroup,
    dir: PathBuf,
    holder: Child,
    holder_pid: u32,
}

/// The netns a runtime's command runs in, which is what it calls the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The machine's own.
    Host,
    /// The node's, with a link of its own to the lab's internet.
    Node,
}

impl Node {
    /// Makes one. Its runtimes' own processes are in the cgroup `name` of the lab.
    pub(crate) async fn up(lab: &Lab, name: &str) -> Result<Self> {
        let netns = lab.workload_netns(name)?;
        let launch = Launch::new(name, "sleep").args(["infinity"]).own_run();
        let held = launch.netns(&netns).start(lab).await?;
        let dir = lab.dir().join(name);
        std::fs::create_dir(&dir)?;
        Ok(Self {
            name: name.to_owned(),
            netns,
            cgroup: lab.cgroup.child(name)?,
            dir,
            holder_pid: held.truth.pid,
            holder: held.child,
        })
    }

    /// Its files that no container sees.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command inside.
    pub(crate) fn command(&self, network: Network, program: &str) -> Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(entry::SUBCOMMAND);
        command.arg("--cgroup").arg(self.cgroup.path());
        command.args(["--mounts-of", &self.holder_pid.to_string()]);
        if network == Network::Node {
            command.args(["--netns", self.netns.name()]);
        }
        command.args(["--", program]);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The lab kills all that is left; the holder must not outlive a node that a test has done with.
        if let Err(error) = self.holder.start_kill() {
            crate::screen::warn(&format!("ending node {}: {error}", self.name));
        }
    }
}

/// Runs a command to its end and returns what it printed; an error when it failed.
pub(super) async fn printed(mut command: Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.context("running a container runtime")?;
    ensure!(
        status.success(),
        "{:?}: {status}: {}",
        command.as_std(),
        String::from_utf8_lossy(&stderr).trim_end()
    );
    Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
}
