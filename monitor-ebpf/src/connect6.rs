//! `connect` on an IPv6 socket, which may ask for an IPv4-mapped address.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::flow::{FLAG_MAPPED, FLAG_V6_SOCKET};
use monitor_common::{NormalAddr, Reason};

use crate::count::count;
use crate::peer;
use crate::redirect::{PROCEED, decide};

/// Sends a connection to an LLM host to the agent's listener: on `::1`, or for a mapped address on
/// `::ffff:127.0.0.1`, because such a socket talks IPv4 and stays mapped.
#[cgroup_sock_addr(connect6)]
pub(crate) fn redirect_v6(ctx: SockAddrContext) -> i32 {
    let address = peer::v6_address(&ctx);
    let (flags, loopback) = if address.is_v4() {
        (FLAG_V6_SOCKET | FLAG_MAPPED, NormalAddr::LOOPBACK_V4)
    } else {
        (FLAG_V6_SOCKET, NormalAddr::LOOPBACK_V6)
    };
    match decide(&ctx, address, flags) {
        Ok(port) => {
            peer::set_v6_address(&ctx, loopback);
            // SAFETY: a field this hook may write.
            unsafe { (*ctx.sock_addr).user_port = port };
            count(Reason::Redirected);
            PROCEED
        }
        Err(returned) => returned,
    }
}
