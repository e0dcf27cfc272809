//! `getpeername` on an IPv4 socket.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::NormalAddr;

use crate::peer;
use crate::redirect::PROCEED;

/// Shows the workload the address and port it asked for.
#[cgroup_sock_addr(getpeername4)]
pub(crate) fn original_peer_v4(ctx: SockAddrContext) -> i32 {
    let Some(record) = peer::redirected(&ctx) else {
        return PROCEED;
    };
    // SAFETY: fields this hook may read and write.
    unsafe {
        if (*ctx.sock_addr).user_ip4 == NormalAddr::LOOPBACK_V4.v4_word() {
            (*ctx.sock_addr).user_ip4 = record.orig_addr.v4_word();
            (*ctx.sock_addr).user_port = u32::from(record.orig_port.to_be());
        }
    }
    PROCEED
}
