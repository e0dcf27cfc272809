//! What a workload's process does before it becomes the workload: enter its cgroup, netns, mount namespace and user,
//! then `exec`. It is this binary's own `exec` subcommand, so no code runs between `fork` and `exec`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::netns;

/// The subcommand's name; the launcher waits until it has gone from the process's command line.
pub(crate) const SUBCOMMAND: &str = "exec";

/// Where to go before the workload's program runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Entry {
    /// Directory of the cgroup to join.
    #[arg(long)]
    pub(crate) cgroup: PathBuf,
    /// Named netns to enter; without it the process stays in its own.
    #[arg(long)]
    pub(crate) netns: Option<String>,
    /// File to show as /etc/resolv.conf, in a mount namespace of the process's own.
    #[arg(long)]
    pub(crate) resolv_conf: Option<PathBuf>,
    /// User and group id to run as.
    #[arg(long)]
    pub(crate) uid: Option<u32>,
    /// Program and arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

impl Entry {
    /// Becomes the workload. Returns only with an error.
    pub(crate) fn run(self) -> Result<()> {
        let procs = self.cgroup.join("cgroup.procs");
        fs::write(&procs, std::process::id().to_string())
            .with_context(|| format!("joining {}", procs.display()))?;
        if let Some(name) = &self.netns {
            let path = netns::path_of(name);
            let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
            setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("entering netns {name}"))?;
        }
        if let Some(resolv_conf) = &self.resolv_conf {
            unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace")?;
            mount(
                None::<&str>,
                "/",
                None::<&str>,
                MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                None::<&str>,
            )
            .context("making mounts private")?;
            mount(
                Some(resolv_conf),
                "/etc/resolv.conf",
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .context("mounting the lab's resolv.conf")?;
        }
        if let Some(uid) = self.uid {
            let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
            setgroups(&[group])?;
            setresgid(group, group, group)?;
            setresuid(user, user, user)?;
        }
        let Some((program, arguments)) = self.command.split_first() else {
            bail!("no program to run")
        };
        let error = Command::new(program).args(arguments).exec();
        Err(error).with_context(|| format!("running {}", program.to_string_lossy()))
    }
}
