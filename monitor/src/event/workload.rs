//! The workload as records show it.

use std::sync::Arc;

use serde::Serialize;

use crate::identity::Workload;

/// What a record says about a workload.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct WorkloadView<'a> {
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) user: Option<&'a str>,
    pub(super) exe: Option<&'a str>,
    pub(super) comm: &'a str,
    pub(super) cgroup: &'a str,
    pub(super) netns: u64,
}

impl<'a> From<&'a Workload> for WorkloadView<'a> {
    fn from(workload: &'a Workload) -> Self {
        Self {
            pid: workload.pid,
            uid: workload.uid,
            user: workload.user.as_deref(),
            exe: workload.exe.as_deref(),
            comm: &workload.comm,
            cgroup: &workload.placement.cgroup,
            netns: workload.netns,
        }
    }
}

/// The workload of a record, if it has one.
pub(super) fn view(workload: &Option<Arc<Workload>>) -> Option<WorkloadView<'_>> {
    workload.as_deref().map(WorkloadView::from)
}
