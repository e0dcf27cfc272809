//! Who opened a connection: the process, its user, executable, cgroup and network namespace, as a [`Workload`].
//!
//! The kernel's flow record names the process that called `connect`; what the record cannot hold (the executable, the
//! paths) is read from `/proc`, and can by then be of another process with the same id, or of another program the same
//! process has executed since. So the evidence is kept by [`ProcessKey`], which the kernel stamps on the flow and on its
//! own row of the process, and it counts only when the row had the flow's stamp after the evidence was read:
//! 1. `process`: the table of processes, seeded from `/proc`, kept by the kernel's exec, fork and exit events.
//! 2. `placement`: cgroup ids, their paths, and what these say of unit, container and pod. 3. `namespaces`: network namespaces by cookie and inode.
//! 4. [`Identity::resolve`] puts them together. A process's workload is built once and shared by its connections.
//!
//! Accepted inaccuracy: between the moment `execve` replaces the image and the moment it is stamped, some tens of
//! microseconds, the new executable can be read under the old stamp. It takes a connection opened just before, no
//! earlier evidence of the process, and a socket that survives `execve`; process, user, cgroup and namespace are right
//! even then.

mod ancestry;
mod attribution;
mod catch_up;
mod cgroup;
mod claim;
mod cri;
mod epoch;
mod hash;
mod kubelet;
mod kubernetes;
mod namespaces;
mod netns;
mod owners;
mod peer;
mod placement;
mod process;
mod procfs;
mod program;
mod sharing;
mod sighting;
mod spiffe;
mod user;
mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use monitor_common::FlowRecord;
use tokio::sync::mpsc;

pub use self::attribution::{Attribution, AttributionReason};
pub use self::catch_up::Waiting;
pub use self::claim::Claim;
pub use self::hash::{ExeHash, Sha256};
pub use self::kubernetes::{PodNames, Whereabouts, WhereaboutsError};
pub use self::namespaces::{NamespaceChanges, Namespaces};
pub use self::netns::Netns;
pub use self::owners::{socket_owners, sockets_of};
pub use self::peer::login_uid;
pub use self::placement::{
    Changes, Container, ContainerNames, Directory, NoDirectory, Owner, Placement, Placements, Pod, SpiffeId,
    SpiffeSource,
};
pub use self::process::{ProcessKey, ProcessRows};
pub use self::sharing::Ends;
pub use self::sighting::{Sighted, Sighting};
pub use self::workload::{Ancestor, Workload};

use self::catch_up::CatchUp;
use self::epoch::Epoch;
use self::process::{Evidence, FlowTraits, Processes};
use self::sharing::{Auditor, Sharing};
use self::user::Users;
use crate::config::DEFAULT_HASH_LIMIT_BYTES;
use crate::kernel::KernelEvent;

/// Which evidence of a process is taken.
#[derive(Debug, Clone, Copy)]
pub struct EvidenceOptions {
    /// Command lines are kept. They may hold secrets.
    pub command_lines: bool,
    /// Largest executable whose digest is worked out.
    pub hash_limit_bytes: u64,
}

impl Default for EvidenceOptions {
    fn default() -> Self {
        Self {
            command_lines: false,
            hash_limit_bytes: DEFAULT_HASH_LIMIT_BYTES,
        }
    }
}

/// Resolves flows to workloads.
#[derive(Debug)]
pub struct Identity {
    processes: Processes,
    placements: Arc<Placements>,
    namespaces: Namespaces,
    users: Users,
    epoch: Epoch,
    sharing: Arc<Sharing>,
    catch_up: CatchUp,
    _auditor: Auditor,
}

impl Identity {
    /// Reads the processes, cgroups and network namespaces that are there.
    ///
    /// `rows` is the kernel's table of processes; `mount` the cgroup2 mount; `attached` the directory below it that the
    /// programs are attached to.
    #[must_use]
    pub fn new(rows: Arc<dyn ProcessRows>, mount: &Path, attached: &Path, options: EvidenceOptions) -> Self {
        let placements = Arc::new(Placements::new(mount.to_path_buf()));
        placements.walk();
        let processes = Processes::new(rows, options);
        processes.seed();
        let namespaces = Namespaces::new(below(mount, attached));
        let sharing = Arc::new(Sharing::default());
        Self {
            processes,
            placements,
            namespaces,
            users: Users::new(PathBuf::from("/etc/passwd")),
            epoch: Epoch::now(),
            _auditor: Auditor::start(&sharing),
            sharing,
            catch_up: CatchUp::default(),
        }
    }

