//! Listening sockets inside a network namespace, one set per worker.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use monitor_common::ListenerPorts;
use socket2::{Domain, Protocol, Socket, Type};

use crate::identity::Netns;

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn` (4,096 by default).
const BACKLOG: i32 = 4_096;

/// The listeners of one namespace: for each worker its share of the port, in a `SO_REUSEPORT` group, so that a
/// connection and its upstream stay on the core that accepted it.
pub struct NamespaceListeners {
    /// The ports that the kernel programs rewrite destinations to.
    pub ports: ListenerPorts,
    /// One set of sockets per worker, non-blocking.
    pub per_worker: Vec<Vec<TcpListener>>,
}

impl NamespaceListeners {
    /// Opens listeners on the loopback addresses of `netns` for `workers` workers.
    ///
    /// # Errors
    /// IPv4 loopback cannot be bound there, most often because `lo` is down. IPv6 is left out where it is disabled.
    pub fn open(netns: &Arc<Netns>, workers: usize) -> io::Result<Self> {
        netns.run(|| {
            let mut per_worker: Vec<Vec<TcpListener>> = Vec::new();
            per_worker.resize_with(workers, Vec::new);
            let v4 = bind_group((Ipv4Addr::LOCALHOST, 0).into(), &mut per_worker)?;
            // A kernel or namespace without IPv6 has no ::1 to bind; its v6 sockets can only reach mapped addresses.
            let v6 = match bind_group((Ipv6Addr::LOCALHOST, 0).into(), &mut per_worker) {
                Ok(port) => port,
                Err(e) if no_ipv6(&e) => 0,
                Err(e) => return Err(e),
            };
            Ok(Self {
                ports: ListenerPorts {
                    v4,
                    v6,
                    ..ListenerPorts::default()
                },
                per_worker,
            })
        })?
    }
}

fn no_ipv6(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

fn bind_group(address: SocketAddr, per_worker: &mut [Vec<TcpListener>]) -> io::Result<u16> {
    let mut address = address;
    for worker in per_worker.iter_mut() {
        let listener = bind(address)?;
        address = listener.local_addr()?;
        worker.push(listener);
    }
    Ok(address.port())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_shares_one_port_per_family() {
        let netns = Arc::new(Netns::of_pid(std::process::id()).unwrap());
        let listeners = NamespaceListeners::open(&netns, 3).unwrap();
        assert_eq!(listeners.per_worker.len(), 3);
        for worker in &listeners.per_worker {
            for listener in worker {
                let address = listener.local_addr().unwrap();
                let expected = if address.is_ipv4() {
                    listeners.ports.v4
                } else {
                    listeners.ports.v6
                };
                assert_eq!(address.port(), expected);
            }
        }
    }
}
