//! The records of the event ring. Each begins with its kind, so that a reader can tell them apart by the first word.

use crate::process::FILENAME_BYTES;
use crate::{COMM_BYTES, NormalAddr};

/// [`ExecEvent`].
pub const KIND_EXEC: u32 = 1;
/// [`ForkEvent`].
pub const KIND_FORK: u32 = 2;
/// [`ExitEvent`].
pub const KIND_EXIT: u32 = 3;
/// [`BypassEvent`].
pub const KIND_BYPASS: u32 = 4;

/// [`CgroupEvent`].
pub const KIND_CGROUP: u32 = 5;

/// Bytes of a cgroup's path that are kept, its NUL included. Longer ones are cut, and can be read from the file system.
/// A pod's container with its uid and the runtime's id needs about 180.
pub const CGROUP_PATH_BYTES: usize = 256;

/// A process executed a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ExecEvent {
    /// [`KIND_EXEC`].
    pub kind: u32,
    /// The process, in the initial pid namespace.
    pub tgid: u32,
    /// When, nanoseconds of `CLOCK_BOOTTIME`: the same value the process's row and its flows carry.
    pub boottime_ns: u64,
    /// The cgroup2 id of the process.
    pub cgroup_id: u64,
    /// The path given to `execve`, NUL-terminated, cut when longer.
    pub filename: [u8; FILENAME_BYTES],
}

/// A process was forked; threads are not reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ForkEvent {
    /// [`KIND_FORK`].
    pub kind: u32,
    /// The new process, in the initial pid namespace.
    pub tgid: u32,
    /// The process that forked it.
    pub parent_tgid: u32,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
}

/// A process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ExitEvent {
    /// [`KIND_EXIT`].
    pub kind: u32,
    /// The process, in the initial pid namespace.
    pub tgid: u32,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
}

/// Something LLM-bound was not intercepted: it passed, or it was refused. At most one a second for each cgroup and reason;
/// the counters have every one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct BypassEvent {
    /// [`KIND_BYPASS`].
    pub kind: u32,
    /// Why it was not intercepted: the discriminant of a [`Bypass`](crate::Bypass).
    pub reason: u32,
    /// The process, in the initial pid namespace; 0 where the hook does not run in it.
    pub tgid: u32,
    /// The user, in the initial user namespace; `u32::MAX` where the hook does not run in the process.
    pub uid: u32,
    /// The cgroup2 id of the process, or of the socket where the hook does not run in the process.
    pub cgroup_id: u64,
    /// The cookie of the socket's network namespace; 0 where the hook cannot tell.
    pub netns_cookie: u64,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
    /// Where it was going.
    pub destination: NormalAddr,
    /// The port it was going to, host byte order.
    pub port: u16,
    /// 1 when it was refused, 0 when it passed.
    pub denied: u8,
    /// The IP protocol: 6 for TCP, 17 for UDP; 255 for one that does not fit, such as MPTCP (262).
    pub protocol: u8,
    /// How many of the same cgroup and reason were not reported since the last event.
    pub unreported: u32,
    /// The thread's command name, NUL-padded; empty where the hook does not run in the process.
    pub comm: [u8; COMM_BYTES],
}

/// A cgroup of the cgroup2 hierarchy was made or removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct CgroupEvent {
    /// [`KIND_CGROUP`].
    pub kind: u32,
    /// 1 when it was removed, 0 when it was made.
    pub removed: u32,
    /// The inode number of its directory.
    pub id: u64,
    /// How many levels it is below the root.
    pub level: u32,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
    /// Its path from the root, beginning with `/`, NUL-terminated, cut when longer.
    pub path: [u8; CGROUP_PATH_BYTES],
}

const _: () = {
    assert!(size_of::<CgroupEvent>() == 24 + CGROUP_PATH_BYTES);
    assert!(size_of::<ExecEvent>() == 24 + FILENAME_BYTES);
    assert!(size_of::<ForkEvent>() == 24);
    assert!(size_of::<ExitEvent>() == 16);
    assert!(size_of::<BypassEvent>() == 80);
};
