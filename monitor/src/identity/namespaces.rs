//! The network namespaces below the attach point, found by their processes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use monitor_common::capacity;
use parking_lot::RwLock;

use super::netns::Netns;
use super::procfs;

/// The known namespaces. Each is kept open, so one without processes must be given up by [`Namespaces::scan`].
#[derive(Debug)]
pub struct Namespaces {
    /// The attach point as a path in the hierarchy.
    attached: String,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_cookie: HashMap<u64, Arc<Netns>>,
    inodes: HashSet<u64>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct NamespaceChanges {
    /// Namespaces that need listeners.
    pub added: Vec<Arc<Netns>>,
    /// Namespaces no process is in any more.
    pub gone: Vec<Arc<Netns>>,
}

impl Namespaces {
    /// Knows nothing yet; `attached` is the attach point as a path in the hierarchy, `/` for all of it.
    #[must_use]
    pub fn new(attached: String) -> Self {
        Self {
            attached,
            known: RwLock::default(),
        }
    }

    /// Looks at every process below the attach point. Costs some tens of microseconds a process: for the start, and from
    /// time to time; [`of_process`](Self::of_process) is for the moment a process appears.
    pub fn scan(&self) -> NamespaceChanges {
        let mut seen = HashSet::new();
        let mut added = Vec::new();
        for tgid in procfs::processes() {
            if !self.is_watched(tgid) {
                continue;
            }
            let Some(inode) = procfs::netns_inode(tgid) else {
                continue;
            };
            if seen.insert(inode) {
                added.extend(self.open(tgid, inode));
            }
        }
        let mut known = self.known.write();
        let gone: Vec<Arc<Netns>> = known
            .by_cookie
            .values()
            .filter(|netns| !seen.contains(&netns.inode()))
            .cloned()
            .collect();
        for netns in &gone {
            known.by_cookie.remove(&netns.cookie());
            known.inodes.remove(&netns.inode());
        }
        NamespaceChanges { added, gone }
    }

    /// The namespace of one process, when it is below the attach point and its namespace was not known yet.
    pub fn of_process(&self, tgid: u32) -> Option<Arc<Netns>> {
        let inode = procfs::netns_inode(tgid)?;
        if self.known.read().inodes.contains(&inode) || !self.is_watched(tgid) {
            return None;
        }
        self.open(tgid, inode)
    }

    /// The namespace with a cookie.
    #[must_use]
    pub fn by_cookie(&self, cookie: u64) -> Option<Arc<Netns>> {
        self.known.read().by_cookie.get(&cookie).cloned()
    }

    /// Every known namespace.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Netns>> {
        self.known.read().by_cookie.values().cloned().collect()
    }

    /// Whether a cgroup, as a path in the hierarchy, is the attach point or below it.
    #[must_use]
    pub fn is_watched_cgroup(&self, path: &str) -> bool {
        is_below(&self.attached, path)
    }

    /// The inode of the namespace with a cookie; one that is not known is looked for by its process.
    #[must_use]
    pub fn inode(&self, cookie: u64, tgid: u32) -> Option<u64> {
        if let Some(known) = self.by_cookie(cookie) {
            return Some(known.inode());
        }
        // The process may have entered another namespace since it connected.
        Netns::of_pid(tgid)
            .ok()
            .filter(|netns| netns.cookie() == cookie)
            .map(|netns| netns.inode())
    }

    fn open(&self, tgid: u32, inode: u64) -> Option<Arc<Netns>> {
        if self.known.read().inodes.contains(&inode) {
            return None;
        }
        // A process that ended meanwhile leaves nothing to open.
        let netns = Arc::new(Netns::of_pid(tgid).ok().filter(|netns| netns.inode() == inode)?);
        let mut known = self.known.write();
        if known.by_cookie.len() >= capacity::LISTENERS || !known.inodes.insert(inode) {
            return None;
        }
        known.by_cookie.insert(netns.cookie(), Arc::clone(&netns));
        Some(netns)
    }

    /// Whether a path in the cgroup2 hierarchy is the attach point or below it.
    #[must_use]
    pub fn covers(&self, cgroup: &str) -> bool {
        is_below(&self.attached, cgroup)
    }

    fn is_watched(&self, tgid: u32) -> bool {
        procfs::cgroup(tgid).is_some_and(|path| self.covers(&path))
    }
}

fn is_below(attached: &str, path: &str) -> bool {
    attached == "/"
        || path
            .strip_prefix(attached)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_boundary() {
        assert!(is_below("/", "/anything"));
        assert!(is_below("/weir", "/weir"));
        assert!(is_below("/weir", "/weir/pod"));
        assert!(!is_below("/weir", "/weird"));
        assert!(!is_below("/weir", "/"));
    }

    #[test]
    fn the_own_namespace_is_found_once() {
        let namespaces = Namespaces::new("/".to_owned());
        let own = Netns::current().unwrap();
        let added = namespaces.scan().added;
        assert!(added.iter().any(|netns| netns.inode() == own.inode()));
        assert!(namespaces.of_process(std::process::id()).is_none());
        assert_eq!(namespaces.by_cookie(own.cookie()).unwrap().inode(), own.inode());
        assert_eq!(namespaces.inode(own.cookie(), u32::MAX), Some(own.inode()));
        assert_eq!(namespaces.inode(u64::MAX, std::process::id()), None);
    }
}
