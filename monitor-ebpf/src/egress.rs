//! Packets that leave: what was on its way before the connect hooks could see it, or goes to an address they do not know.
//!
//! 1. The port decides about nearly all: one load and one array read.
//! 2. UDP to an LLM host is of a connected socket: dropped, so that the client comes by TCP. Where the connect hook has
//!    not seen the socket, it was connected before its address was marked, or before the agent.
//! 3. TCP that begins with a ClientHello for a listed name went past the agent: a literal address, a hosts file, DNS
//!    that `dns` cannot read. It passes or is dropped as the scope says, and the address is marked: the next
//!    connection is redirected.
//!
//! A connection that the connect hooks let pass is noted on its socket and not looked at again. Names are read from
//! the first packet alone: a client that cuts its ClientHello is counted where it can be told, and needs `ALL_TLS`.

use aya_ebpf::bindings::BPF_SK_STORAGE_GET_F_CREATE;
use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_sk_storage_get, bpf_skb_cgroup_id};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use monitor_common::dns::TTL_FLOOR_S;
use monitor_common::event::{BypassEvent, KIND_BYPASS};
use monitor_common::{AgentRow, Bypass, COMM_BYTES, NormalAddr, Reason, Scope};

use crate::bypass::{AGENTS_OWN, LET_PASS, NOTHING_SENT, Passed, due};
use crate::count::count;
use crate::events::send;
use crate::hello;
use crate::ip::{ETH_P_IP, ETH_P_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES};
use crate::maps::{ADDRESSES, PASSED};
use crate::mark;
use crate::port::intercepted;
use crate::scope;

const ACCEPT: i32 = 1;
const DROP: i32 = 0;

/// Source and destination port: the first bytes of both TCP and UDP.
const PORTS_BYTES: usize = 4;
/// Of the data offset in a TCP header (RFC 9293 section 3.1).
const DATA_OFFSET_AT: u32 = 12;

/// A TCP or UDP packet to an intercepted port.
struct Packet {
    address: NormalAddr,
    /// Host byte order.
    port: u16,
    protocol: u8,
    /// Where the TCP or UDP header is.
    transport_at: u32,
}

/// Drops or reports what went past the connect hooks.
#[cgroup_skb(egress)]
pub(crate) fn watch_egress(ctx: SkBuffContext) -> i32 {
    let Some(packet) = of_interest(&ctx) else {
        return ACCEPT;
    };
    match packet.protocol {
        IPPROTO_UDP => datagram(&ctx, &packet),
        _ => segment(&ctx, &packet),
    }
}

#[inline(always)]
fn of_interest(ctx: &SkBuffContext) -> Option<Packet> {
    // SAFETY: a field of the context; network byte order in a word.
    let family = u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16);
    if family == ETH_P_IP {
        let head: [u8; IPV4_HEADER_BYTES as usize + PORTS_BYTES] = ctx.load(0).ok()?;
        let protocol = head[9];
        if protocol != IPPROTO_TCP && protocol != IPPROTO_UDP {
            return None;
        }
        let header_bytes = u32::from(head[0] & 0x0f) * 4;
        let port = if header_bytes == IPV4_HEADER_BYTES {
            u16::from_be_bytes([head[22], head[23]])
        } else {
            u16::from_be_bytes(ctx.load(header_bytes as usize + 2).ok()?)
        };
        let is_first = head[6] & 0x1f == 0 && head[7] == 0;
        (is_first && intercepted(port)).then(|| Packet {
            address: NormalAddr::from_v4(word(&head, 16)),
            port,
            protocol,
            transport_at: header_bytes,
        })
    } else if family == ETH_P_IPV6 {
        let head: [u8; IPV6_HEADER_BYTES as usize + PORTS_BYTES] = ctx.load(0).ok()?;
        let protocol = head[6];
        if protocol != IPPROTO_TCP && protocol != IPPROTO_UDP {
            return None;
        }
        let port = u16::from_be_bytes([head[42], head[43]]);
        intercepted(port).then(|| Packet {
            address: NormalAddr::from_v6([
                word(&head, 24),
                word(&head, 28),
                word(&head, 32),
                word(&head, 36),
            ]),
            port,
            protocol,
            transport_at: IPV6_HEADER_BYTES,
        })
    } else {
        None
    }
}

