//! Addresses in the context of a socket-address hook, and the original destination of a redirected socket.

use aya_ebpf::programs::SockAddrContext;
use monitor_common::{FlowRecord, NormalAddr};

use crate::maps::FLOWS;

/// The context's IPv6 address. One volatile read a word: the verifier rejects a wider or a computed access.
#[inline(always)]
pub(crate) fn v6_address(ctx: &SockAddrContext) -> NormalAddr {
    // SAFETY: fields of the context, one word each.
    unsafe {
        let words = &raw const (*ctx.sock_addr).user_ip6;
        NormalAddr::from_v6([
            core::ptr::read_volatile(&raw const (*words)[0]),
            core::ptr::read_volatile(&raw const (*words)[1]),
            core::ptr::read_volatile(&raw const (*words)[2]),
            core::ptr::read_volatile(&raw const (*words)[3]),
        ])
    }
}

/// Writes the context's IPv6 address, one word at a time.
#[inline(always)]
pub(crate) fn set_v6_address(ctx: &SockAddrContext, address: NormalAddr) {
    let [first, second, third, fourth] = address.words();
    // SAFETY: fields this hook may write, one word each.
    unsafe {
        let words = &raw mut (*ctx.sock_addr).user_ip6;
        core::ptr::write_volatile(&raw mut (*words)[0], first);
        core::ptr::write_volatile(&raw mut (*words)[1], second);
        core::ptr::write_volatile(&raw mut (*words)[2], third);
        core::ptr::write_volatile(&raw mut (*words)[3], fourth);
    }
}

/// The record of a socket whose peer, as the context has it, is the listener it was redirected to. A socket that was
/// connected again elsewhere, and the agent's accepted socket, keep their true peer.
#[inline(always)]
pub(crate) fn redirected<'a>(ctx: &SockAddrContext) -> Option<&'a FlowRecord> {
    // SAFETY: the map's own helper on this context's socket; the storage lives as long as the socket, which outlives
    // the program.
    let record = unsafe { FLOWS.get_ptr_mut(ctx).as_ref() }?;
    // SAFETY: a field of the context, the whole word.
    let port = unsafe { core::ptr::read_volatile(&raw const (*ctx.sock_addr).user_port) };
    (port == u32::from(record.listener_port.to_be())).then_some(record)
}
