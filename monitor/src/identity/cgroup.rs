//! The cgroup2 hierarchy: cgroup ids and their paths. The id of a cgroup2 directory is its inode number, and is never used
//! twice.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use monitor_common::event::CGROUP_PATH_BYTES;

use super::placement::process::unified;
use super::procfs;

/// How deep a hierarchy is walked; deeper directories are found by their processes.
const MAX_DEPTH: usize = 32;

/// The id of the root of the hierarchy.
const ROOT_ID: u64 = 1;

/// The hierarchy as it is mounted.
#[derive(Debug)]
pub(super) struct Hierarchy {
    mount: PathBuf,
    /// The mount shows all of it, so that a path in the mount is the kernel's.
    is_whole: bool,
}

impl Hierarchy {
    /// `mount` is where cgroup2 is mounted.
    pub(super) fn new(mount: PathBuf) -> Self {
        // Where there is no mount to look at, the kernel's word is all there is.
        let is_whole = fs::metadata(&mount).map_or(true, |root| root.ino() == ROOT_ID);
        Self { mount, is_whole }
    }

    /// Whether a path that the kernel reported is that of the cgroup with an id. One that may have been cut, or is seen from
    /// elsewhere than the mount, must still be there.
    pub(super) fn has(&self, id: u64, path: &str) -> bool {
        if self.is_whole && path.len() + 1 < CGROUP_PATH_BYTES {
            return true;
        }
        let directory = self.mount.join(path.trim_start_matches('/'));
        fs::symlink_metadata(directory).is_ok_and(|found| found.ino() == id)
    }

    /// The paths of the cgroups by id, at most `limit` of them. A path begins with `/`.
    pub(super) fn walk(&self, limit: usize) -> HashMap<u64, String> {
        let mut found = HashMap::new();
        walk(&self.mount, String::from("/"), 0, limit, &mut found);
        found
    }

    /// The path of a cgroup that a process is said to be in; `None` when the process is gone or in another.
    pub(super) fn of_process(&self, id: u64, tgid: u32) -> Option<String> {
        let lines = procfs::cgroup_lines(tgid)?;
        let mut path = unified(&lines)?;
        // From within another cgroup namespace the path leads out of that one first.
        while let Some(rest) = path.strip_prefix("/..") {
            path = rest;
        }
        let path = if path.is_empty() { "/" } else { path };
        let directory = self.mount.join(path.trim_start_matches('/'));
        // A process may have been moved since, and a path from within a namespace may lead elsewhere in the mount.
        let is_it = fs::symlink_metadata(directory).is_ok_and(|found| found.ino() == id);
        is_it.then(|| path.to_owned())
    }
}

fn walk(directory: &Path, path: String, depth: usize, limit: usize, found: &mut HashMap<u64, String>) {
    let Ok(own) = fs::symlink_metadata(directory) else {
        return;
    };
    if found.len() >= limit {
        return;
    }
    let separator = if path == "/" { "" } else { "/" };
    let below = format!("{path}{separator}");
    found.insert(own.ino(), path);
    if depth == MAX_DEPTH {
        return;
    }
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = format!("{below}{}", entry.file_name().display());
            walk(&entry.path(), path, depth + 1, limit, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_found_by_inode() {
        let mount = tempfile::tempdir().unwrap();
        let pod = mount.path().join("kubepods/pod1");
        fs::create_dir_all(&pod).unwrap();
        let hierarchy = Hierarchy::new(mount.path().to_path_buf());
        let found = hierarchy.walk(10);
        let id = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(found[&id(mount.path())], "/");
        assert_eq!(found[&id(&pod)], "/kubepods/pod1");
        assert_eq!(found.len(), 3);
        assert_eq!(hierarchy.walk(2).len(), 2);
        assert!(hierarchy.has(id(&pod), "/kubepods/pod1"));
        assert!(!hierarchy.has(id(&pod), "/kubepods/pod"), "cut");
        assert!(
            !hierarchy.has(id(&pod), "/lab/kubepods/pod1"),
            "from another root"
        );
    }
}
