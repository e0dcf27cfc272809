//! `sendmsg` to an address on an IPv6 UDP socket.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;

use crate::datagram::decide;
use crate::peer;

/// Refuses QUIC to an LLM host.
#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn refuse_quic_v6(ctx: SockAddrContext) -> i32 {
    decide(&ctx, peer::v6_address(&ctx))
}
