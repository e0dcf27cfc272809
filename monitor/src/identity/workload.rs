//! The workload a connection is attributed to.

use std::sync::Arc;

use serde::Serialize;

use super::Placement;

/// The process that opened a connection, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Process, in the initial pid namespace.
    pub pid: u32,
    /// User, in the initial user namespace.
    pub uid: u32,
    /// The user's name on this host, where it has one.
    pub user: Option<String>,
    /// Absolute path of the executable, where it could be read.
    pub exe: Option<String>,
    /// Command name of the thread that connected.
    pub comm: String,
    /// Inode of the network namespace.
    pub netns: u64,
    /// Where it runs: cgroup, unit, container, pod. Shared by the processes of the cgroup.
    pub placement: Arc<Placement>,
}

/// How sure it is that a connection belongs to its workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The kernel recorded the process as it connected.
    Exact,
    /// More than one process fits.
    Ambiguous,
    /// The process was gone when it was looked up.
    Late,
    /// No record was found.
    Unknown,
}

impl Attribution {
    /// The name in records and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Ambiguous => "ambiguous",
            Self::Late => "late",
            Self::Unknown => "unknown",
        }
    }
}
