//! The state machine of one HTTP/1.1 connection, without I/O.
//!
//! 1. A request head is read. The exchange decides: collect the body for inspection, or let it pass.
//! 2. A collected body is handed out as a [`Job`]; its result forwards the request (as it came, or edited) or refuses it.
//! 3. A response head is read. The exchange decides: pass, hold until whole, or read as a stream of events.
//! 4. When the response has ended the exchange goes on record and the next request is read.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::body::BodyReader;
use super::head::{self, Framing, HEAD_LIMIT_BYTES, HeadEdit, HeadError, RequestHead, ResponseHead};
use super::inbound::Inbound;
use super::outbound::Outbound;
use crate::exchange::DISCARD_BYTES;
use crate::exchange::fields::ContentEncoding;
use crate::exchange::{
    Decision, Exchange, Flow, Inspected, Job, Origin, Outcome, Refusal, RequestHeadView, RequestPlan,
    ResponsePlan, WholeDecision,
};

/// Bytes waiting for a side before the other side is no longer read.
const HIGH_WATER_BYTES: usize = 256 * 1024;
/// Bytes of pipelined requests kept while a response is under way.
const PIPELINE_BYTES: usize = 64 * 1024;

/// What a collected body of `limit_bytes` may take with its framing: one-byte chunks would be held six-fold.
fn framed_limit(limit_bytes: usize) -> usize {
    limit_bytes.saturating_mul(2)
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
    /// The request of the exchange under way was HEAD.
    bodiless: bool,
    /// `100 Continue` was sent by us; the upstream's own is swallowed.
    continued: bool,
    /// The connection ends with this exchange.
    last: bool,
    finished: bool,
    /// Bytes of an unfinished request head that were read before.
    head_seen: usize,
}

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
            bodiless: false,
            continued: false,
            last: false,
            finished: false,
            head_seen: 0,
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
            }
    }

    pub(super) fn wants_upstream(&self) -> bool {
        !self.from_upstream.ended && !self.finished && self.to_client.len() < HIGH_WATER_BYTES
    }

    /// The client has closed its side and all that it sent has been read: the upstream is told the same.
    pub(super) fn client_sends_no_more(&self) -> bool {
        self.from_client.ended && matches!(self.request, Request::Sent | Request::Tunnel)
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

    // === The request ===

    fn step_request(&mut self) -> (bool, Option<Job>) {
        match &mut self.request {
            Request::Head if self.exchange.is_none() => self.read_request_head(),
            Request::Head | Request::Inspect(_) | Request::Sent => (self.notice_client_end(), None),
            Request::Collect(_) => self.collect(),
            Request::Pass(_) => (self.pass_request(), None),
            Request::Discard(..) => (self.discard(), None),
            Request::Tunnel => (self.tunnel_request(), None),
        }
    }

    /// A client that leaves before its request is whole ends the connection; one that leaves after may still read.
    fn notice_client_end(&mut self) -> bool {
        if self.from_client.ended && matches!(self.request, Request::Head) {
            return self.end(Outcome::ClientGone);
        }
        false
    }

    fn read_request_head(&mut self) -> (bool, Option<Job>) {
        // Empty lines before a request are ignored (RFC 9112, section 2.2).
        while self.head_seen == 0 && self.from_client.bytes.starts_with(b"\r\n") {
            self.from_client.take(2);
        }
        if self.from_client.bytes.is_empty() {
            if self.from_client.ended || self.last {
                self.finished = true;
                return (true, None);
            }
            return (false, None);
        }
        // Read again only when a line has ended, so that a head sent byte by byte costs its lines, not its square.
        let unseen = &self.from_client.bytes[self.head_seen..];
        self.head_seen = self.from_client.bytes.len();
        if !unseen.contains(&b'\n') && self.head_seen < HEAD_LIMIT_BYTES {
            return (self.from_client.ended && self.end(Outcome::ClientGone), None);
        }
        let head = match head::parse_request(&self.from_client.bytes) {
            Ok(Some(head)) => head,
            Ok(None) => return (self.from_client.ended && self.end(Outcome::ClientGone), None),
            Err(e) => {
                let refusal = Exchange::malformed(&self.origin, e == HeadError::TooLarge);
                return (self.refuse_and_close(&refusal), None);
            }
        };
        self.head_seen = 0;
        self.begin(head);
        (true, None)
    }

    fn begin(&mut self, head: RequestHead) {
        let bytes = &self.from_client.bytes;
        let text =
            |range: &std::ops::Range<usize>| std::str::from_utf8(&bytes[range.clone()]).unwrap_or_default();
        let length = match head.framing {
            Framing::Length(n) => Some(n),
            Framing::None => Some(0),
            Framing::Chunked | Framing::UntilClose => None,
        };
        let view = RequestHeadView {
            version: head.version,
            method: text(&head.method),
            target: text(&head.target),
            body: head.body,
            length,
        };
        self.bodiless = view.method == "HEAD";
        self.continued = false;
        self.last |= head.close;
        let (exchange, plan) = Exchange::begin(&self.origin, &view);
        self.exchange = Some(exchange);
        match plan {
            RequestPlan::Collect { limit_bytes } => self.begin_collect(head, limit_bytes),
            RequestPlan::Pass => {
                let reader = BodyReader::new(head.framing);
                let bytes = self.from_client.take(head.len);
                self.to_upstream.push(bytes);
                self.request = if reader.is_done() {
                    Request::Sent
                } else {
                    Request::Pass(reader)
                };
            }
            RequestPlan::Refuse(refusal) => {
                self.from_client.take(head.len);
                // A client that waits for 100 Continue will not send the body, or sends it all the same (RFC 9110,
                // section 10.1.1): what follows cannot be told apart, so nothing may follow.
                self.last |= head.expects_continue;
                self.refuse(&refusal, BodyReader::new(head.framing));
            }
        }
    }

    fn begin_collect(&mut self, head: RequestHead, limit_bytes: usize) {
        if head.expects_continue {
            // The body is needed before the upstream hears of the request, so its 100 Continue cannot be waited for.
            self.to_client
                .push(Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n"));
            self.continued = true;
        }
        let reader = BodyReader::new(head.framing);
        let payload = (head.framing == Framing::Chunked).then(BytesMut::new);
        self.request = Request::Collect(Collect {
            head,
            reader,
            scanned: 0,
            payload,
            limit_bytes,
        });
    }

    fn collect(&mut self) -> (bool, Option<Job>) {
        let (Request::Collect(collect), Some(exchange)) = (&mut self.request, &mut self.exchange) else {
            return (false, None);
        };
        let input = &self.from_client.bytes;
        while !collect.reader.is_done() {
            let from = collect.head.len + collect.scanned;
            let Ok(piece) = collect.reader.read(&input[from..]) else {
                let refusal = exchange.refuse_unreadable();
                return (self.refuse_and_close(&refusal), None);
            };
            if piece.consumed == 0 {
                break;
            }
            if let Some(payload) = &mut collect.payload {
                payload.extend_from_slice(&input[from..][piece.payload]);
            }
            collect.scanned += piece.consumed;
            let over = collect
                .payload
                .as_ref()
                .is_some_and(|p| p.len() > collect.limit_bytes);
            if over || collect.scanned > framed_limit(collect.limit_bytes) {
                let refusal = exchange.over_limit();
                let (head_len, scanned) = (collect.head.len, collect.scanned);
                let rest = std::mem::replace(&mut collect.reader, BodyReader::new(Framing::None));
                let read = self.from_client.take(head_len + scanned);
                if let Some(refusal) = refusal {
                    self.refuse(&refusal, rest);
                } else {
                    exchange.count_request_bytes(scanned);
                    self.to_upstream.push(read);
                    self.request = Request::Pass(rest);
                }
                return (true, None);
            }
        }
        if !collect.reader.is_done() {
            return (self.from_client.ended && self.end(Outcome::ClientGone), None);
        }
        let (head_len, whole) = (collect.head.len, collect.head.len + collect.scanned);
        let payload = collect.payload.take();
        let encoded = collect.head.body.encoding != ContentEncoding::Identity;
        let raw = self.from_client.take(whole);
        exchange.count_request_bytes(whole - head_len);
        let body = payload.map_or_else(|| raw.slice(head_len..), BytesMut::freeze);
        self.request = Request::Inspect(Some(Collected {
            raw,
            head_len,
            encoded,
        }));
        (
            true,
            self.exchange.take().map(|exchange| Job::new(exchange, body)),
        )
    }

    /// Takes the result of a job.
    pub(super) fn inspected(&mut self, inspected: Inspected) {
        let Inspected { exchange, decision } = inspected;
        self.exchange = Some(exchange);
        let Request::Inspect(collected) = &mut self.request else {
            return;
        };
        let Some(Collected {
            raw,
            head_len,
            encoded,
        }) = collected.take()
        else {
            return;
        };
        self.request = Request::Sent;
        match decision {
            Decision::Forward => {
                self.to_upstream.push(raw);
            }
            Decision::Edited(body) => {
                let edit = HeadEdit {
                    length: Some(body.len()),
                    decoded: encoded,
                    ..HeadEdit::default()
                };
                let head = head::rewrite(&raw[..head_len], edit);
                self.to_upstream.push(head);
                self.to_upstream.push(body);
            }
            Decision::Refuse(refusal) => self.refuse(&refusal, BodyReader::new(Framing::None)),
        }
    }

    fn pass_request(&mut self) -> bool {
        let mut moved = false;
        while let Request::Pass(reader) = &mut self.request {
            let Ok(piece) = reader.read(&self.from_client.bytes) else {
                let refusal = self.exchange.as_mut().map(Exchange::refuse_unreadable);
                return refusal.is_some_and(|refusal| self.refuse_and_close(&refusal));
            };
            let done = reader.is_done();
            if piece.consumed > 0 {
                moved = true;
                let bytes = self.from_client.take(piece.consumed);
                self.count_request(piece.payload.len());
                self.to_upstream.push(bytes);
            }
            if done {
                self.request = Request::Sent;
                return true;
            }
            if piece.consumed == 0 {
                return moved || (self.from_client.ended && self.end(Outcome::ClientGone));
            }
        }
        moved
    }

    fn discard(&mut self) -> bool {
        let mut moved = false;
        while let Request::Discard(reader, dropped) = &mut self.request {
            let Ok(piece) = reader.read(&self.from_client.bytes) else {
                return self.finish_connection();
            };
            *dropped += piece.consumed as u64;
            let (done, too_long) = (reader.is_done(), *dropped > DISCARD_BYTES);
            self.from_client.take(piece.consumed);
            if done {
                self.request = if self.exchange.is_none() {
                    Request::Head
                } else {
                    Request::Sent
                };
                self.settle_connection();
                return true;
            }
            if too_long || (piece.consumed == 0 && self.from_client.ended) {
                return self.finish_connection();
            }
            if piece.consumed == 0 {
                return moved;
            }
            moved = true;
        }
        moved
    }

    fn tunnel_request(&mut self) -> bool {
        let n = self.from_client.bytes.len();
        if n > 0 {
            let bytes = self.from_client.take(n);
            self.count_request(n);
            self.to_upstream.push(bytes);
        }
        n > 0
    }

    // === The response ===

    fn step_response(&mut self) -> bool {
        match &mut self.response {
            Response::Head => self.read_response_head(),
            Response::Pass(_) => self.pass_response(),
            Response::Hold(_) => self.hold_response(),
            Response::Stream(_) => self.stream_response(),
            Response::Tunnel => self.tunnel_response(),
        }
    }

    fn read_response_head(&mut self) -> bool {
        let expected = match &self.request {
            // Whether it answers anything is known when the job is back.
            Request::Inspect(_) => return false,
            Request::Head | Request::Collect(_) => false,
            _ => self.exchange.is_some(),
        };
        let (bytes, ended) = (&self.from_upstream.bytes, self.from_upstream.ended);
        if bytes.is_empty() && !ended {
            return false;
        }
        if !expected {
            // The upstream closes an idle connection, perhaps with a word of explanation (a 408): so do we.
            let n = bytes.len();
            let bytes = self.from_upstream.take(n);
            self.to_client.push(bytes);
            return self.end(Outcome::UpstreamFailed);
        }
        match head::parse_response(bytes, self.bodiless) {
            Ok(Some(head)) => self.begin_response(head),
            Ok(None) => ended && self.end(Outcome::UpstreamFailed),
            Err(_) => {
                let refusal = self.exchange.as_mut().map(Exchange::refuse_upstream);
                refusal.is_some_and(|refusal| self.refuse_and_close(&refusal))
            }
        }
    }

    fn begin_response(&mut self, head: ResponseHead) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        let mut edit = HeadEdit {
            drop_alt_svc: head.has_alt_svc,
            ..HeadEdit::default()
        };
        if head.status == 101 {
            exchange.tunnelled();
            self.push_response_head(head.len, edit);
            (self.request, self.response) = (Request::Tunnel, Response::Tunnel);
            return true;
        }
        if head.status < 200 {
            if head.status == 100 && std::mem::take(&mut self.continued) {
                self.from_upstream.take(head.len);
            } else {
                self.push_response_head(head.len, edit);
            }
            return true;
        }
        self.last |= head.close;
        let reader = BodyReader::new(head.framing);
        match exchange.response_head(head.status, head.body) {
            ResponsePlan::Pass => {
                self.push_response_head(head.len, edit);
                self.response = Response::Pass(reader);
            }
            ResponsePlan::Refuse(refusal) => return self.refuse_and_close(&refusal),
            ResponsePlan::Hold { limit_bytes } => {
                let payload = BytesMut::new();
                self.response = Response::Hold(Hold {
                    head,
                    reader,
                    scanned: 0,
                    payload,
                    limit_bytes,
                });
            }
            ResponsePlan::Stream { decoded, may_change } => {
                let reframe = match head.framing {
                    _ if !may_change && !decoded => Reframe::Untouched,
                    Framing::Chunked => Reframe::Chunks,
                    // A length promised before the stream was read cannot be kept if it is cut or edited.
                    Framing::Length(_) => {
                        edit.chunked = true;
                        Reframe::Chunks
                    }
                    Framing::UntilClose | Framing::None => Reframe::Payload,
                };
                edit.decoded = decoded;
                self.push_response_head(head.len, edit);
                self.response = Response::Stream(Stream {
                    reader,
                    reframe,
                    trailer: BytesMut::new(),
                });
            }
        }
        true
    }

    fn push_response_head(&mut self, len: usize, edit: HeadEdit) {
        let raw = self.from_upstream.take(len);
        let head = if edit.drop_alt_svc || edit.chunked || edit.decoded || edit.length.is_some() {
            head::rewrite(&raw, edit).into()
        } else {
            raw
        };
        self.to_client.push(head);
    }

    fn push_to_client(&mut self, bytes: Bytes) {
        self.count_response(bytes.len());
        self.to_client.push(bytes);
    }

    fn pass_response(&mut self) -> bool {
        let mut moved = false;
        while let (Response::Pass(reader), Some(exchange)) = (&mut self.response, &mut self.exchange) {
            if reader.is_done() {
                exchange.response_end(&mut Vec::new());
                return self.end_response(Outcome::Complete);
            }
            let Ok(piece) = reader.read(&self.from_upstream.bytes) else {
                return self.end(Outcome::UpstreamFailed);
            };
            if piece.consumed == 0 {
                return moved | self.notice_upstream_end();
            }
            moved = true;
            let bytes = self.from_upstream.take(piece.consumed);
            if !piece.payload.is_empty() {
                exchange.count_response_bytes(piece.payload.len());
                exchange.response_passed(bytes.slice(piece.payload));
            }
            self.to_client.push(bytes);
        }
        moved
    }

    fn hold_response(&mut self) -> bool {
        let (Response::Hold(hold), Some(exchange)) = (&mut self.response, &mut self.exchange) else {
            return false;
        };
        let input = &self.from_upstream.bytes;
        let mut moved = false;
        while !hold.reader.is_done() {
            let from = hold.head.len + hold.scanned;
            let Ok(piece) = hold.reader.read(&input[from..]) else {
                let refusal = exchange.refuse_upstream();
                return self.refuse_and_close(&refusal);
            };
            if piece.consumed == 0 {
                break;
            }
            moved = true;
            hold.scanned += piece.consumed;
            hold.payload.extend_from_slice(&input[from..][piece.payload]);
            if hold.scanned > framed_limit(hold.limit_bytes) || hold.payload.len() > hold.limit_bytes {
                let refusal = exchange.refuse_response_too_large();
                return self.refuse_and_close(&refusal);
            }
        }
        if !hold.reader.is_done() {
            if !self.from_upstream.ended {
                return moved;
            }
            if !hold.reader.ends_with_connection() {
                return self.end(Outcome::UpstreamFailed);
            }
        }
        let (head_len, body_len) = (hold.head.len, hold.scanned);
        let edit = HeadEdit {
            drop_alt_svc: hold.head.has_alt_svc,
            ..HeadEdit::default()
        };
        let encoded = hold.head.body.encoding != ContentEncoding::Identity;
        match exchange.whole_response(hold.payload.split().freeze()) {
            WholeDecision::Forward => {
                self.push_response_head(head_len, edit);
                let body = self.from_upstream.take(body_len);
                self.push_to_client(body);
            }
            WholeDecision::Edited(body) => {
                let edit = HeadEdit {
                    length: Some(body.len()),
                    decoded: encoded,
                    ..edit
                };
                self.push_response_head(head_len, edit);
                self.from_upstream.take(body_len);
                self.push_to_client(body);
            }
            WholeDecision::Refuse(refusal) => return self.refuse_and_close(&refusal),
        }
        self.end_response(Outcome::Complete)
    }

    fn stream_response(&mut self) -> bool {
        let mut moved = false;
        while let (Response::Stream(stream), Some(exchange)) = (&mut self.response, &mut self.exchange) {
            let reframe = stream.reframe;
            let mut out = Vec::new();
            let ended = self.from_upstream.ended && self.from_upstream.bytes.is_empty();
            if stream.reader.is_done() || (stream.reader.ends_with_connection() && ended) {
                let trailer = stream.trailer.split().freeze();
                self.last |= exchange.response_end(&mut out) == Flow::Cut;
                self.push_payload(out, reframe);
                self.push_last_chunk(reframe, trailer);
                return self.end_response(Outcome::Complete);
            }
            let Ok(piece) = stream.reader.read(&self.from_upstream.bytes) else {
                return self.end(Outcome::UpstreamFailed);
            };
            if piece.consumed == 0 {
                return moved | self.notice_upstream_end();
            }
            moved = true;
            let bytes = self.from_upstream.take(piece.consumed);
            if piece.trailer {
                stream.trailer.extend_from_slice(&bytes);
            }
            let payload = bytes.slice(piece.payload);
            if reframe == Reframe::Untouched {
                exchange.count_response_bytes(payload.len());
                self.to_client.push(bytes);
            }
            if payload.is_empty() {
                continue;
            }
            let flow = exchange.response_streamed(payload, &mut out);
            self.push_payload(out, reframe);
            if flow == Flow::Cut {
                self.push_last_chunk(reframe, Bytes::new());
                self.end_response(Outcome::Complete);
                return self.finish_connection();
            }
        }
        moved
    }

    fn push_last_chunk(&mut self, reframe: Reframe, trailer: Bytes) {
        if reframe == Reframe::Chunks {
            self.to_client.push(Bytes::from_static(b"0\r\n"));
            self.to_client.push(if trailer.is_empty() {
                Bytes::from_static(b"\r\n")
            } else {
                trailer
            });
        }
    }

    fn push_payload(&mut self, out: Vec<Bytes>, reframe: Reframe) {
        let len: usize = out.iter().map(Bytes::len).sum();
        if len == 0 || reframe == Reframe::Untouched {
            return;
        }
        self.count_response(len);
        if reframe == Reframe::Chunks {
            self.to_client.push(format!("{len:x}\r\n").into_bytes());
        }
        for bytes in out {
            self.to_client.push(bytes);
        }
        if reframe == Reframe::Chunks {
            self.to_client.push(Bytes::from_static(b"\r\n"));
        }
    }

    fn tunnel_response(&mut self) -> bool {
        let n = self.from_upstream.bytes.len();
        if n > 0 {
            let bytes = self.from_upstream.take(n);
            self.count_response(n);
            self.to_client.push(bytes);
        } else if self.from_upstream.ended {
            return self.end(Outcome::Complete);
        }
        n > 0
    }

    /// A body whose framing promised more than came is cut off for the client too.
    fn notice_upstream_end(&mut self) -> bool {
        if !self.from_upstream.ended || !self.from_upstream.bytes.is_empty() {
            return false;
        }
        let proper = matches!(&self.response, Response::Pass(reader) if reader.ends_with_connection());
        if proper && let Some(exchange) = &mut self.exchange {
            exchange.response_end(&mut Vec::new());
            return self.end_response(Outcome::Complete);
        }
        self.end(Outcome::UpstreamFailed)
    }

    // === The end of an exchange, and of the connection ===

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
            | Request::Tunnel => {}
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
        self.finish_connection()
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
