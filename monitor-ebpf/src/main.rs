//! The kernel programs of Weir, one per file.
//!
//! A connection's way through them:
//! 1. `dns` marks the addresses that an answer for a listed name gave, before the workload reads the answer.
//! 2. `connect4`, `connect6` recognise a marked address, write who connects and where to into the socket's own
//!    storage, then point the socket at the agent's listener in the same network namespace.
//! 3. `sock_ops` takes the record from the client's socket to the accepted one, by way of a row keyed by the client's
//!    address and port. It is there by the time the agent's `accept` returns.
//! 4. `getpeername4`, `getpeername6` let the workload see the address it asked for.
//!
//! What cannot be sent to the agent is decided in `bypass`, by the scope of its cgroup: it passes or is refused, and is
//! counted and reported either way. `sendmsg4` and `sendmsg6` bring UDP sockets there that are not connected, and
//! `egress` does the same for packets of what the connect hooks did not see.
//!
//! Beside them `exec`, `fork` and `exit` keep the process table, and `cgroup` tells of new cgroups. Nothing reads a kernel structure's fields, so one
//! object runs on every kernel that has the hooks.

#![cfg_attr(target_arch = "bpf", no_std)]
#![cfg_attr(target_arch = "bpf", no_main)]
#![expect(
    unsafe_code,
    reason = "helpers, contexts and map values are raw pointers the verifier checks"
)]

mod bypass;
mod cgroup;
mod connect4;
mod connect6;
mod count;
mod datagram;
mod dns;
mod egress;
mod events;
mod exec;
mod exit;
mod fork;
mod getpeername4;
mod getpeername6;
mod globals;
mod hello;
mod ip;
mod maps;
mod mark;
mod peer;
mod port;
mod redirect;
mod scope;
mod scratch;
mod sendmsg4;
mod sendmsg6;
mod sock_ops;

/// Several helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier rejects a program that can come here.
    loop {}
}

/// So that the programs can be linted on the host; they cannot run there.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
