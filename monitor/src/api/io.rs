//! Connections that count against a bound, and TCP connections that may not idle.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::MAX_API_CONNECTIONS;

/// How long a TCP connection may send nothing: longer than a scrape interval of a minute, so that Prometheus keeps its
/// connection, and short enough that abandoned ones give their place back.
const MAX_IDLE: Duration = Duration::from_secs(75);
/// Pause after a failed `accept`, which would fail again at once where descriptors ran out.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A stream that holds a place, and fails its reads after a time without any.
pub(super) struct Limited<S> {
    stream: S,
    idle: Option<Idle>,
    _place: OwnedSemaphorePermit,
}

struct Idle {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: S, place: OwnedSemaphorePermit, max_idle: Option<Duration>) -> Self {
        let idle = max_idle.map(|limit| Idle {
            limit,
            timer: Box::pin(tokio::time::sleep(limit)),
        });
        Self {
            stream,
            idle,
            _place: place,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(idle) = &mut self.idle {
            if read.is_ready() {
                idle.timer.as_mut().reset(Instant::now() + idle.limit);
            } else if idle.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A place among `places`, waited for. They are never closed; if they were, no connection would be taken.
pub(super) async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match places.clone().acquire_owned().await {
        Ok(place) => place,
        Err(_closed) => std::future::pending().await,
    }
}

/// A TCP listener with at most [`MAX_API_CONNECTIONS`] connections.
pub(super) struct LimitedTcp {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl LimitedTcp {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(MAX_API_CONNECTIONS)),
        }
    }
}

impl Listener for LimitedTcp {
    type Io = Limited<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = place(&self.places).await;
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => return (Limited::new(stream, place, Some(MAX_IDLE)), address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for metrics and health");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
