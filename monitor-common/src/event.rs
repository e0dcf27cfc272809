//! The records of the event ring. Each begins with its kind, so that a reader can tell them apart by the first word.

use crate::process::FILENAME_BYTES;

/// [`ExecEvent`].
pub const KIND_EXEC: u32 = 1;
/// [`ForkEvent`].
pub const KIND_FORK: u32 = 2;
/// [`ExitEvent`].
pub const KIND_EXIT: u32 = 3;
/// [`MissingListenerEvent`].
pub const KIND_MISSING_LISTENER: u32 = 4;

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

/// A flow passed because its network namespace has no listener. At most one a second and namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MissingListenerEvent {
    /// [`KIND_MISSING_LISTENER`].
    pub kind: u32,
    /// A process in the namespace: the one that called `connect`.
    pub tgid: u32,
    /// The cookie of the network namespace.
    pub netns_cookie: u64,
}

const _: () = {
    assert!(size_of::<ExecEvent>() == 24 + FILENAME_BYTES);
    assert!(size_of::<ForkEvent>() == 24);
    assert!(size_of::<ExitEvent>() == 16);
    assert!(size_of::<MissingListenerEvent>() == 16);
};
