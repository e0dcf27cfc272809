//! `getpeername` on an IPv6 socket.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::NormalAddr;

use crate::peer;
use crate::redirect::PROCEED;

/// Shows the workload the address and port it asked for, a mapped address in its mapped form.
#[cgroup_sock_addr(getpeername6)]
pub(crate) fn original_peer_v6(ctx: SockAddrContext) -> i32 {
    let Some(record) = peer::redirected(&ctx) else {
        return PROCEED;
    };
    let seen = peer::v6_address(&ctx).words();
    let loopback = if record.orig_addr.is_v4() {
        NormalAddr::LOOPBACK_V4
    } else {
        NormalAddr::LOOPBACK_V6
    }
    .words();
    if seen[0] == loopback[0] && seen[1] == loopback[1] && seen[2] == loopback[2] && seen[3] == loopback[3] {
        peer::set_v6_address(&ctx, record.orig_addr);
        // SAFETY: a field this hook may write.
        unsafe { (*ctx.sock_addr).user_port = u32::from(record.orig_port.to_be()) };
    }
    PROCEED
}
