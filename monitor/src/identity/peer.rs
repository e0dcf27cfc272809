//! The process at the other end of a Unix socket.

use std::fs;
use std::sync::Arc;

use super::{Identity, Placement, Workload, procfs};
use crate::kernel::boottime_ns;

/// What `/proc/PID/loginuid` says of a process outside any login: -1 (audit(7)).
const NO_LOGIN: u32 = u32::MAX;

impl Identity {
    /// A peer as it is now: what the kernel's row of the process and `/proc` say while it waits for an answer. Nothing but the user
    /// and the process id is the kernel's word on who connected; the rest is evidence.
    #[must_use]
    pub fn peer(&self, tgid: u32, uid: u32) -> Arc<Workload> {
        let cgroup = procfs::cgroup(tgid).unwrap_or_default();
        let known = self.placements.all().into_iter();
        let placement = known
            .map(|(_, placement)| placement)
            .find(|placement| placement.cgroup == cgroup)
            .unwrap_or_else(|| Arc::new(Placement::of_cgroup(cgroup)));
        let mut evidence = self.processes.evidence_at(tgid, boottime_ns());
        evidence.exe = evidence.exe.or_else(|| procfs::exe(tgid).map(Into::into));
        let (comm, netns) = (procfs::comm(tgid), procfs::netns_inode(tgid));
        Arc::new(self.workload(
            tgid,
            uid,
            comm.unwrap_or_default(),
            netns.unwrap_or_default(),
            placement,
            evidence,
        ))
    }
}

/// The user who logged in, of the login that a process belongs to.
#[must_use]
pub fn login_uid(tgid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{tgid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|&uid| uid != NO_LOGIN)
}
