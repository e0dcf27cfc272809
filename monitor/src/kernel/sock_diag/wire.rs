//! Requests and replies as `linux/netlink.h`, `linux/sock_diag.h` and `linux/inet_diag.h` lay them out: native byte order
//! but for addresses and ports, which are in network byte order.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{SockDiagError, Transport};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
/// `INET_DIAG_CGROUP_ID`, since Linux 5.9.
const CGROUP_ID: u16 = 21;
/// `INET_DIAG_NOCOOKIE`: any cookie.
const ANY_COOKIE: u64 = u64::MAX;

/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// `struct inet_diag_req_v2`.
const REQUEST_BYTES: usize = HEADER_BYTES + 8 + SOCKET_ID_BYTES;
/// `struct inet_diag_sockid`.
const SOCKET_ID_BYTES: usize = 48;
/// `struct inet_diag_msg`.
const MESSAGE_BYTES: usize = 4 + SOCKET_ID_BYTES + 20;

/// `include/net/tcp_states.h`: established (1), SYN sent (2), both FIN waits (4, 5), close wait (8). UDP sockets with a
/// remote address are "established".
const CONNECTED_STATES: u32 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8;

/// A socket as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagSocket {
    /// Its protocol.
    pub transport: Transport,
    /// The state by its number in `include/net/tcp_states.h`: 1 is established.
    pub state: u8,
    /// Its own end, IPv4 where both ends are, whatever the socket's family.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The inode that `/proc/PID/fd` shows for it; 0 for one that no process has open.
    pub inode: u32,
    /// The user that made it, in the user namespace of the agent.
    pub uid: u32,
    /// The cgroup2 id of the process that made it; `None` before Linux 5.9.
    pub cgroup_id: Option<u64>,
    /// The cookie, unique on the machine until it is started again.
    pub cookie: u64,
    /// `AF_INET` or `AF_INET6`: what a request for this socket must name.
    family: u8,
    /// The socket's id as the kernel gave it, to name the socket to it again.
    id: [u8; SOCKET_ID_BYTES],
}

/// One message of the kernel's answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// A socket.
    Socket(Box<DiagSocket>),
    /// The end of a dump, or an acknowledgement.
    Done,
    /// The request was refused.
    Error(io::Error),
    /// An answer to another request.
    Other,
}

/// A request for all connected sockets of a family.
pub(super) fn dump(family: i32, transport: Transport, sequence: u32) -> [u8; REQUEST_BYTES] {
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let id = [0; SOCKET_ID_BYTES];
    request(
        SOCK_DIAG_BY_FAMILY,
        flags,
        sequence,
        family as u8,
        transport,
        CONNECTED_STATES,
        &id,
    )
}

/// A request for the socket with these ends.
pub(super) fn find(
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
    sequence: u32,
) -> [u8; REQUEST_BYTES] {
    let family = if local.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let mut id = [0; SOCKET_ID_BYTES];
    put(&mut id, 0, &local.port().to_be_bytes());
    put(&mut id, 2, &remote.port().to_be_bytes());
    put_address(&mut id, 4, local.ip());
    put_address(&mut id, 20, remote.ip());
    put(&mut id, 40, &ANY_COOKIE.to_ne_bytes());
    request(
        SOCK_DIAG_BY_FAMILY,
        NLM_F_REQUEST,
        sequence,
        family as u8,
        transport,
        u32::MAX,
        &id,
    )
}

/// A request to destroy a socket, answered by an acknowledgement.
pub(super) fn destroy(socket: &DiagSocket, sequence: u32) -> [u8; REQUEST_BYTES] {
    let flags = NLM_F_REQUEST | NLM_F_ACK;
    request(
        SOCK_DESTROY,
        flags,
        sequence,
        socket.family,
        socket.transport,
        u32::MAX,
        &socket.id,
    )
}