    /// Keeps the tables up to date. To be called with every event of the kernel, in order.
    pub fn on_event(&self, event: &KernelEvent) {
        match event {
            KernelEvent::Exec {
                tgid,
                cgroup_id,
                boottime_ns,
                ..
            } => {
                self.processes.executed(*tgid);
                self.placements.learn(*cgroup_id, *tgid);
                self.sharing.executed(*tgid, *boottime_ns);
            }
            KernelEvent::Fork {
                tgid,
                parent_tgid,
                boottime_ns,
            } => {
                self.processes.forked(*tgid, *parent_tgid, *boottime_ns);
                self.sharing.forked(*tgid, *parent_tgid, *boottime_ns);
            }
            KernelEvent::Exit { tgid, boottime_ns } => {
                self.processes.exited(*tgid);
                self.sharing.exited(*tgid, *boottime_ns);
            }
            KernelEvent::Cgroup { id, path, removed } => self.placements.on_cgroup(*id, path, *removed),
            KernelEvent::Bypass { .. } => {}
        }
    }

    /// The workload of a flow, and how sure that is: [`Attribution::Exact`] when its executable, cgroup and namespace are
    /// known to be those of the process that connected, [`Attribution::Late`] when it was gone or had executed another
    /// program by the time it was looked up. What is not known then is left empty.
    ///
    /// A further connection of a known process costs a lookup in a table; any number of threads may ask at once.
    #[must_use]
    pub fn resolve(&self, flow: &FlowRecord) -> (Arc<Workload>, Attribution) {
        let key = ProcessKey::of(flow);
        let traits = FlowTraits::of(flow);
        if let Some(workload) = self.processes.workload(&key, &traits)
            && self.placements.is_current(flow.cgroup_id, &workload.placement)
        {
            return (workload, Attribution::Exact);
        }
        let (placement, is_placed) = self.placement_of(flow);
        let evidence = self.processes.evidence(&key, flow.boottime_ns);
        let netns = self.namespaces.inode(flow.netns_cookie, flow.tgid);
        let missing = missing(&evidence, is_placed, netns.is_some());
        let workload = Arc::new(self.workload(
            flow.tgid,
            flow.uid,
            String::from_utf8_lossy(flow.comm()).into_owned(),
            netns.unwrap_or_default(),
            placement,
            evidence,
        ));
        match missing {
            None => {
                self.processes.keep(&key, traits, &workload);
                (workload, Attribution::Exact)
            }
            Some(reason) => (workload, Attribution::Late(reason)),
        }
    }

    /// Where the process of a flow runs, and whether that is certain.
    fn placement_of(&self, flow: &FlowRecord) -> (Arc<Placement>, bool) {
        let place = self.placements.place(flow.cgroup_id, flow.tgid);
        if place.by_process && !self.processes.is_running(&ProcessKey::of(flow)) {
            return (self.placements.get(flow.cgroup_id).unwrap_or_default(), false);
        }
        let is_placed = !place.placement.cgroup.is_empty();
        (place.placement, is_placed)
    }

    fn workload(
        &self,
        pid: u32,
        uid: u32,
        comm: String,
        netns: u64,
        placement: Arc<Placement>,
        evidence: Evidence,
    ) -> Workload {
        Workload {
            pid,
            started_ms: evidence
                .start_boottime_ns
                .map(|start_ns| self.epoch.unix_ms(start_ns)),
            uid,
            user: self.users.name(uid),
            euid: evidence.euid,
            exe: evidence.exe.as_deref().map(str::to_owned),
            exe_sha256: evidence.exe_sha256,
            command_line: evidence.command_line,
            ancestors: evidence.ancestors,
            comm,
            netns,
            placement,
        }
    }

    /// Those who wait for the kernel's events to be read, for the one who reads them; `None` when they were taken before.
    #[must_use]
    pub fn waiting(&self) -> Option<mpsc::Receiver<Waiting>> {
        self.catch_up.requests()
    }

    /// Waits until the kernel's events of before this call have been read, a moment at most. False when they have not.
    pub async fn caught_up(&self) -> bool {
        self.catch_up.caught_up().await
    }

    /// The cgroups and what is known of each.
    #[must_use]
    pub fn placements(&self) -> &Arc<Placements> {
        &self.placements
    }

    /// The network namespaces below the attach point.
    #[must_use]
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }
}

/// The first thing that is not known, in the order of how much it matters.
fn missing(evidence: &Evidence, cgroup: bool, netns: bool) -> Option<AttributionReason> {
    evidence
        .missing
        .or((!cgroup).then_some(AttributionReason::CgroupUnknown))
        .or((!netns).then_some(AttributionReason::NamespaceGone))
}

/// A directory as a path in the hierarchy: `/` for the mount itself.
fn below(mount: &Path, directory: &Path) -> String {
    match directory.strip_prefix(mount) {
        Ok(rest) => format!("/{}", rest.display()),
        Err(_) => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_the_hierarchy_begin_with_a_slash() {
        let mount = Path::new("/sys/fs/cgroup");
        assert_eq!(below(mount, mount), "/");
        assert_eq!(below(mount, Path::new("/sys/fs/cgroup/a/b")), "/a/b");
    }
}
