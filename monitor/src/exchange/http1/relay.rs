//! The state machine of one HTTP/1.1 connection, without I/O.
//!
//! 1. A request head is read. The exchange decides: collect the body for inspection, or let it pass.
//! 2. A collected body is handed out as a [`Job`]; its result forwards the request (as it came, or edited) or refuses it.
//! 3. A response head is read. The exchange decides: pass, hold until whole, or read as a stream of events.
//! 4. When the response has ended the exchange goes on record and the next request is read.

mod request;
mod response;

use std::sync::Arc;

use super::body::BodyReader;
use super::head::{Framing, HEAD_LIMIT_BYTES, RequestHead, ResponseHead};
use super::inbound::Inbound;
use super::outbound::Outbound;
use crate::exchange::websocket::{Output, Session};
use crate::exchange::{Exchange, Job, Origin, Outcome, Refusal};
use bytes::{Bytes, BytesMut};

/// Bytes waiting for a side before the other side is no longer read.
const HIGH_WATER_BYTES: usize = 256 * 1024;
/// Bytes of pipelined requests kept while a response is under way.
const PIPELINE_BYTES: usize = 64 * 1024;

/// What a collected body of `limit_bytes` may take with its framing: one-byte chunks would be held six-fold.
fn framed_limit(limit_bytes: usize) -> usize {
    limit_bytes.saturating_mul(2)
}

/// Whether a request may begin whose workload policy wants to be sure of.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Admission {
    /// It has not been asked.
    #[default]
    Open,
    /// It waits, with its head where it was read, for [`Relay::admit`].
    Waiting,
    /// It may.
    Admitted,
}

/// One connection's exchanges.
pub(super) struct Relay {
    origin: Arc<Origin>,
    pub(super) from_client: Inbound,
    pub(super) from_upstream: Inbound,
    pub(super) to_client: Outbound,
    pub(super) to_upstream: Outbound,
    request: Request,
    response: Response,
    exchange: Option<Exchange>,
    /// After 101: the WebSocket, where its messages are read.
    session: Option<Box<Session>>,
    /// The request of the exchange under way was HEAD.
    bodiless: bool,
    /// `100 Continue` was sent by us; the upstream's own is swallowed.
    continued: bool,
    /// The connection ends with this exchange.
    last: bool,
    finished: bool,
    /// Bytes of an unfinished request head that were read before.
    head_seen: usize,
    /// Whether the request whose head has been read may begin.
    pub(super) admission: Admission,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a connection, and most requests are collected"
)]
enum Request {
    /// The next head.
    Head,
    /// A body that will be inspected: it stays in the inbound buffer, behind its head.
    Collect(Collect),
    /// The job is out.
    Inspect(Option<Collected>),
    /// A body that passes.
    Pass(BodyReader),
    /// A refused body, read to its end.
    Discard(BodyReader, u64),
    /// The whole request has been read.
    Sent,
    /// After 101: bytes.
    Tunnel,
    /// After 101: messages.
    Session,
}

struct Collect {
    head: RequestHead,
    reader: BodyReader,
    /// Bytes after the head that the reader has seen.
    scanned: usize,
    /// The payload of a chunked body; one with a length is contiguous as it lies.
    payload: Option<BytesMut>,
    limit_bytes: usize,
}

/// A request as it came.
struct Collected {
    raw: Bytes,
    head_len: usize,
    /// Where the head has path and query.
    target: std::ops::Range<usize>,
    encoded: bool,
}

enum Response {
    /// The next head; while no request is under way, nothing is expected.
    Head,
    /// A body that passes.
    Pass(BodyReader),
    /// A body that is held until it is whole: it stays in the inbound buffer, behind its head.
    Hold(Hold),
    /// A stream of events, framed anew.
    Stream(Stream),
    /// After 101: bytes.
    Tunnel,
    /// After 101: messages.
    Session,
}

struct Hold {
    head: ResponseHead,
    reader: BodyReader,
    scanned: usize,
    payload: BytesMut,
    limit_bytes: usize,
}

struct Stream {
    reader: BodyReader,
    reframe: Reframe,
    /// A pause is over: what was read before it comes first.
    resumes: bool,
    /// The trailer section as it came, its empty line included.
    trailer: BytesMut,
}

/// How a stream's payload is sent on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reframe {
    /// In chunks of our own: what is sent differs from what came, or may have to end early.
    Chunks,
    /// Payload only, as framed by the length or the end of the connection that the head promised.
    Payload,
    /// The bytes as they came, framing included: they are only read.
    Untouched,
}

impl Relay {
    pub(super) fn origin(&self) -> Arc<Origin> {
        self.origin.clone()
    }

    pub(super) fn new(origin: Arc<Origin>) -> Self {
        Self {
            origin,
            from_client: Inbound::default(),
            from_upstream: Inbound::default(),
            to_client: Outbound::default(),
            to_upstream: Outbound::default(),
            request: Request::Head,
            response: Response::Head,
            exchange: None,
            session: None,
            bodiless: false,
            continued: false,
            last: false,
            finished: false,
            head_seen: 0,
            admission: Admission::Open,
        }
    }