fn request(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    transport: Transport,
    states: u32,
    id: &[u8; SOCKET_ID_BYTES],
) -> [u8; REQUEST_BYTES] {
    let protocol = match transport {
        Transport::Tcp => libc::IPPROTO_TCP as u8,
        Transport::Udp => libc::IPPROTO_UDP as u8,
    };
    let mut bytes = [0; REQUEST_BYTES];
    put(&mut bytes, 0, &(REQUEST_BYTES as u32).to_ne_bytes());
    put(&mut bytes, 4, &kind.to_ne_bytes());
    put(&mut bytes, 6, &flags.to_ne_bytes());
    put(&mut bytes, 8, &sequence.to_ne_bytes());
    put(&mut bytes, HEADER_BYTES, &[family, protocol]);
    put(&mut bytes, HEADER_BYTES + 4, &states.to_ne_bytes());
    put(&mut bytes, HEADER_BYTES + 8, id);
    bytes
}

/// The first message of `bytes` and what follows it; `None` at the end.
pub(super) fn next(
    bytes: &[u8],
    transport: Transport,
    sequence: u32,
) -> Result<Option<(Reply, &[u8])>, SockDiagError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    parse(bytes, transport, sequence)
        .map(Some)
        .ok_or(SockDiagError::Malformed)
}

fn parse(bytes: &[u8], transport: Transport, sequence: u32) -> Option<(Reply, &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER_BYTES..length)?;
    let rest = bytes.get(aligned(length)..).unwrap_or_default();
    if u32_at(bytes, 8)? != sequence {
        return Some((Reply::Other, rest));
    }
    let reply = match u16_at(bytes, 4)? {
        // A dump's end carries an error, too.
        NLMSG_DONE | NLMSG_ERROR => match u32_at(body, 0)?.cast_signed() {
            0 => Reply::Done,
            negated => Reply::Error(io::Error::from_raw_os_error(negated.saturating_neg())),
        },
        SOCK_DIAG_BY_FAMILY => Reply::Socket(Box::new(socket(body, transport)?)),
        _ => Reply::Other,
    };
    Some((reply, rest))
}

/// A `struct inet_diag_msg` and the attributes behind it. The message does not name its protocol; the request did.
fn socket(body: &[u8], transport: Transport) -> Option<DiagSocket> {
    let (family, state) = (*body.first()?, *body.get(1)?);
    let id: [u8; SOCKET_ID_BYTES] = body.get(4..4 + SOCKET_ID_BYTES)?.try_into().ok()?;
    let attributes = body.get(MESSAGE_BYTES..)?;
    Some(DiagSocket {
        transport,
        state,
        local: SocketAddr::new(address(&id, 4, family)?, port(&id, 0)?),
        remote: SocketAddr::new(address(&id, 20, family)?, port(&id, 2)?),
        uid: u32_at(body, 64)?,
        inode: u32_at(body, 68)?,
        cgroup_id: attribute(attributes, CGROUP_ID),
        cookie: u64::from_ne_bytes(id.get(40..48)?.try_into().ok()?),
        family,
        id,
    })
}

/// The 64-bit value of an attribute.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<u64> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if u16_at(attributes, 2)? == wanted {
            return Some(u64::from_ne_bytes(value.try_into().ok()?));
        }
        attributes = attributes.get(aligned(length)..)?;
    }
}

fn address(id: &[u8], at: usize, family: u8) -> Option<IpAddr> {
    let bytes: [u8; 16] = id.get(at..at + 16)?.try_into().ok()?;
    if i32::from(family) == libc::AF_INET {
        let [a, b, c, d, ..] = bytes;
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    } else {
        Some(Ipv6Addr::from(bytes).to_canonical())
    }
}

fn port(id: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(id.get(at..at + 2)?.try_into().ok()?))
}

fn put_address(id: &mut [u8], at: usize, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => put(id, at, &v4.octets()),
        IpAddr::V6(v6) => put(id, at, &v6.octets()),
    }
}

fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in into.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

/// Netlink aligns messages and attributes to four bytes.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
