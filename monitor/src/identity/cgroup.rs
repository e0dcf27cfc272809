//! cgroup ids and their paths. The id of a cgroup2 directory is its inode number, and is never used twice.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::procfs;

/// Paths that are remembered. A node has a few thousand cgroups; the table is emptied and walked again when it is full
/// of those that are gone.
const MAX_PATHS: usize = 65_536;

/// How deep a hierarchy is walked; deeper directories are found by their processes.
const MAX_DEPTH: usize = 32;

/// The known cgroups.
#[derive(Debug)]
pub struct Cgroups {
    mount: PathBuf,
    paths: RwLock<HashMap<u64, Arc<str>>>,
}

impl Cgroups {
    /// Knows nothing yet; `mount` is where cgroup2 is mounted.
    #[must_use]
    pub fn new(mount: PathBuf) -> Self {
        Self {
            mount,
            paths: RwLock::default(),
        }
    }

    /// Reads the whole hierarchy.
    pub fn walk(&self) {
        let mut found = HashMap::new();
        walk(&self.mount, String::from("/"), 0, &mut found);
        let mut paths = self.paths.write();
        if paths.len() + found.len() > MAX_PATHS {
            paths.clear();
        }
        paths.extend(found);
    }

    /// The path of a cgroup below the mount, beginning with `/`. One that is not known is looked for by its process, then
    /// by walking the hierarchy again; `None` when it is gone.
    #[must_use]
    pub fn path(&self, id: u64, tgid: u32) -> Option<Arc<str>> {
        if let Some(known) = self.known(id) {
            return Some(known);
        }
        self.learn(id, tgid);
        if let Some(learnt) = self.known(id) {
            return Some(learnt);
        }
        self.walk();
        self.known(id)
    }

    /// Remembers a process's cgroup while the process is there.
    pub fn learn(&self, id: u64, tgid: u32) {
        if self.known(id).is_some() {
            return;
        }
        let Some(path) = procfs::cgroup(tgid) else { return };
        let directory = self.mount.join(path.trim_start_matches('/'));
        // A process may have been moved since, and its cgroup may be shown from within another cgroup namespace.
        if fs::metadata(directory).is_ok_and(|found| found.ino() == id) {
            let mut paths = self.paths.write();
            if paths.len() >= MAX_PATHS {
                paths.clear();
            }
            paths.insert(id, path.into());
        }
    }

    fn known(&self, id: u64) -> Option<Arc<str>> {
        self.paths.read().get(&id).cloned()
    }
}

fn walk(directory: &Path, path: String, depth: usize, found: &mut HashMap<u64, Arc<str>>) {
    let Ok(own) = fs::symlink_metadata(directory) else {
        return;
    };
    found.insert(own.ino(), path.as_str().into());
    if depth == MAX_DEPTH || found.len() >= MAX_PATHS {
        return;
    }
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let name = entry.file_name();
            let separator = if path == "/" { "" } else { "/" };
            walk(
                &entry.path(),
                format!("{path}{separator}{}", name.display()),
                depth + 1,
                found,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_found_by_inode_also_when_they_are_new() {
        let mount = tempfile::tempdir().unwrap();
        let pod = mount.path().join("kubepods/pod1");
        fs::create_dir_all(&pod).unwrap();
        let cgroups = Cgroups::new(mount.path().to_path_buf());
        cgroups.walk();
        let id = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(cgroups.path(id(mount.path()), u32::MAX).as_deref(), Some("/"));
        assert_eq!(
            cgroups.path(id(&pod), u32::MAX).as_deref(),
            Some("/kubepods/pod1")
        );
        let late = pod.join("late");
        fs::create_dir(&late).unwrap();
        assert_eq!(
            cgroups.path(id(&late), u32::MAX).as_deref(),
            Some("/kubepods/pod1/late")
        );
        assert_eq!(cgroups.path(1, u32::MAX), None);
    }
}
