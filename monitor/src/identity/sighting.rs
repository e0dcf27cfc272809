//! Whose something was that left no flow record, such as a bypass: all there is are ids of the moment it was seen, and
//! what is known of them must be shown to be of that moment.

use std::sync::Arc;

use super::process::Evidence;
use super::{Attribution, AttributionReason, Identity, Placement, Workload, missing};

/// A process or a socket, as it was seen once.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// The process, in the initial pid namespace; 0 where only a socket was seen.
    pub tgid: u32,
    /// The user, in the initial user namespace; `None` where only a socket was seen.
    pub uid: Option<u32>,
    /// The thread's command name; empty where only a socket was seen.
    pub comm: &'a str,
    /// The cgroup2 id of the process, or of the socket.
    pub cgroup_id: u64,
    /// The cookie of the socket's network namespace.
    pub netns_cookie: u64,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
}

/// Whose it was, as far as that is known.
#[derive(Debug, Clone)]
pub struct Sighted {
    /// The process; `None` where it was not seen.
    pub workload: Option<Arc<Workload>>,
    /// The process's placement, or the socket's.
    pub placement: Option<Arc<Placement>>,
    /// How sure that is.
    pub attribution: Attribution,
}

impl Identity {
    /// Whose a sighting was: [`Attribution::Exact`] when the kernel's row of the process says that it ran its present
    /// program then already; [`Attribution::Late`] when the process is gone or has executed another program since;
    /// [`Attribution::Ambiguous`] when only the cgroup is known, and [`Attribution::Unknown`] when not even that.
    #[must_use]
    pub fn place(&self, sighting: &Sighting<'_>) -> Sighted {
        let evidence = match sighting.tgid {
            0 => Evidence::default(),
            tgid => self.processes.evidence_at(tgid, sighting.boottime_ns),
        };
        // What a process says of its cgroup is of this one only where the process is.
        let placement = match evidence.exe {
            Some(_) => self.placements.of(sighting.cgroup_id, sighting.tgid),
            None => self.placements.of_cgroup(sighting.cgroup_id, sighting.tgid),
        };
        let placement = Some(placement).filter(|placement| !placement.cgroup.is_empty());
        let Some(uid) = sighting.uid.filter(|_| sighting.tgid != 0) else {
            let attribution = match placement {
                Some(_) => Attribution::Ambiguous(AttributionReason::ProcessNotSeen),
                None => Attribution::Unknown(AttributionReason::ProcessNotSeen),
            };
            return Sighted {
                workload: None,
                placement,
                attribution,
            };
        };
        let netns = self.namespaces.inode(sighting.netns_cookie, sighting.tgid);
        let missing = missing(&evidence, placement.is_some(), netns.is_some());
        let workload = self.workload(
            sighting.tgid,
            uid,
            sighting.comm.to_owned(),
            netns.unwrap_or_default(),
            placement.clone().unwrap_or_default(),
            evidence,
        );
        Sighted {
            workload: Some(Arc::new(workload)),
            placement,
            attribution: missing.map_or(Attribution::Exact, Attribution::Late),
        }
    }
}
