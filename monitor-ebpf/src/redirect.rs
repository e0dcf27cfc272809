//! What connect4 and connect6 share: whether a connection is sent to the agent, and the record it leaves behind.
//!
//! The order keeps an untouched connection cheap: one lookup by address decides for almost all of them. The record is
//! written before the destination: a connection that cannot be attributed is not redirected.

use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid};
use aya_ebpf::programs::SockAddrContext;
use monitor_common::flow::{FLAG_MARKED, FLAG_V6_SOCKET};
use monitor_common::{ABI_VERSION, COMM_BYTES, FlowRecord, NormalAddr, Reason};

use crate::events::report_missing_listener;
use crate::maps::{ADDRESSES, AGENTS, FLOWS, LISTENERS, PORTS, PROCESSES};

/// What a connect hook returns to let the call go on.
pub(crate) const PROCEED: i32 = 1;

const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;

/// Decides about a connection to `address`. Returns the port of the listener to send it to, network byte order as the
/// context has it, once the record is in the socket's storage; or why the connection passes as it is.
#[inline(always)]
pub(crate) fn decide(ctx: &SockAddrContext, address: NormalAddr, flags: u32) -> Result<u32, Reason> {
    // SAFETY: read at once, before anything else touches the map.
    let expires_ns = match unsafe { ADDRESSES.get(address) } {
        Some(expires_ns) => *expires_ns,
        None => return Err(Reason::PassedNotMarked),
    };
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if AGENTS.get_ptr(tgid).is_some() {
        return Err(Reason::PassedAgent);
    }
    // SAFETY: fields of the context, whole words as the verifier wants them.
    let (port, protocol) = unsafe {
        let port = core::ptr::read_volatile(&raw const (*ctx.sock_addr).user_port);
        (u16::from_be(port as u16), (*ctx.sock_addr).protocol)
    };
    if !intercepted(port) {
        return Err(Reason::PassedPort);
    }
    match protocol {
        IPPROTO_TCP => {}
        IPPROTO_UDP => return Err(Reason::PassedQuic),
        _ => return Err(Reason::PassedProtocol),
    }
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    if now_ns >= expires_ns {
        // Another CPU may have removed it: gone either way.
        let _ = ADDRESSES.remove(address);
        return Err(Reason::AddressExpired);
    }
    // SAFETY: the verifier knows `sk` in this context as a socket that is never null.
    if unsafe { (*(*ctx.sock_addr).__bindgen_anon_1.sk).bound_dev_if } != 0 {
        return Err(Reason::PassedBoundDevice);
    }
    // SAFETY: the context of this hook.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let listener_port = match listener(netns_cookie, address, flags) {
        0 => {
            report_missing_listener(netns_cookie, tgid, address, port);
            return Err(Reason::PassedNoListener);
        }
        port => port,
    };
    // SAFETY: the map's own helper on this context's socket; null is handled.
    let record = unsafe { FLOWS.get_or_insert_ptr_mut(ctx, None) };
    if record.is_null() {
        return Err(Reason::PassedNoStorage);
    }
    let (start_boottime_ns, exec_boottime_ns) = process_times(tgid);
    let uid_gid = bpf_get_current_uid_gid();
    // SAFETY: storage of our own type, not null. Several threads may connect one socket at once; the kernel lets one
    // of them through, and each writes values that are true of its own call.
    unsafe {
        *record = FlowRecord {
            version: ABI_VERSION,
            flags: flags | FLAG_MARKED,
            orig_addr: address,
            orig_port: port,
            listener_port,
            tgid,
            tid: pid_tgid as u32,
            uid: uid_gid as u32,
            gid: (uid_gid >> 32) as u32,
            reserved: 0,
            comm: bpf_get_current_comm().unwrap_or([0; COMM_BYTES]),
            cgroup_id: aya_ebpf::helpers::generated::bpf_get_current_cgroup_id(),
            netns_cookie,
            socket_cookie: bpf_get_socket_cookie(ctx.sock_addr.cast()),
            boottime_ns: now_ns,
            start_boottime_ns,
            exec_boottime_ns,
        };
    }
    Ok(u32::from(listener_port.to_be()))
}

#[inline(always)]
fn intercepted(port: u16) -> bool {
    PORTS
        .get(u32::from(port >> 6))
        .is_some_and(|word| word & (1 << (port & 63)) != 0)
}

/// The listener for a socket: an IPv6 socket that asked for a mapped address talks IPv4. 0 when there is none.
#[inline(always)]
fn listener(netns_cookie: u64, address: NormalAddr, flags: u32) -> u16 {
    // SAFETY: read at once, before anything else touches the map.
    let Some(ports) = (unsafe { LISTENERS.get(netns_cookie) }) else {
        return 0;
    };
    if flags & FLAG_V6_SOCKET != 0 && !address.is_v4() {
        ports.v6
    } else {
        ports.v4
    }
}

/// When the process was forked and when it executed its program; zeros for one from before the agent.
#[inline(always)]
fn process_times(tgid: u32) -> (u64, u64) {
    // SAFETY: read at once, before anything else touches the map.
    unsafe { PROCESSES.get(tgid) }.map_or((0, 0), |row| (row.start_boottime_ns, row.exec_boottime_ns))
}
