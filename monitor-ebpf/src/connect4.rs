//! `connect` on an IPv4 socket.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use monitor_common::{NormalAddr, Reason};

use crate::count::count;
use crate::redirect::{PROCEED, decide};

/// Sends a connection to an LLM host to the agent's listener on `127.0.0.1`.
#[cgroup_sock_addr(connect4)]
pub(crate) fn redirect_v4(ctx: SockAddrContext) -> i32 {
    // SAFETY: a field of the context.
    let address = NormalAddr::from_v4(unsafe { (*ctx.sock_addr).user_ip4 });
    match decide(&ctx, address, 0) {
        Ok(port) => {
            // SAFETY: fields this hook may write.
            unsafe {
                (*ctx.sock_addr).user_ip4 = NormalAddr::LOOPBACK_V4.v4_word();
                (*ctx.sock_addr).user_port = port;
            }
            count(Reason::Redirected);
            PROCEED
        }
        Err(returned) => returned,
    }
}
