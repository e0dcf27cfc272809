//! Connections that are none of ours: bytes both ways, untouched, at the least cost.
//!
//! 1. The bytes that were read to find out what the connection is go first.
//! 2. Each direction reads into a buffer that the thread's connections share, and writes from it at once: little data, as
//!    of a request, costs no more than that, and an idle connection holds neither buffer nor pipe.
//! 3. A direction that fills the buffer goes on with splice(2) through a pipe from the thread's pool, so that bulk data is
//!    not copied, and gives the pipe back when nothing is on its way any more.
//! 4. The end of one direction is passed on; the other one goes on.

mod direction;
mod pipe;

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use direction::Direction;

/// How long one direction may be silent after the other has ended. The client may have closed for good, which looks the
/// same from here, and a server that says nothing more would keep the connection for ever.
const HALF_CLOSED_LIMIT: Duration = Duration::from_secs(600);

/// Bytes that went each way, as far as they have been written.
#[derive(Debug, Default)]
pub(super) struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

impl Carried {
    /// Bytes from the client.
    pub(super) fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes to the client.
    pub(super) fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }
}

/// Sends `first` and then everything else between the two until both have closed; half-closes are passed on.
///
/// # Errors
/// One of the sockets failed; the other is reset with it, as a direct connection would be. `carried` is right even then.
pub(super) async fn splice(
    first: BytesMut,
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    carried: &Carried,
) -> io::Result<()> {
    let ended = both_ways(first, client, upstream, carried).await;
    if ended.is_err() {
        // One of them is gone already.
        let _gone = (client.set_zero_linger(), upstream.set_zero_linger());
    }
    ended
}

async fn both_ways(
    first: BytesMut,
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    carried: &Carried,
) -> io::Result<()> {
    upstream.write_all(&first).await?;
    carried.up.fetch_add(first.len() as u64, Ordering::Relaxed);
    drop(first);
    let (client, upstream) = (&*client, &*upstream);
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut poll = |cx: &mut std::task::Context<'_>| -> (Poll<io::Result<()>>, Poll<io::Result<()>>) {
        (
            up.poll(cx, client, upstream, &carried.up),
            down.poll(cx, upstream, client, &carried.down),
        )
    };
    poll_fn(|cx| match poll(cx) {
        (Poll::Ready(Err(e)), _) | (_, Poll::Ready(Err(e))) => Poll::Ready(Err(e)),
        (Poll::Pending, Poll::Pending) => Poll::Pending,
        (Poll::Ready(Ok(())), _) | (_, Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
    })
    .await?;
    loop {
        let before = carried.up() + carried.down();
        let rest = poll_fn(|cx| match poll(cx) {
            (Poll::Ready(Err(e)), _) | (_, Poll::Ready(Err(e))) => Poll::Ready(Err(e)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        });
        match timeout(HALF_CLOSED_LIMIT, rest).await {
            Ok(ended) => return ended,
            Err(_) if carried.up() + carried.down() == before => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
