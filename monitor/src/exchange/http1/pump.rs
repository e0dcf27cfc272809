//! Moves the bytes of a [`Relay`] between its two sides: one task, no locks, back-pressure by not reading.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::relay::{Admission, Relay};
use crate::exchange::{Inspected, Origin};

/// How long the last bytes and the close of a connection may take; a side that does not read them is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an upstream may stay silent after the client has closed its side. A client that only half-closes is waiting for
/// an answer that is on its way; one that is gone for good looks the same, and must not hold two sockets for ever.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a client that was told the end may go on sending, so that a reset does not overtake what it was told.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Relays the exchanges of one connection until either side ends it.
///
/// # Errors
/// A side failed. The exchanges are on record either way.
pub async fn serve<C, U>(origin: Arc<Origin>, client: C, upstream: U) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut pump = Pump {
        client,
        upstream,
        relay: Relay::new(origin),
        job: None,
        flush: [false; 2],
        half_closed: None,
        waiting: None,
        pause: None,
    };
    let result = std::future::poll_fn(|cx| pump.poll(cx)).await;
    // The exchange that was under way goes on record before the goodbyes, which may take their time.
    let Pump {
        mut client,
        mut upstream,
        relay,
        ..
    } = pump;
    let ended = relay.from_client.ended;
    drop(relay);
    let goodbye = async {
        let (client_told, _upstream_told) = tokio::join!(client.shutdown(), upstream.shutdown());
        if client_told.is_ok() && !ended {
            // Its bytes are dropped; whether it closes in time makes no difference to anyone.
            let _closed = timeout(
                LINGER_TIMEOUT,
                tokio::io::copy(&mut client, &mut tokio::io::sink()),
            )
            .await;
        }
    };
    // A peer that is gone already needs no goodbye.
    let _said = timeout(CLOSE_TIMEOUT, goodbye).await;
    result
}

struct Pump<C, U> {
    client: C,
    upstream: U,
    relay: Relay,
    job: Option<JoinHandle<Inspected>>,
    /// What is known of the workload is not enough for the request that has been read.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes were written to client, upstream, and may wait in the TLS layer.
    flush: [bool; 2],
    /// Runs while an answer is slowed down.
    pause: Option<Pin<Box<Sleep>>>,
    /// Runs from when the upstream has been told that the client sends no more, anew with everything it sends.
    half_closed: Option<Pin<Box<Sleep>>>,
}

impl<C, U> Pump<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.poll_job(cx)?;
            while let Some(job) = self.relay.step() {
                if job.waits() {
                    self.job = Some(tokio::task::spawn_blocking(move || job.run()));
                    self.poll_job(cx)?;
                } else {
                    self.relay.inspected(job.run());
                }
            }
            let mut moved = self.poll_waiting(cx) | self.poll_pause(cx);
            moved |= poll_write(
                &mut self.client,
                &mut self.relay.to_client,
                &mut self.flush[0],
                cx,
            )?;
            moved |= match poll_write(
                &mut self.upstream,
                &mut self.relay.to_upstream,
                &mut self.flush[1],
                cx,
            ) {
                Ok(moved) => moved,
                // An upstream that stops reading may have answered already: its answer is still to be read.
                Err(_) => self.relay.upstream_stopped_reading(),
            };
            if self.relay.is_finished() && self.relay.to_client.is_empty() && !self.flush[0] {
                return Poll::Ready(Ok(()));
            }
            if self.half_closed.is_none()
                && self.relay.client_sends_no_more()
                && self.relay.to_upstream.is_empty()
            {
                self.half_closed = Some(Box::pin(sleep(HALF_CLOSED_TIMEOUT)));
                // Best effort, as everything towards an upstream that may be gone: what it answers decides.
                if let Poll::Ready(Err(_)) = Pin::new(&mut self.upstream).poll_shutdown(cx) {
                    moved |= self.relay.upstream_stopped_reading();
                }
            }
            if self.relay.wants_client() {
                moved |= poll_read(&mut self.client, &mut self.relay.from_client, cx)?;
            }
            if self.relay.wants_upstream()
                && poll_read(&mut self.upstream, &mut self.relay.from_upstream, cx)?
            {
                moved = true;
                if let Some(since) = &mut self.half_closed {
                    since.as_mut().reset(Instant::now() + HALF_CLOSED_TIMEOUT);
                }
            }
            if !moved && !self.half_closed_too_long(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Ends a connection whose client has closed and whose upstream says nothing.
    fn half_closed_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(since) = &mut self.half_closed else {
            return false;
        };
        since.as_mut().poll(cx).is_ready() && self.relay.client_left()
    }

    /// Whether a request that waited may begin.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting.is_none() && self.relay.admission == Admission::Waiting {
            self.waiting = Some(Box::pin(self.relay.origin().wait_until_known()));
        }
        let Some(waiting) = &mut self.waiting else {
            return false;
        };
        if waiting.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.waiting = None;
        self.relay.admit();
        true
    }

    /// Whether an answer that paused goes on.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(until) = self.relay.paused_until() else {
            return false;
        };
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if pause.deadline() != until {
            pause.as_mut().reset(until);
        }
        if let Some(since) = &mut self.half_closed {
            // It is not the upstream that is silent.
            since.as_mut().reset(Instant::now() + HALF_CLOSED_TIMEOUT);
        }
        if pause.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.relay.resume();
        true
    }

    fn poll_job(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(job) = &mut self.job
            && let Poll::Ready(done) = Pin::new(job).poll(cx)
        {
            self.job = None;
            self.relay.inspected(done.map_err(io::Error::other)?);
        }
        Ok(())
    }
}

/// Whether anything was written.
fn poll_write<S: AsyncWrite + Unpin>(
    side: &mut S,
    queue: &mut Outbound,
    flush: &mut bool,
    cx: &mut Context<'_>,
) -> io::Result<bool> {
    let mut moved = false;
    while !queue.is_empty() {
        let mut slices = Outbound::empty_slices();
        let n = queue.slices(&mut slices);
        match Pin::new(&mut *side).poll_write_vectored(cx, &slices[..n]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(written)) => {
                queue.advance(written);
                (moved, *flush) = (true, true);
            }
            Poll::Ready(Err(e)) => return Err(e),
            Poll::Pending => return Ok(moved),
        }
    }
    if *flush {
        match Pin::new(side).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                (moved, *flush) = (true, false);
            }
            Poll::Ready(Err(e)) => return Err(e),
            Poll::Pending => {}
        }
    }
    Ok(moved)
}

/// Whether anything was read, or the end.
fn poll_read<S: AsyncRead + Unpin>(
    side: &mut S,
    into: &mut Inbound,
    cx: &mut Context<'_>,
) -> io::Result<bool> {
    let read = match pin!(side.read_buf(into.room())).poll(cx) {
        Poll::Pending => return Ok(false),
        Poll::Ready(read) => read,
    };
    match read {
        Ok(0) => into.ended = true,
        Ok(_) => {}
        // Closed without close_notify, or reset: the end all the same; whether it came too early, the framing says.
        Err(e) if is_end(&e) => into.ended = true,
        Err(e) => return Err(e),
    }
    Ok(true)
}

fn is_end(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
