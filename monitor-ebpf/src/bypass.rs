//! What becomes of what is LLM-bound and cannot be intercepted: decided, counted and reported in one place.

use aya_ebpf::bindings::BPF_SK_STORAGE_GET_F_CREATE;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_netns_cookie, bpf_ktime_get_boot_ns, bpf_set_retval,
    bpf_sk_storage_get,
};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid};
use aya_ebpf::programs::SockAddrContext;
use monitor_common::event::{BypassEvent, KIND_BYPASS};
use monitor_common::{AgentRow, Bypass, COMM_BYTES, NormalAddr, Scope};

use crate::count::count;
use crate::events::send;
use crate::maps::{PASSED, REPORTED};
use crate::redirect::{PROCEED, REFUSE};
use crate::scope;

/// One report a second of a cgroup and reason: a workload that retries in a loop must not fill the ring.
const REPORT_INTERVAL_NS: u64 = 1_000_000_000;

/// Clients take it for a server that does not speak the protocol, and try the next one at once.
const ECONNREFUSED: i32 = 111;

/// What the last report of a cgroup and reason is kept under.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ReportKey {
    cgroup_id: u64,
    /// The namespace for [`Bypass::NoListener`], which the agent opens a listener in; 0 for others.
    netns_cookie: u64,
    reason: u32,
    /// Keeps the key free of implicit padding, which the kernel would hash.
    reserved: u32,
}

/// The last report of a cgroup and reason.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Report {
    sent_ns: u64,
    /// How many there have been since. Two processors that count at the same moment may count one.
    unreported: u32,
    /// Keeps the layout free of implicit padding.
    reserved: u32,
}

/// Where a connection that the connect hooks have seen goes, on its socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Passed {
    pub(crate) address: NormalAddr,
    /// Host byte order.
    pub(crate) port: u16,
    /// [`LET_PASS`], [`AGENTS_OWN`], [`NOTHING_SENT`].
    pub(crate) how: u16,
}

/// It was let pass, and is counted.
pub(crate) const LET_PASS: u16 = 0;
/// It is an agent's own.
pub(crate) const AGENTS_OWN: u16 = 1;
/// A UDP socket that has sent nothing there yet: `getaddrinfo` of glibc connects one to each address, port included, to
/// learn its source address (RFC 6724), and sends nothing. The first datagram decides.
pub(crate) const NOTHING_SENT: u16 = 2;

/// A connection or datagram that should be intercepted and is not.
pub(crate) struct Way {
    pub(crate) bypass: Bypass,
    pub(crate) address: NormalAddr,
    /// Host byte order.
    pub(crate) port: u16,
    /// The IP protocol.
    pub(crate) protocol: u32,
}

/// Lets a connection or datagram of the calling thread pass or refuses it, as the scope of its cgroup says. Returns what
/// the hook returns.
#[inline(always)]
pub(crate) fn settle(ctx: &SockAddrContext, agent: &AgentRow, way: &Way) -> i32 {
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    let scope = scope::of_current(agent);
    let bypass = match way.bypass {
        // Refused only so that the client comes by TCP, which no agent would take now.
        Bypass::Quic if !scope.has(Scope::PASS_QUIC) && !agent.is_alive(now_ns) => Bypass::AgentDown,
        bypass => bypass,
    };
    let refused = bypass.is_refused(scope);
    count(bypass.counter(refused));
    // SAFETY: a helper without arguments.
    let cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    // SAFETY: the context of this hook.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let is_listener = matches!(bypass, Bypass::NoListener);
    if let Some(unreported) = due(
        bypass,
        cgroup_id,
        if is_listener { netns_cookie } else { 0 },
        now_ns,
    ) {
        send(&BypassEvent {
            kind: KIND_BYPASS,
            reason: bypass as u32,
            tgid: (bpf_get_current_pid_tgid() >> 32) as u32,
            uid: bpf_get_current_uid_gid() as u32,
            cgroup_id,
            netns_cookie,
            boottime_ns: now_ns,
            destination: way.address,
            port: way.port,
            denied: u8::from(refused),
            protocol: if way.protocol > 255 {
                255
            } else {
                way.protocol as u8
            },
            unreported,
            comm: bpf_get_current_comm().unwrap_or([0; COMM_BYTES]),
        });
    }
    if !refused {
        note(ctx, way.address, way.port, LET_PASS);
        return PROCEED;
    }
    if matches!(bypass, Bypass::Quic | Bypass::AgentDown) {
        // SAFETY: a helper that takes an error number. Where it fails the call fails with EPERM.
        unsafe { bpf_set_retval(-ECONNREFUSED) };
    }
    REFUSE
}

/// Whether a report is due; if so, how many were not reported since the last one.
#[inline(always)]
pub(crate) fn due(bypass: Bypass, cgroup_id: u64, netns_cookie: u64, now_ns: u64) -> Option<u32> {
    let key = ReportKey {
        cgroup_id,
        netns_cookie,
        reason: bypass as u32,
        reserved: 0,
    };
    let Some(report) = REPORTED.get_ptr_mut(key) else {
        let report = Report {
            sent_ns: now_ns,
            unreported: 0,
            reserved: 0,
        };
        // A report that cannot be remembered only means one report too many.
        let _ = REPORTED.insert(key, report, 0);
        return Some(0);
    };
    // SAFETY: a value of our own type, checked for null; others may write it, and each field is one word.
    let report = unsafe { &mut *report };
    if now_ns.wrapping_sub(report.sent_ns) < REPORT_INTERVAL_NS {
        report.unreported = report.unreported.saturating_add(1);
        return None;
    }
    report.sent_ns = now_ns;
    Some(core::mem::replace(&mut report.unreported, 0))
}

/// Notes on the socket how its connection to an address was taken, so that what it sends is not counted a second time, or
/// is decided then.
#[inline(always)]
pub(crate) fn note(ctx: &SockAddrContext, address: NormalAddr, port: u16, how: u16) {
    // SAFETY: our map, the socket of this context, which is never null, and a value of the map's type.
    let passed = unsafe {
        bpf_sk_storage_get(
            (&raw const PASSED).cast_mut().cast(),
            (*ctx.sock_addr).__bindgen_anon_1.sk.cast(),
            core::ptr::null_mut(),
            BPF_SK_STORAGE_GET_F_CREATE.into(),
        )
    }
    .cast::<Passed>();
    // Without storage it is counted twice.
    // SAFETY: storage of our own type or null.
    if let Some(passed) = unsafe { passed.as_mut() } {
        *passed = Passed { address, port, how };
    }
}
