//! The sockets of a network namespace, by netlink (sock_diag(7)): listed, found by their ends, destroyed.
//!
//! A netlink socket belongs to the namespace it was opened in, so [`SockDiag::open`] is called inside
//! [`Netns::run`](crate::identity::Netns::run) and everything after it from anywhere.

mod wire;

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

pub use self::wire::DiagSocket;
use self::wire::Reply;

/// `linux/netlink.h`.
const NETLINK_SOCK_DIAG: i32 = 4;
/// The kernel answers a dump in messages of up to 32 KiB; one that does not fit would be cut.
const RECEIVE_BYTES: usize = 32 << 10;
/// The kernel answers within the call; a reply that is lost must not hold up the agent for ever.
const REPLY_WITHIN: Duration = Duration::from_secs(2);

/// A transport protocol whose sockets can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP; the subflows of MPTCP connections are among them.
    Tcp,
    /// UDP.
    Udp,
}

/// Why the kernel did not tell of its sockets.
#[derive(Debug, thiserror::Error)]
pub enum SockDiagError {
    /// The netlink socket failed, or there is none.
    #[error(
        "netlink sock_diag: {0}; the kernel needs CONFIG_INET_DIAG (and for UDP CONFIG_INET_UDP_DIAG), built in or as a module"
    )]
    Socket(#[from] io::Error),
    /// The kernel refused the request.
    #[error("netlink sock_diag: {action}: {source}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel cannot destroy sockets.
    #[error("the kernel cannot destroy sockets: it was built without CONFIG_INET_DIAG_DESTROY")]
    NoDestroy,
    /// A reply is not as `linux/inet_diag.h` describes it.
    #[error("netlink sock_diag: a reply cannot be read; this kernel's inet_diag is not the one known here")]
    Malformed,
}

/// A netlink socket for the sockets of one network namespace. About 10 µs to open.
#[derive(Debug)]
pub struct SockDiag {
    socket: Socket,
    buffer: Box<[u8]>,
    sequence: u32,
}

impl SockDiag {
    /// For the namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel has no `NETLINK_SOCK_DIAG`.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::RAW,
            Some(NETLINK_SOCK_DIAG.into()),
        )?;
        socket.set_read_timeout(Some(REPLY_WITHIN))?;
        Ok(Self {
            socket,
            buffer: vec![0; RECEIVE_BYTES].into_boxed_slice(),
            sequence: 0,
        })
    }

    /// The connected sockets of both address families that `keep` wants, in no order: TCP connections from their first
    /// packet until both sides have closed, UDP sockets with a remote address. About a microsecond for each socket.
    ///
    /// # Errors
    /// The kernel refuses, or its answer cannot be read.
    pub fn connected(
        &mut self,
        transport: Transport,
        mut keep: impl FnMut(&DiagSocket) -> bool,
    ) -> Result<Vec<DiagSocket>, SockDiagError> {
        let mut kept = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let sequence = self.next_sequence();
            self.send(&wire::dump(family, transport, sequence))?;
            self.replies("list the sockets", transport, sequence, true, |socket| {
                if keep(&socket) {
                    kept.push(socket);
                }
            })?;
        }
        Ok(kept)
    }

    /// The socket with these two ends; `None` when there is none. An IPv4 address finds sockets of either family.
    ///
    /// # Errors
    /// The kernel refuses, or its answer cannot be read.
    pub fn find(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Option<DiagSocket>, SockDiagError> {
        let (local, remote) = (canonical(local), canonical(remote));
        let sequence = self.next_sequence();
        self.send(&wire::find(transport, local, remote, sequence))?;
        let mut found = None;
        let outcome = self.replies("find a socket", transport, sequence, false, |socket| {
            found = Some(socket)
        });
        match outcome {
            Ok(()) => {}
            Err(SockDiagError::Refused { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        // Where no connection has these ends, the kernel answers with a listener on the local one.
        Ok(found.filter(|socket| socket.local == local && socket.remote == remote))
    }

    /// Destroys a socket that [`connected`](Self::connected) or [`find`](Self::find) gave: its process's calls fail with
    /// `ECONNABORTED`, and a TCP peer gets a reset. False when it is gone already. Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// The kernel cannot destroy sockets, or refuses.
    pub fn destroy(&mut self, socket: &DiagSocket) -> Result<bool, SockDiagError> {
        let sequence = self.next_sequence();
        self.send(&wire::destroy(socket, sequence))?;
        match self.replies("destroy a socket", socket.transport, sequence, false, |_| {}) {
            Ok(()) => Ok(true),
            Err(SockDiagError::Refused { source, .. })
                if matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ESTALE)) =>
            {
                Ok(false)
            }
            Err(SockDiagError::Refused { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EOPNOTSUPP)) =>
            {
                Err(SockDiagError::NoDestroy)
            }
            Err(error) => Err(error),
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&self, request: &[u8]) -> Result<(), SockDiagError> {
        // A netlink datagram is sent whole or not at all.
        self.socket.send(request)?;
        Ok(())
    }

    /// Reads until the kernel has said all: of a dump until it is done, else one answer or acknowledgement. Replies to
    /// an earlier request that was given up are passed over.
    fn replies(
        &mut self,
        action: &'static str,
        transport: Transport,
        sequence: u32,
        dump: bool,
        mut each: impl FnMut(DiagSocket),
    ) -> Result<(), SockDiagError> {
        loop {
            let bytes = (&self.socket).read(&mut self.buffer)?;
            let mut messages = self.buffer.get(..bytes).unwrap_or_default();
            while let Some((reply, rest)) = wire::next(messages, transport, sequence)? {
                messages = rest;
                match reply {
                    Reply::Socket(socket) => {
                        each(*socket);
                        if !dump {
                            return Ok(());
                        }
                    }
                    Reply::Done => return Ok(()),
                    Reply::Error(source) => return Err(SockDiagError::Refused { action, source }),
                    Reply::Other => {}
                }
            }
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
