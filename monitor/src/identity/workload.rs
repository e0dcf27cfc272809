//! The workload a connection is attributed to.

use std::sync::Arc;

use serde::Serialize;

use super::{ExeHash, Placement};

/// The process that opened a connection, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Process, in the initial pid namespace.
    pub pid: u32,
    /// When it was forked, Unix milliseconds, to the kernel's tick of 10 ms where that was before the agent. With `pid`
    /// it names one process.
    pub started_ms: Option<u64>,
    /// Real user, in the initial user namespace.
    pub uid: u32,
    /// The user's name on this host, where it has one.
    pub user: Option<String>,
    /// Effective user, in the initial user namespace, where it could be read.
    pub euid: Option<u32>,
    /// Absolute path of the executable, where it could be read.
    pub exe: Option<String>,
    /// SHA-256 of the executable. It is worked out beside the path of connections, and may not be there yet.
    pub exe_sha256: ExeHash,
    /// Arguments, joined by blanks; only where the configuration asks for it, because they can hold anything.
    pub command_line: Option<Arc<str>>,
    /// The processes that led to it, nearest first.
    pub ancestors: Arc<[Ancestor]>,
    /// Command name of the thread that connected.
    pub comm: String,
    /// Inode of the network namespace.
    pub netns: u64,
    /// Where it runs: cgroup, unit, container, pod. Shared by the processes of the cgroup.
    pub placement: Arc<Placement>,
}

/// A process that led to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ancestor {
    /// Process, in the initial pid namespace.
    pub pid: u32,
    /// Absolute path of its executable as it forked the next one, where that is known.
    pub exe: Option<Arc<str>>,
}
