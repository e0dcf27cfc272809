//! Which processes have a socket open.

use std::collections::{HashMap, HashSet};
use std::fs;

use super::procfs;

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
    let entries = fs::read_dir(format!("/proc/{tgid}/fd")).into_iter().flatten();
    entries.filter_map(|entry| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    })
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
