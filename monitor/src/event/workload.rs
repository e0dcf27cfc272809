//! The workload as records show it.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::native::rfc3339;
use crate::identity::{Ancestor, Sha256, Workload};

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
    pub(super) cgroup: &'a str,
    pub(super) netns: u64,
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
            cgroup: &workload.placement.cgroup,
            netns: workload.netns,
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
