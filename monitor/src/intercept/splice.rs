//! Connections that are none of ours: bytes both ways, untouched.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

/// Bytes that went each way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// From the client.
    pub up: u64,
    /// To the client.
    pub down: u64,
}

/// Sends `first` and then everything else between the two until both have closed; half-closes are passed on.
///
/// # Errors
/// One of the sockets failed; the other is closed with it.
pub(super) async fn splice(
    first: BytesMut,
    client: &mut TcpStream,
    upstream: &mut TcpStream,
) -> io::Result<Traffic> {
    upstream.write_all(&first).await?;
    let sent = first.len() as u64;
    drop(first);
    let (up, down) = copy_bidirectional(client, upstream).await?;
    Ok(Traffic { up: up + sent, down })
}
