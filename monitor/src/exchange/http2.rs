//! HTTP/2 exchanges of one intercepted connection: one upstream connection, one task per stream.
//!
//! Bodies pass as they came. Heads are carried by their fields: HPACK (RFC 7541) compresses them against the state of each
//! connection, so their bytes on the wire cannot be the same on both sides.

mod body;
mod stream;
mod websocket;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, client, server};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Origin;

/// Streams that a client may have open at once; providers announce 100 to 250.
const MAX_STREAMS: u32 = 256;
/// Streams to an upstream that has not said how many it takes.
const NO_STREAMS_YET: usize = 0;
/// Bytes of a stream in flight before they are taken: prompts of long conversations in one round trip.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of all streams of a connection in flight.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of a head's fields, as for HTTP/1.1.
const HEAD_LIMIT_BYTES: u32 = 64 * 1024;
/// Bytes that one stream may have waiting to be written.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// How long both sides may take over their first frames.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(20);

/// Relays the exchanges of one connection until either side ends it.
///
/// # Errors
/// A side failed. The exchanges are on record either way.
pub async fn serve<C, U>(origin: Arc<Origin>, client: C, upstream: U) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (to_upstream, mut upstream) = within(upstream_side().handshake::<_, Bytes>(upstream)).await?;
    within(settings(&mut upstream)).await?;
    let mut builder = client_side();
    if to_upstream.is_extended_connect_protocol_enabled() {
        // A client takes its first settings for the last word on it (RFC 8441, section 3).
        builder.enable_connect_protocol();
    }
    let mut client = within(builder.handshake::<_, Bytes>(client)).await?;
    let mut tasks = JoinSet::new();
    let mut upstream = tokio::spawn(upstream);
    let mut ending = false;
    loop {
        tokio::select! {
            accepted = client.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tasks.spawn(stream::exchange(origin.clone(), to_upstream.clone(), request, respond));
                }
                // A stream's error ends the connection only if the connection itself has failed, which is `None` next.
                Some(Err(error)) if error.is_io() => return Err(into_io(error)),
                Some(Err(_)) => {}
                None => break,
            },
            // The streams under way are told by their own upstream halves; no new one can begin.
            _ended = &mut upstream, if !ending => {
                ending = true;
                client.graceful_shutdown();
            }
            // Finished tasks are taken out, so that a long connection does not collect them.
            Some(_finished) = tasks.join_next() => {}
        }
    }
    // The client has gone: exchanges that are under way end with it and put themselves on record.
    tasks.shutdown().await;
    drop(to_upstream);
    if !ending && timeout(PREFACE_TIMEOUT, &mut upstream).await.is_err() {
        upstream.abort();
    }
    Ok(())
}

/// Waits for the upstream's first settings, which it sends before anything else (RFC 9113, section 3.4): what it can do is
/// what the client is told that we can do.
async fn settings<U>(upstream: &mut client::Connection<U>) -> Result<(), h2::Error>
where
    U: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| match Pin::new(&mut *upstream).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending if upstream.max_concurrent_send_streams() != NO_STREAMS_YET => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn client_side() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEAD_LIMIT_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    builder
}

fn upstream_side() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(NO_STREAMS_YET)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEAD_LIMIT_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    builder
}

async fn within<T>(handshake: impl Future<Output = Result<T, h2::Error>>) -> io::Result<T> {
    match timeout(PREFACE_TIMEOUT, handshake).await {
        Ok(done) => done.map_err(into_io),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn into_io(error: h2::Error) -> io::Error {
    if error.is_io() {
        error.into_io().unwrap_or_else(|| io::ErrorKind::Other.into())
    } else {
        io::Error::other(error)
    }
}

/// The reason to give one side for what the other side did.
fn reason_of(error: &h2::Error) -> Reason {
    error.reason().unwrap_or(Reason::INTERNAL_ERROR)
}

#[cfg(test)]
mod tests;
