//! The lab's cgroups: a child of the cgroup2 root, with one child for the agent and one for each workload.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long killed processes may take to leave their cgroup.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);

/// A cgroup of the lab.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// A new cgroup at the root of the hierarchy.
    pub(crate) fn create(name: &str) -> Result<Self> {
        let mount = cgroup2_mount()?;
        Self::make(mount.join(name))
    }

    /// A child of this cgroup, made if it does not exist.
    pub(crate) fn child(&self, name: &str) -> Result<Self> {
        Self::make(self.path.join(name))
    }

    fn make(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("creating cgroup {}", path.display()))?;
        Ok(Self { path })
    }

    /// The path in the hierarchy of a descendant, which may not exist.
    pub(crate) fn below(&self, name: &str) -> Result<String> {
        let own = self.path.strip_prefix(cgroup2_mount()?)?;
        Ok(format!("/{}/{name}", own.display()))
    }

    /// Where it is in the file system.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Kills every process of the named cgroup and removes it with its children, also from the version 1 hierarchies of a
/// hybrid machine: container runtimes make the same path in each.
pub(crate) fn remove(name: &str) -> Result<()> {
    let path = cgroup2_mount()?.join(name);
    if path.exists() {
        kill_all(&path)?;
        remove_tree(&path)?;
    }
    for hierarchy in mounts_of("cgroup")? {
        let path = hierarchy.join(name);
        if path.exists() {
            remove_tree(&path)?;
        }
    }
    Ok(())
}

fn kill_all(path: &Path) -> Result<()> {
    fs::write(path.join("cgroup.kill"), "1").with_context(|| format!("killing {}", path.display()))?;
    let step = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while fs::read_to_string(path.join("cgroup.events"))?.contains("populated 1") {
        if waited > EMPTY_WITHIN {
            bail!("processes in {} do not end", path.display());
        }
        sleep(step);
        waited += step;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    // A cgroup stays busy for a moment after its last process was reaped.
    for _ in 0..100 {
        match fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
    fs::remove_dir(path).with_context(|| format!("removing cgroup {}", path.display()))
}

/// The mount point of the cgroup2 hierarchy: not at the same place on hybrid machines.
pub(crate) fn cgroup2_mount() -> Result<PathBuf> {
    mounts_of("cgroup2")?.into_iter().next().context(
        "no cgroup2 file system is mounted; mount one with `mount -t cgroup2 none /sys/fs/cgroup/unified`",
    )
}

/// The mount point of systemd's own hierarchy of version 1, on a hybrid machine.
pub(crate) fn systemd_hierarchy() -> Result<Option<PathBuf>> {
    let mut hierarchies = mounts_of("cgroup")?.into_iter();
    Ok(hierarchies.find(|path| path.ends_with("systemd")))
}

/// The mount points of a type of file system.
fn mounts_of(kind: &str) -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    Ok(mounts
        .filter(|fields| fields.get(2) == Some(&kind))
        .filter_map(|fields| fields.get(1).map(PathBuf::from))
        .collect())
}