    /// Reads what there is. A job that comes back must be run and its result given to [`Relay::inspected`].
    pub(super) fn step(&mut self) -> Option<Job> {
        loop {
            if self.finished {
                return None;
            }
            let (moved, job) = self.step_request();
            if job.is_some() {
                return job;
            }
            if !(self.step_response() | moved) {
                return None;
            }
        }
    }

    pub(super) fn wants_client(&self) -> bool {
        let waiting = self.from_client.bytes.len();
        !self.from_client.ended
            && !self.finished
            && match &self.request {
                Request::Collect(_) | Request::Discard(..) => true,
                Request::Head | Request::Inspect(_) | Request::Sent => {
                    waiting < PIPELINE_BYTES.max(HEAD_LIMIT_BYTES)
                }
                Request::Pass(_) | Request::Tunnel => self.to_upstream.len() < HIGH_WATER_BYTES,
                Request::Session => !self.is_inspecting() && self.to_upstream.len() < HIGH_WATER_BYTES,
            }
    }

    pub(super) fn wants_upstream(&self) -> bool {
        !self.from_upstream.ended
            && !self.finished
            && self.to_client.len() < HIGH_WATER_BYTES
            && self.paused_until().is_none()
    }

    /// The client has closed its side and all that it sent has been read: the upstream is told the same.
    pub(super) fn client_sends_no_more(&self) -> bool {
        self.from_client.ended
            && !self.is_inspecting()
            && matches!(self.request, Request::Sent | Request::Tunnel | Request::Session)
    }

    /// A message of the client's is out to be inspected.
    fn is_inspecting(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.is_inspecting())
    }

    /// The connection has ended but for the bytes still queued for the client.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The upstream takes no more bytes; what it still sends is read. Returns whether anything changed.
    pub(super) fn upstream_stopped_reading(&mut self) -> bool {
        let queued = self.to_upstream.len();
        self.to_upstream.advance(queued);
        self.last = true;
        if let Request::Pass(reader) = &mut self.request {
            let reader = std::mem::replace(reader, BodyReader::new(Framing::None));
            self.request = Request::Discard(reader, 0);
            return true;
        }
        queued > 0
    }

    /// The client is taken to be gone for good. Returns whether anything changed.
    pub(super) fn client_left(&mut self) -> bool {
        self.end(Outcome::ClientGone)
    }

    /// The response is whole.
    fn end_response(&mut self, outcome: Outcome) -> bool {
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(outcome);
        }
        self.response = Response::Head;
        match self.request {
            Request::Sent => self.request = Request::Head,
            // Answered before the request was whole: the rest has nowhere to go.
            Request::Pass(_) => self.last = true,
            Request::Head
            | Request::Collect(_)
            | Request::Inspect(_)
            | Request::Discard(..)
            | Request::Tunnel
            | Request::Session => {}
        }
        self.settle_connection();
        true
    }

    /// Ends a connection whose last exchange is over.
    fn settle_connection(&mut self) {
        if self.last && self.exchange.is_none() && !matches!(self.request, Request::Discard(..)) {
            self.finished = true;
        }
    }

    fn finish_connection(&mut self) -> bool {
        let was = self.finished;
        self.finished = true;
        !was
    }

    /// The exchange cannot go on.
    fn end(&mut self, outcome: Outcome) -> bool {
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(outcome);
        }
        if let Some(mut session) = self.session.take() {
            let mut out = Output::default();
            session.end(outcome, &mut out);
            self.send(out);
        }
        self.finish_connection()
    }

    /// Sends what a WebSocket's session wants to be sent.
    fn send(&mut self, out: Output) {
        for bytes in out.to_client {
            self.to_client.push(bytes);
        }
        for bytes in out.to_upstream {
            self.to_upstream.push(bytes);
        }
        if out.ended {
            self.session = None;
            self.finish_connection();
        }
    }

    /// Answers in the upstream's place; `rest` is what the client still sends of its request.
    fn refuse(&mut self, refusal: &Refusal, rest: BodyReader) {
        self.push_refusal(refusal);
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(Outcome::Complete);
        }
        self.request = if rest.is_done() {
            Request::Head
        } else {
            Request::Discard(rest, 0)
        };
        self.settle_connection();
    }

    /// As [`Relay::refuse`], where the framing is lost: what the client still sends is dropped until it closes.
    fn refuse_and_close(&mut self, refusal: &Refusal) -> bool {
        self.last = true;
        self.push_refusal(refusal);
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(Outcome::Complete);
        }
        self.finish_connection()
    }

    fn push_refusal(&mut self, refusal: &Refusal) {
        let head = refusal.http1_head(self.last);
        self.count_response(refusal.body.len());
        self.to_client.push(head);
        if !self.bodiless {
            self.to_client.push(refusal.body.clone());
        }
    }

    fn count_request(&mut self, n: usize) {
        if let Some(exchange) = &mut self.exchange {
            exchange.count_request_bytes(n);
        }
    }

    fn count_response(&mut self, n: usize) {
        if let Some(exchange) = &mut self.exchange {
            exchange.count_response_bytes(n);
        }
    }
}
