//! A WebSocket on one stream of an HTTP/2 connection: extended CONNECT (RFC 8441).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{Request, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::stream::{Failure, Respond, body_fields, conclude, discard, gone, open, refuse, relay};
use super::{body, reason_of};
use crate::exchange::websocket::{Output, Session};
use crate::exchange::{Exchange, Inspected, Outcome};

/// Bytes waiting for one side before the other is no longer read.
const HIGH_WATER_BYTES: usize = 256 * 1024;
/// How long the last bytes may take, and a client that was told the end may go on sending.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Carries a handshake, and the session that it opens.
pub(super) async fn handshake(
    mut exchange: Exchange,
    upstream: SendRequest<Bytes>,
    mut head: Request<()>,
    from_client: RecvStream,
    mut respond: Respond,
) {
    head.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    let asked = async {
        let (response, to_upstream) = open(upstream, head, false).await?;
        tokio::select! {
            answer = response => {
                let response = answer.map_err(|e| Failure::Upstream(reason_of(&e)))?;
                Ok((response, to_upstream))
            }
            () = gone(&mut respond) => Err(Failure::Client),
        }
    };
    let (response, mut to_upstream) = match asked.await {
        Ok(answered) => answered,
        Err(failure) => return conclude(exchange, Err(failure), respond),
    };
    if response.status() != StatusCode::OK {
        let done = relay(&mut exchange, response, &mut respond).await;
        to_upstream.send_reset(Reason::NO_ERROR);
        return conclude(exchange, done, respond);
    }
    if response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        // Nobody offered one: nothing of what follows could be read.
        let refusal = exchange.refuse_upstream();
        let done = refuse(&mut exchange, &mut respond, &refusal).await;
        to_upstream.send_reset(Reason::CANCEL);
        return conclude(exchange, done, respond);
    }
    let (parts, from_upstream) = response.into_parts();
    exchange.response_head(parts.status.as_u16(), body_fields(&parts.headers));
    let Ok(to_client) = respond.send_response(http::Response::from_parts(parts, ()), false) else {
        return conclude(exchange, Err(Failure::Client), respond);
    };
    let relay = Relay {
        session: Session::begin(exchange),
        client: Side::new(to_client),
        upstream: Side::new(to_upstream),
        job: None,
    };
    // A session lives long and is large: it has its own place.
    Box::pin(relay.run(from_client, from_upstream)).await;
}

/// One direction's end: what waits to be sent.
struct Side {
    to: SendStream<Bytes>,
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
}

/// A session, and what it waits for.
struct Relay {
    session: Session,
    client: Side,
    upstream: Side,
    job: Option<JoinHandle<Inspected>>,
}

impl Relay {
    async fn run(mut self, mut from_client: RecvStream, mut from_upstream: RecvStream) {
        let mut client_sends = true;
        loop {
            let mut out = Output::default();
            let paused = self.session.paused_until();
            tokio::select! {
                () = until(paused) => self.session.resume(&mut out),
                data = body::receive(&mut from_client),
                    if client_sends && self.job.is_none() && self.upstream.has_room() =>
                {
                    match data {
                        Ok(Some(bytes)) => {
                            self.session.push_client(bytes);
                            self.step_client(&mut out);
                        }
                        Ok(None) => {
                            client_sends = false;
                            self.upstream.queue.push_back(Bytes::new());
                        }
                        Err(error) => {
                            self.session.end(Outcome::ClientGone, &mut out);
                            return self.upstream.to.send_reset(reason_of(&error));
                        }
                    }
                }
                data = body::receive(&mut from_upstream), if self.client.has_room() && paused.is_none() => match data {
                    Ok(Some(bytes)) => self.session.take_server(bytes, &mut out),
                    Ok(None) => {
                        self.session.end(Outcome::UpstreamFailed, &mut out);
                        out.ended = true;
                    }
                    Err(error) => {
                        self.session.end(Outcome::UpstreamFailed, &mut out);
                        return self.client.to.send_reset(reason_of(&error));
                    }
                },
                inspected = finished(&mut self.job) => {
                    self.job = None;
                    // A job that failed took its exchange with it, which has put itself on record.
                    let Some(inspected) = inspected else { return };
                    self.session.inspected(inspected, &mut out);
                    self.step_client(&mut out);
                }
                sent = self.upstream.send(), if !self.upstream.queue.is_empty() => {
                    if sent.is_err() {
                        // It takes no more; what it still sends says why.
                        self.upstream.queue.clear();
                    }
                }
                sent = self.client.send(), if !self.client.queue.is_empty() => {
                    if sent.is_err() {
                        self.session.end(Outcome::ClientGone, &mut out);
                        return self.upstream.to.send_reset(Reason::CANCEL);
                    }
                }
            }
            let ended = out.ended;
            self.client.push(out.to_client);
            self.upstream.push(out.to_upstream);
            if ended {
                return self.finish(from_client).await;
            }
        }
    }

    fn step_client(&mut self, out: &mut Output) {
        if let Some(job) = self.session.step_client(out) {
            self.job = Some(tokio::task::spawn_blocking(move || job.run()));
        }
    }

    /// Sends what waits, and the end, to both sides.
    async fn finish(self, from_client: RecvStream) {
        let Self {
            session,
            client,
            upstream,
            ..
        } = self;
        // On record before the goodbyes, which may take their time.
        drop(session);
        let goodbye = async {
            let (_client_told, _upstream_told) = tokio::join!(client.end(), upstream.end());
            discard(from_client).await;
        };
        // A side that takes nothing is reset by dropping its stream.
        let _said = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

impl Side {
    fn new(to: SendStream<Bytes>) -> Self {
        Self {
            to,
            queue: VecDeque::new(),
            queued_bytes: 0,
        }
    }

    fn has_room(&self) -> bool {
        self.queued_bytes < HIGH_WATER_BYTES
    }

    fn push(&mut self, bytes: Vec<Bytes>) {
        for bytes in bytes.into_iter().filter(|bytes| !bytes.is_empty()) {
            self.queued_bytes += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Sends some of what waits, as the receiver's window allows. Nothing is lost when this is dropped. Empty bytes stand
    /// for the end.
    async fn send(&mut self) -> Result<(), h2::Error> {
        let Some(front) = self.queue.front_mut() else {
            return Ok(());
        };
        if front.is_empty() {
            self.queue.pop_front();
            return self.to.send_data(Bytes::new(), true);
        }
        self.to.reserve_capacity(front.len());
        let room = match self.to.capacity() {
            0 => match poll_fn(|cx| self.to.poll_capacity(cx)).await {
                Some(room) => room?,
                // The stream is not open for sending any more.
                None => return Err(Reason::CANCEL.into()),
            },
            room => room,
        };
        let now = front.split_to(room.min(front.len()));
        if front.is_empty() {
            self.queue.pop_front();
        }
        self.queued_bytes -= now.len();
        self.to.send_data(now, false)
    }

    async fn end(mut self) -> Result<(), h2::Error> {
        while self.queue.front().is_some_and(|bytes| !bytes.is_empty()) {
            self.send().await?;
        }
        self.to.send_data(Bytes::new(), true)
    }
}

/// The end of a pause, where there is one.
async fn until(paused: Option<Instant>) {
    match paused {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// The result of a job, when there is one: `None` where it failed.
async fn finished(job: &mut Option<JoinHandle<Inspected>>) -> Option<Inspected> {
    match job {
        Some(job) => job.await.ok(),
        None => std::future::pending().await,
    }
}
