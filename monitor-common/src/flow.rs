//! The record of one flow, and what carries it from the client's socket to the accepted one.

use crate::{COMM_BYTES, NormalAddr};

/// The socket is of the IPv6 family.
pub const FLAG_V6_SOCKET: u32 = 1;
/// The socket is of the IPv6 family and asked for an IPv4-mapped address.
pub const FLAG_MAPPED: u32 = 2;
/// The address was marked as an LLM host's; without it, the connection was sent to the agent because its cgroup's scope
/// sends every one ([`Scope::ALL_TLS`](crate::Scope::ALL_TLS)).
pub const FLAG_MARKED: u32 = 4;

/// Who opened a connection and where it was meant to go: filled by the connect hooks in the context of the thread that
/// called `connect`, found again by the agent on the socket it accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct FlowRecord {
    /// [`ABI_VERSION`](crate::ABI_VERSION) of the programs that wrote it.
    pub version: u32,
    /// [`FLAG_V6_SOCKET`], [`FLAG_MAPPED`], [`FLAG_MARKED`].
    pub flags: u32,
    /// The address the workload asked for.
    pub orig_addr: NormalAddr,
    /// The port the workload asked for, host byte order.
    pub orig_port: u16,
    /// The port of the agent's listener it was sent to, host byte order.
    pub listener_port: u16,
    /// The process, in the initial pid namespace.
    pub tgid: u32,
    /// The thread, in the initial pid namespace.
    pub tid: u32,
    /// The user, in the initial user namespace.
    pub uid: u32,
    /// The group, in the initial user namespace.
    pub gid: u32,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
    /// The thread's command name, NUL-padded.
    pub comm: [u8; COMM_BYTES],
    /// The cgroup2 id of the thread: the inode number of its cgroup directory.
    pub cgroup_id: u64,
    /// The cookie of the socket's network namespace.
    pub netns_cookie: u64,
    /// The cookie of the client's socket.
    pub socket_cookie: u64,
    /// When `connect` was called: nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
    /// When the process was forked, nanoseconds of `CLOCK_BOOTTIME`; 0 when that was before the agent. With
    /// `exec_boottime_ns` it tells the processes apart that had one id after another, and their programs.
    pub start_boottime_ns: u64,
    /// When the process last executed a program, nanoseconds of `CLOCK_BOOTTIME`; 0 when that was before the agent.
    pub exec_boottime_ns: u64,
}

const _: () = {
    assert!(size_of::<FlowRecord>() == 112);
    assert!(core::mem::offset_of!(FlowRecord, orig_addr) == 8);
    assert!(core::mem::offset_of!(FlowRecord, orig_port) == 24);
    assert!(core::mem::offset_of!(FlowRecord, tgid) == 28);
    assert!(core::mem::offset_of!(FlowRecord, comm) == 48);
    assert!(core::mem::offset_of!(FlowRecord, cgroup_id) == 64);
    assert!(core::mem::offset_of!(FlowRecord, exec_boottime_ns) == 104);
};

impl FlowRecord {
    /// The command name without its padding.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        crate::process::until_nul(&self.comm)
    }
}

/// One end of a redirected connection, the same value seen from the client's socket and from the accepted one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct TupleKey {
    /// The cookie of the network namespace both ends are in.
    pub netns_cookie: u64,
    /// The client's address.
    pub client_addr: NormalAddr,
    /// The client's port, host byte order.
    pub client_port: u32,
    /// Keeps the key free of implicit padding, which the kernel would hash.
    pub reserved: u32,
}

const _: () = assert!(size_of::<TupleKey>() == 32);

/// The ports of the agent's listeners in one network namespace, host byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct ListenerPorts {
    /// The listener on `127.0.0.1`; 0 when there is none.
    pub v4: u16,
    /// The listener on `::1`; 0 when there is none, as in a namespace without IPv6.
    pub v6: u16,
    /// The IPv4 listener of the agent before this one, which still takes what was on its way to it; 0 when there is none.
    pub draining_v4: u16,
    /// The IPv6 listener of the agent before this one; 0 when there is none.
    pub draining_v6: u16,
}

const _: () = assert!(size_of::<ListenerPorts>() == 8);
