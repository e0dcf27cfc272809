//! Sending events to the agent, and counting those that find no room.

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_uid_gid};
use monitor_common::event::{BypassEvent, KIND_BYPASS};
use monitor_common::{Bypass, COMM_BYTES, NormalAddr, Reason};

use crate::count::count;
use crate::maps::{EVENTS, MISSING_REPORTED};

/// A second and namespace: a workload that retries in a loop must not fill the ring.
const MISSING_REPORT_INTERVAL_NS: u64 = 1_000_000_000;

/// Sends one record of the event ring.
#[inline(always)]
pub(crate) fn send<T>(event: &T) {
    // SAFETY: the ring is ours, the pointer and the size are those of an initialised record without padding.
    let outcome = unsafe {
        bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            core::ptr::from_ref(event).cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if outcome != 0 {
        count(Reason::RingFull);
    }
}

/// Tells the agent that a namespace has LLM-bound flows and no listener.
#[inline(always)]
pub(crate) fn report_missing_listener(netns_cookie: u64, tgid: u32, destination: NormalAddr, port: u16) {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: read at once, before anything else touches the map.
    if let Some(last) = unsafe { MISSING_REPORTED.get(netns_cookie) }
        && now.wrapping_sub(*last) < MISSING_REPORT_INTERVAL_NS
    {
        return;
    }
    // An entry that cannot be written only means one report too many.
    let _ = MISSING_REPORTED.insert(netns_cookie, now, 0);
    let uid_gid = bpf_get_current_uid_gid();
    send(&BypassEvent {
        kind: KIND_BYPASS,
        reason: Bypass::NoListener as u32,
        tgid,
        uid: uid_gid as u32,
        // SAFETY: a helper without arguments.
        cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        netns_cookie,
        boottime_ns: now,
        destination,
        port,
        denied: 0,
        protocol: 6,
        unreported: 0,
        comm: bpf_get_current_comm().unwrap_or([0; COMM_BYTES]),
    });
}
