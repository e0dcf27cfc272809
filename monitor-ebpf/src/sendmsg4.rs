//! `sendmsg` to an address on an IPv4 UDP socket, and to a mapped address on an IPv6 one.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::NormalAddr;

use crate::datagram::decide;

/// Refuses QUIC to an LLM host.
#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn refuse_quic_v4(ctx: SockAddrContext) -> i32 {
    // SAFETY: a field of the context.
    let address = NormalAddr::from_v4(unsafe { (*ctx.sock_addr).user_ip4 });
    decide(&ctx, address)
}
