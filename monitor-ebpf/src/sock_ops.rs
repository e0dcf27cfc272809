//! Takes a flow's record from the client's socket to the socket the agent accepts.
//!
//! `TCP_CONNECT_CB` is the first thing `tcp_connect()` does: the source port is chosen and the SYN not yet sent, so the
//! row is there before the other side can know of the connection. `PASSIVE_ESTABLISHED_CB` runs before `accept` can
//! return the socket. The programs run for the cgroup of the socket: the agent must be below the attach point too.

use aya_ebpf::bindings::{
    BPF_SK_STORAGE_GET_F_CREATE, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_STATE_CB,
    BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_TCP_CLOSE,
};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sk_storage_get};
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use monitor_common::{FlowRecord, NormalAddr, Reason, TupleKey};

use crate::count::count;
use crate::maps::{FLOWS, LISTENERS, TUPLES};

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// What a sock_ops program returns; the kernel reads a reply only of callbacks not handled here.
const HANDLED: u32 = 1;

/// Carries the record along.
#[sock_ops]
pub(crate) fn carry_record(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_TCP_CONNECT_CB => connecting(&ctx),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => accepted(&ctx),
        BPF_SOCK_OPS_STATE_CB => state_changed(&ctx),
        _ => {}
    }
    HANDLED
}

/// On the client's socket: from its storage to the row.
#[inline(always)]
fn connecting(ctx: &SockOpsContext) {
    let record = storage(ctx, core::ptr::null(), 0);
    // SAFETY: checked for null; the storage lives as long as the socket.
    let Some(record) = (unsafe { record.as_ref() }) else {
        return;
    };
    // A record of an earlier connection of this socket, now connected elsewhere.
    if remote_port(ctx) != record.listener_port {
        return;
    }
    let Some(key) = key(ctx, End::Client) else { return };
    if TUPLES.insert(key, record, 0).is_err() {
        count(Reason::TupleFull);
        return;
    }
    // A flow that is never accepted gives its row back when the socket closes. Where that cannot be asked for, the row
    // stays until its port is used again.
    let _ = ctx.set_cb_flags((ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
}

/// On the accepted socket: from the row to its storage.
#[inline(always)]
fn accepted(ctx: &SockOpsContext) {
    // SAFETY: the context of this hook.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.ops.cast()) };
    // SAFETY: read at once, before anything else touches the map.
    let Some(listener) = (unsafe { LISTENERS.get(netns_cookie) }) else {
        return;
    };
    let port = ctx.local_port();
    let ours = [
        listener.v4,
        listener.v6,
        listener.draining_v4,
        listener.draining_v6,
    ];
    if !ours.iter().any(|own| port == u32::from(*own)) {
        return;
    }
    let Some(key) = key(ctx, End::Listener) else {
        return;
    };
    let Some(row) = TUPLES.get_ptr(key) else {
        count(Reason::TupleMissing);
        return;
    };
    if storage(ctx, row, BPF_SK_STORAGE_GET_F_CREATE.into()).is_null() {
        count(Reason::AcceptedStorageFailed);
    } else {
        count(Reason::RecordCarried);
    }
    // Only this end removes the row of a connection that came to be.
    let _ = TUPLES.remove(key);
}

/// On the client's socket, when it closes: gives back a row nobody took.
#[inline(always)]
fn state_changed(ctx: &SockOpsContext) {
    if ctx.arg(1) != BPF_TCP_CLOSE {
        return;
    }
    let Some(key) = key(ctx, End::Client) else { return };
    // SAFETY: read at once, before anything else touches the map.
    let Some(row) = (unsafe { TUPLES.get(key) }) else {
        return;
    };
    // SAFETY: the context of this hook.
    if row.socket_cookie == unsafe { bpf_get_socket_cookie(ctx.ops.cast()) } && TUPLES.remove(key).is_ok() {
        count(Reason::FlowAbandoned);
    }
}

/// The socket's own record: what it has, or with the create flag a copy of `initial`. Null when there is none.
#[inline(always)]
fn storage(ctx: &SockOpsContext, initial: *const FlowRecord, flags: u64) -> *mut FlowRecord {
    // SAFETY: a field of the context; null is handled.
    let socket = unsafe { (*ctx.ops).__bindgen_anon_2.sk };
    if socket.is_null() {
        return core::ptr::null_mut();
    }
    // SAFETY: our map, a socket that is not null, a value of the map's type or null.
    unsafe {
        bpf_sk_storage_get(
            (&raw const FLOWS).cast_mut().cast(),
            socket.cast(),
            initial.cast_mut().cast(),
            flags,
        )
    }
    .cast()
}

/// Whose socket the context shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client is the local end.
    Client,
    /// The client is the remote end.
    Listener,
}

/// The client's end of the connection, the same value from both sockets. A socket of the IPv6 family that talks to a
/// mapped address is accepted on an IPv4 socket; the normal form is one.
#[inline(always)]
fn key(ctx: &SockOpsContext, end: End) -> Option<TupleKey> {
    let client_addr = match (ctx.family(), end) {
        (AF_INET, End::Client) => NormalAddr::from_v4(ctx.local_ip4()),
        (AF_INET, End::Listener) => NormalAddr::from_v4(ctx.remote_ip4()),
        // SAFETY: fields of the context, one volatile read a word, as the verifier wants them.
        (AF_INET6, End::Client) => unsafe { v6(&raw const (*ctx.ops).local_ip6) },
        // SAFETY: as above.
        (AF_INET6, End::Listener) => unsafe { v6(&raw const (*ctx.ops).remote_ip6) },
        _ => return None,
    };
    let client_port = match end {
        End::Client => ctx.local_port(),
        End::Listener => u32::from(remote_port(ctx)),
    };
    // SAFETY: the context of this hook.
    let netns_cookie = unsafe { bpf_get_netns_cookie(ctx.ops.cast()) };
    Some(TupleKey {
        netns_cookie,
        client_addr,
        client_port,
        reserved: 0,
    })
}

/// # Safety
///
/// `words` points to an address in the context.
#[inline(always)]
unsafe fn v6(words: *const [u32; 4]) -> NormalAddr {
    // SAFETY: the caller's promise; one word each.
    unsafe {
        NormalAddr::from_v6([
            core::ptr::read_volatile(&raw const (*words)[0]),
            core::ptr::read_volatile(&raw const (*words)[1]),
            core::ptr::read_volatile(&raw const (*words)[2]),
            core::ptr::read_volatile(&raw const (*words)[3]),
        ])
    }
}

/// The context has it in network byte order over the whole word, and `local_port` in host byte order.
#[inline(always)]
fn remote_port(ctx: &SockOpsContext) -> u16 {
    u32::from_be(ctx.remote_port()) as u16
}
