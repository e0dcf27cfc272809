//! What sendmsg4 and sendmsg6 share: datagrams of sockets that are not connected.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::{Bypass, NormalAddr, Scope};

use crate::bypass::{self, Way};
use crate::maps::{ADDRESSES, AGENTS};
use crate::port::intercepted;
use crate::redirect::{IPPROTO_UDP, PROCEED};
use crate::scope;

/// Refuses a datagram that is probably QUIC to an LLM host. The port decides about nearly all: one array read.
#[inline(always)]
pub(crate) fn decide(ctx: &SockAddrContext, address: NormalAddr) -> i32 {
    // SAFETY: a field of the context, the whole word as the verifier wants it.
    let port =
        u16::from_be(unsafe { core::ptr::read_volatile(&raw const (*ctx.sock_addr).user_port) } as u16);
    if !intercepted(port) {
        return PROCEED;
    }
    let Some(agent) = scope::agent() else {
        return PROCEED;
    };
    // SAFETY: read at once, before anything else touches the map; a helper without arguments.
    let is_marked = unsafe {
        ADDRESSES
            .get(address)
            .is_some_and(|expires_ns| bpf_ktime_get_boot_ns() < *expires_ns)
    };
    if !is_marked && (!agent.any_scope.has(Scope::ALL_TLS) || address.is_own_host()) {
        return PROCEED;
    }
    if AGENTS
        .get_ptr((bpf_get_current_pid_tgid() >> 32) as u32)
        .is_some()
    {
        bypass::note(ctx, address, port, bypass::AGENTS_OWN);
        return PROCEED;
    }
    if !is_marked && !scope::of_current(agent).has(Scope::ALL_TLS) {
        return PROCEED;
    }
    bypass::settle(
        ctx,
        agent,
        &Way {
            bypass: Bypass::Quic,
            address,
            port,
            protocol: IPPROTO_UDP,
        },
    )
}
