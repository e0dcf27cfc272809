//! Opens many connections from many threads as fast as it can, and prints where each one came from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// What to open.
#[derive(Debug, clap::Args)]
pub(crate) struct Connects {
    /// Name and port to connect to; each address the name has is used in turn.
    #[arg(long)]
    pub(crate) target: String,
    /// Connections in all.
    #[arg(long)]
    pub(crate) count: usize,
    /// Threads that open them.
    #[arg(long)]
    pub(crate) threads: usize,
}

/// One connection as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// The client's own end.
    pub(crate) local: SocketAddr,
    /// The other end by the client's `getpeername`.
    pub(crate) peer: SocketAddr,
}

impl Connects {
    /// Opens them all and prints a JSON array of [`Opened`].
    pub(crate) fn run(self) -> Result<()> {
        let mut targets: Vec<SocketAddr> = self.target.to_socket_addrs().context("resolving")?.collect();
        targets.sort_unstable();
        targets.dedup();
        ensure!(!targets.is_empty(), "{} has no address", self.target);
        // A v6 socket connecting to a mapped v4 address takes another way through the kernel than either.
        let mapped = targets.iter().find_map(|target| match target.ip() {
            IpAddr::V4(v4) => Some(SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), target.port())),
            IpAddr::V6(_) => None,
        });
        targets.extend(mapped);
        let share = self.count / self.threads;
        let targets = &targets;
        let opened: Vec<Opened> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|thread| scope.spawn(move || open(targets, thread, share)))
                .collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
            }
            anyhow::Ok(all)
        })?;
        crate::screen::line(&serde_json::to_string(&opened)?);
        Ok(())
    }
}

fn open(targets: &[SocketAddr], thread: usize, count: usize) -> Result<Vec<Opened>> {
    let mut opened = Vec::with_capacity(count);
    for target in targets.iter().cycle().skip(thread).take(count) {
        let stream = TcpStream::connect_timeout(target, CONNECT_WITHIN)
            .with_context(|| format!("connecting to {target}"))?;
        opened.push(Opened {
            local: stream.local_addr()?,
            peer: stream.peer_addr()?,
        });
    }
    Ok(opened)
}

/// An address with mapped IPv4 written as IPv4, so that two views of one socket compare equal.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V6(v6) => Ipv6Addr::to_canonical(&v6),
        v4 @ IpAddr::V4(_) => v4,
    };
    SocketAddr::new(ip, address.port())
}
