//! What connect4 and connect6 share: whether a connection is sent to the agent, and the record it leaves behind.
//!
//! The order keeps an untouched connection cheap: one lookup by address and one read of the agent's row decide for almost
//! all of them. The record is written before the destination: a connection that cannot be attributed is not redirected.

use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid};
use aya_ebpf::programs::SockAddrContext;
use monitor_common::flow::{FLAG_MARKED, FLAG_V6_SOCKET};
use monitor_common::{ABI_VERSION, AgentRow, Bypass, COMM_BYTES, FlowRecord, NormalAddr, Reason, Scope};

use crate::bypass::{self, Way};
use crate::count::count;
use crate::maps::{ADDRESSES, AGENTS, FLOWS, LISTENERS, PROCESSES};
use crate::port::intercepted;
use crate::scope;

/// What a connect or sendmsg hook returns to let the call go on.
pub(crate) const PROCEED: i32 = 1;
/// What it returns to let the call fail, with EPERM where it did not say otherwise.
pub(crate) const REFUSE: i32 = 0;

const IPPROTO_TCP: u32 = 6;
pub(crate) const IPPROTO_UDP: u32 = 17;

/// Why a connection is not sent to the agent.
enum Detour {
    /// It is none of the agent's business.
    Passes(Reason),
    /// It is, and cannot be.
    Bypass(Bypass),
    /// It may be: what is sent on it decides, in `egress`.
    Undecided,
}

/// Decides about a connection to `address`: the port of the listener to send it to, network byte order as the context has
/// it, once the record is in the socket's storage; or what the hook returns for a connection that is not redirected.
#[inline(always)]
pub(crate) fn decide(ctx: &SockAddrContext, address: NormalAddr, flags: u32) -> Result<u32, i32> {
    // SAFETY: fields of the context, whole words as the verifier wants them.
    let (port, protocol) = unsafe {
        let port = core::ptr::read_volatile(&raw const (*ctx.sock_addr).user_port);
        (u16::from_be(port as u16), (*ctx.sock_addr).protocol)
    };
    let Some(agent) = scope::agent() else {
        return Err(PROCEED);
    };
    let detour = match route(ctx, agent, address, port, protocol, flags) {
        Ok(listener_port) => return Ok(u32::from(listener_port.to_be())),
        Err(detour) => detour,
    };
    match detour {
        Detour::Passes(reason) => {
            count(reason);
            Err(PROCEED)
        }
        Detour::Undecided => Err(PROCEED),
        Detour::Bypass(bypass) => Err(bypass::settle(
            ctx,
            agent,
            &Way {
                bypass,
                address,
                port,
                protocol,
            },
        )),
    }
}

/// The port of the listener, host byte order, or why not there.
#[inline(always)]
fn route(
    ctx: &SockAddrContext,
    agent: &AgentRow,
    address: NormalAddr,
    port: u16,
    protocol: u32,
    flags: u32,
) -> Result<u16, Detour> {
    let marked = mark_of(address);
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let flags = match marked {
        Ok(()) => {
            if AGENTS.get_ptr(tgid).is_some() {
                bypass::note(ctx, address, port, bypass::AGENTS_OWN);
                return Err(Detour::Passes(Reason::PassedAgent));
            }
            if !intercepted(port) {
                return Err(Detour::Passes(Reason::PassedPort));
            }
            flags | FLAG_MARKED
        }
        Err(reason) => {
            let wanted = agent.any_scope.has(Scope::ALL_TLS);
            if !(wanted || tgid == agent.tgid) || !intercepted(port) {
                return Err(Detour::Passes(reason));
            }
            if AGENTS.get_ptr(tgid).is_some() {
                bypass::note(ctx, address, port, bypass::AGENTS_OWN);
                return Err(Detour::Passes(reason));
            }
            if address.is_own_host() || !scope::of_current(agent).has(Scope::ALL_TLS) {
                return Err(Detour::Passes(reason));
            }
            flags
        }
    };
    match protocol {
        IPPROTO_TCP => {}
        IPPROTO_UDP => {
            bypass::note(ctx, address, port, bypass::NOTHING_SENT);
            return Err(Detour::Undecided);
        }
        _ => return Err(Detour::Bypass(Bypass::Protocol)),
    }
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    if !agent.is_alive(now_ns) {
        return Err(Detour::Bypass(Bypass::AgentDown));
    }
    // SAFETY: the verifier knows `sk` in this context as a socket that is never null.
    if unsafe { (*(*ctx.sock_addr).__bindgen_anon_1.sk).bound_dev_if } != 0 {
        return Err(Detour::Bypass(Bypass::BoundDevice));
    }
    // SAFETY: the context of this hook.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let listener_port = match listener(netns_cookie, address, flags) {
        0 => return Err(Detour::Bypass(Bypass::NoListener)),
        port => port,
    };
    // SAFETY: the map's own helper on this context's socket; null is handled.
    let record = unsafe { FLOWS.get_or_insert_ptr_mut(ctx, None) };
    if record.is_null() {
        return Err(Detour::Bypass(Bypass::NoStorage));
    }
    let (start_boottime_ns, exec_boottime_ns) = process_times(tgid);
    let uid_gid = bpf_get_current_uid_gid();
    // SAFETY: storage of our own type, not null. Several threads may connect one socket at once; the kernel lets one
    // of them through, and each writes values that are true of its own call.
    unsafe {
        *record = FlowRecord {
            version: ABI_VERSION,
            flags,
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
    Ok(listener_port)
}

/// Whether the address is marked, and if not, what a connection that passes for it is counted as.
#[inline(always)]
fn mark_of(address: NormalAddr) -> Result<(), Reason> {
    // SAFETY: read at once, before anything else touches the map.
    let Some(expires_ns) = (unsafe { ADDRESSES.get(address) }) else {
        return Err(Reason::PassedNotMarked);
    };
    // SAFETY: a helper without arguments.
    if unsafe { bpf_ktime_get_boot_ns() } < *expires_ns {
        return Ok(());
    }
    // Another CPU may have removed it: gone either way.
    let _ = ADDRESSES.remove(address);
    Err(Reason::AddressExpired)
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
