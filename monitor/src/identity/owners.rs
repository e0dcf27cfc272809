//! Which processes have a socket open.

use std::collections::{HashMap, HashSet};
use std::fs;

use super::{Attribution, AttributionReason, Identity, Sighted, Sighting, procfs};
use crate::kernel::{DiagSocket, boottime_ns};

/// Inodes of sockets → the processes that have them open, in the order of `/proc`; one that nobody has open is left out.
///
/// One walk over the descriptors of every process, about a microsecond each: for a start, or for one doubtful socket, not
/// for every connection. A socket that changes hands during the walk can be missed or seen twice.
#[must_use]
pub fn socket_owners(inodes: &HashSet<u32>) -> HashMap<u32, Vec<u32>> {
    let mut owners: HashMap<u32, Vec<u32>> = HashMap::new();
    if inodes.is_empty() {
        return owners;
    }
    for tgid in procfs::processes() {
        for inode in sockets_of(tgid) {
            if inodes.contains(&inode) {
                let known = owners.entry(inode).or_default();
                // A process may have it open more than once.
                if known.last() != Some(&tgid) {
                    known.push(tgid);
                }
            }
        }
    }
    owners
}

/// The inodes of the sockets that a process has open; none when it is gone.
pub fn sockets_of(tgid: u32) -> impl Iterator<Item = u32> {
    descriptors_of(tgid).flatten()
}

/// The descriptors of a process: the inode for a socket, `None` for anything else.
pub(super) fn descriptors_of(tgid: u32) -> impl Iterator<Item = Option<u32>> {
    let entries = fs::read_dir(format!("/proc/{tgid}/fd")).into_iter().flatten();
    entries.map(|entry| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    })
}

impl Identity {
    /// Whose a socket is, by the processes that have it open now (see [`socket_owners`]): [`Attribution::Late`] for one,
    /// because another may have opened it and passed it on, [`Attribution::Ambiguous`] for several, of which the first is
    /// named, or for none, when its cgroup is all there is.
    #[must_use]
    pub fn place_socket(&self, socket: &DiagSocket, owners: &[u32], netns_cookie: u64) -> Sighted {
        let owner = owners.first().copied();
        let comm = owner.and_then(procfs::comm).unwrap_or_default();
        let mut sighted = self.place(&Sighting {
            tgid: owner.unwrap_or_default(),
            uid: owner.map(|_| socket.uid),
            comm: &comm,
            cgroup_id: socket.cgroup_id.unwrap_or_default(),
            netns_cookie,
            boottime_ns: boottime_ns(),
        });
        if sighted.workload.is_some() {
            sighted.attribution = match owners {
                [_] => Attribution::Late(AttributionReason::ProcessNotSeen),
                _ => Attribution::Ambiguous(AttributionReason::ProcessNotSeen),
            };
        }
        sighted
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_socket_is_its_processes_once_however_often_it_is_open() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let again = socket.try_clone().unwrap();
        let link = format!("/proc/self/fd/{}", again.as_raw_fd());
        let inode = u32::try_from(fs::metadata(link).unwrap().ino()).unwrap();
        let own = std::process::id();
        assert_eq!(sockets_of(own).filter(|found| *found == inode).count(), 2);
        let owners = socket_owners(&HashSet::from([inode, u32::MAX]));
        assert_eq!(owners, HashMap::from([(inode, vec![own])]));
        drop((socket, again));
        assert!(socket_owners(&HashSet::from([inode])).is_empty());
    }
}
