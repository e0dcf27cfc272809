//! What a workload's process does before it becomes the workload: enter its cgroup, netns, mount namespace and user,
//! then `exec`. It is this binary's own `exec` subcommand, so no code runs between `fork` and `exec`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::{netns, slot};

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
    /// Process whose mount namespace to enter.
    #[arg(long, conflicts_with_all = ["own_run", "resolv_conf"])]
    pub(crate) mounts_of: Option<i32>,
    /// Have an empty /run of the process's own, but for the lab's directory, in a mount namespace of its own.
    #[arg(long)]
    pub(crate) own_run: bool,
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
        if let Some(process) = self.mounts_of {
            let path = format!("/proc/{process}/ns/mnt");
            let file = File::open(&path).with_context(|| format!("opening {path}"))?;
            setns(file, CloneFlags::CLONE_NEWNS)
                .with_context(|| format!("entering the mounts of process {process}"))?;
        }
        if self.own_run || self.resolv_conf.is_some() {
            unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace")?;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).context("making mounts private")?;
        }
        if self.own_run {
            hide_run()?;
        }
        if let Some(resolv_conf) = &self.resolv_conf {
            bind(resolv_conf, Path::new("/etc/resolv.conf"))?;
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

/// Lays an empty file system over /run and shows the labs' directory in it again.
fn hide_run() -> Result<()> {
    let labs = File::open(slot::SLOTS_DIR).with_context(|| format!("opening {}", slot::SLOTS_DIR))?;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )
    .context("mounting a tmpfs over /run")?;
    for dir in [slot::SLOTS_DIR, netns::NETNS_DIR, "/run/lock"] {
        fs::create_dir_all(dir).with_context(|| format!("creating {dir}"))?;
    }
    bind(
        Path::new(&format!("/proc/self/fd/{}", labs.as_raw_fd())),
        Path::new(slot::SLOTS_DIR),
    )
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("mounting {} at {}", source.display(), target.display()))
}