/// Four bytes as they lie in the packet.
#[inline(always)]
fn word(head: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

#[inline(always)]
fn datagram(ctx: &SkBuffContext, packet: &Packet) -> i32 {
    let Some(agent) = scope::agent() else {
        return ACCEPT;
    };
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: read at once, before anything else touches the map.
    let is_marked = unsafe { ADDRESSES.get(packet.address) }.is_some_and(|expires_ns| now_ns < *expires_ns);
    if !is_marked && (!agent.any_scope.has(Scope::ALL_TLS) || packet.address.is_own_host()) {
        return ACCEPT;
    }
    let scope = scope::of_packet(ctx, agent);
    if !is_marked && !scope.has(Scope::ALL_TLS) {
        return ACCEPT;
    }
    let noted = noted(ctx, packet).map(|passed| passed.how);
    if noted == Some(AGENTS_OWN) || (noted != Some(NOTHING_SENT) && !is_watched(agent, scope, now_ns)) {
        return ACCEPT;
    }
    let bypass = if noted.is_none() {
        Bypass::OlderQuic
    } else if agent.is_alive(now_ns) || scope.has(Scope::PASS_QUIC) {
        // Not older, also when it was let pass and the scope has changed since.
        Bypass::Quic
    } else {
        // As for a datagram of a socket that is not connected.
        Bypass::AgentDown
    };
    if !bypass.is_refused(scope) {
        if noted == Some(LET_PASS) {
            return ACCEPT;
        }
        note(ctx, packet);
    }
    settle(ctx, packet, bypass, scope, now_ns)
}

#[inline(always)]
fn segment(ctx: &SkBuffContext, packet: &Packet) -> i32 {
    let Ok(data_offset) = ctx.load::<u8>((packet.transport_at + DATA_OFFSET_AT) as usize) else {
        return ACCEPT;
    };
    let payload_at = packet.transport_at + u32::from(data_offset >> 4) * 4;
    let bytes = ctx.len().saturating_sub(payload_at);
    if bytes < hello::START_BYTES as u32 {
        return ACCEPT;
    }
    match ctx.load(payload_at as usize) {
        Ok(start) if hello::begins(start) => {}
        _ => return ACCEPT,
    }
    let Some(agent) = scope::agent() else {
        return ACCEPT;
    };
    if noted(ctx, packet).is_some() {
        return ACCEPT;
    }
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    let scope = scope::of_packet(ctx, agent);
    if !is_watched(agent, scope, now_ns) {
        return ACCEPT;
    }
    match hello::listed(ctx, payload_at, bytes) {
        Some(true) => {}
        Some(false) => return ACCEPT,
        None => {
            count(Reason::HelloUnread);
            return ACCEPT;
        }
    }
    mark::insert(packet.address, now_ns + u64::from(TTL_FLOOR_S) * mark::NS_PER_S);
    settle(ctx, packet, Bypass::UnmarkedAddress, scope, now_ns)
}

/// Without an agent, only what must not pass without one is of interest.
#[inline(always)]
fn is_watched(agent: &AgentRow, scope: Scope, now_ns: u64) -> bool {
    agent.is_alive(now_ns) || scope.has(Scope::CLOSED)
}

/// What the connect hooks noted of the packet's own destination on its socket.
#[inline(always)]
fn noted<'a>(ctx: &SkBuffContext, packet: &Packet) -> Option<&'a Passed> {
    // SAFETY: storage of our own type or null; it lives as long as the socket, which outlives the program.
    let passed = unsafe { storage(ctx, 0).as_ref() }?;
    (passed.port == packet.port && passed.address == packet.address).then_some(passed)
}

/// Notes that this destination is accounted for.
#[inline(always)]
fn note(ctx: &SkBuffContext, packet: &Packet) {
    // SAFETY: storage of our own type or null.
    if let Some(passed) = unsafe { storage(ctx, BPF_SK_STORAGE_GET_F_CREATE.into()).as_mut() } {
        *passed = Passed {
            address: packet.address,
            port: packet.port,
            how: LET_PASS,
        };
    }
}

#[inline(always)]
fn storage(ctx: &SkBuffContext, flags: u64) -> *mut Passed {
    // SAFETY: a field of the context; null is handled.
    let socket = unsafe { (*ctx.skb.skb).__bindgen_anon_2.sk };
    if socket.is_null() {
        return core::ptr::null_mut();
    }
    // SAFETY: our map and a socket that is not null.
    unsafe {
        bpf_sk_storage_get(
            (&raw const PASSED).cast_mut().cast(),
            socket.cast(),
            core::ptr::null_mut(),
            flags,
        )
    }
    .cast()
}

/// Lets the packet pass or drops it, as the scope says; counted and reported. No process is known here.
#[inline(always)]
fn settle(ctx: &SkBuffContext, packet: &Packet, bypass: Bypass, scope: Scope, now_ns: u64) -> i32 {
    let refused = bypass.is_refused(scope);
    count(bypass.counter(refused));
    // SAFETY: the context of this hook.
    let cgroup_id = unsafe { bpf_skb_cgroup_id(ctx.skb.skb) };
    if let Some(unreported) = due(bypass, cgroup_id, 0, now_ns) {
        send(&BypassEvent {
            kind: KIND_BYPASS,
            reason: bypass as u32,
            tgid: 0,
            uid: u32::MAX,
            cgroup_id,
            netns_cookie: 0,
            boottime_ns: now_ns,
            destination: packet.address,
            port: packet.port,
            denied: u8::from(refused),
            protocol: packet.protocol,
            unreported,
            comm: [0; COMM_BYTES],
        });
    }
    if refused { DROP } else { ACCEPT }
}
