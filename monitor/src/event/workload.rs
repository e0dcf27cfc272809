//! The workload as records show it.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::native::rfc3339;
use crate::identity::{Ancestor, Container, Owner, Placement, Pod, Sha256, SpiffeId, Workload};

/// What a record says about a workload.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct WorkloadView<'a> {
    pub(super) pid: u32,
    #[serde(rename = "started", serialize_with = "time")]
    pub(super) started_ms: Option<u64>,
    pub(super) uid: u32,
    pub(super) user: Option<&'a str>,
    pub(super) euid: Option<u32>,
    pub(super) exe: Option<&'a str>,
    pub(super) exe_sha256: Option<Sha256>,
    pub(super) command_line: Option<&'a str>,
    pub(super) ancestors: &'a [Ancestor],
    pub(super) comm: &'a str,
    pub(super) netns: u64,
    #[serde(flatten)]
    pub(super) placement: PlacementView<'a>,
}

/// What a record says about where something ran.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PlacementView<'a> {
    pub(super) cgroup: &'a str,
    pub(super) unit: Option<&'a str>,
    pub(super) slice: Option<&'a str>,
    pub(super) container: Option<&'a Container>,
    pub(super) pod: Option<PodView<'a>>,
    pub(super) spiffe: Option<&'a SpiffeId>,
}

/// A pod without its labels: there may be many, and its uid leads to them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PodView<'a> {
    pub(super) uid: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) service_account: Option<&'a str>,
    pub(super) owner: Option<&'a Owner>,
}

impl<'a> From<&'a Placement> for PlacementView<'a> {
    fn from(placement: &'a Placement) -> Self {
        Self {
            cgroup: &placement.cgroup,
            unit: placement.unit.as_deref(),
            slice: placement.slice.as_deref(),
            container: placement.container.as_ref(),
            pod: placement.pod.as_deref().map(PodView::from),
            spiffe: placement.spiffe.as_ref(),
        }
    }
}

impl<'a> From<&'a Pod> for PodView<'a> {
    fn from(pod: &'a Pod) -> Self {
        Self {
            uid: &pod.uid,
            namespace: pod.namespace.as_deref(),
            name: pod.name.as_deref(),
            service_account: pod.service_account.as_deref(),
            owner: pod.owner.as_ref(),
        }
    }
}

impl<'a> From<&'a Workload> for WorkloadView<'a> {
    fn from(workload: &'a Workload) -> Self {
        Self {
            pid: workload.pid,
            started_ms: workload.started_ms,
            uid: workload.uid,
            user: workload.user.as_deref(),
            euid: workload.euid,
            exe: workload.exe.as_deref(),
            exe_sha256: workload.exe_sha256.get(),
            command_line: workload.command_line.as_deref(),
            ancestors: &workload.ancestors,
            comm: &workload.comm,
            netns: workload.netns,
            placement: PlacementView::from(&*workload.placement),
        }
    }
}

fn time<S: Serializer>(unix_ms: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    unix_ms.map(rfc3339).serialize(serializer)
}

/// The workload of a record, if it has one.
pub(super) fn view(workload: &Option<Arc<Workload>>) -> Option<WorkloadView<'_>> {
    workload.as_deref().map(WorkloadView::from)
}
