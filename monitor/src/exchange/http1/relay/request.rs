//! The request's side of a [`Relay`]: head, body, job, refusal.

use super::super::body::BodyReader;
use super::super::head::{self, Framing, HEAD_LIMIT_BYTES, HeadEdit, HeadError, RequestHead};
use super::{Admission, Collect, Collected, Relay, Request, framed_limit};
use crate::exchange::websocket::Output;
use crate::exchange::{
    Credentials, DISCARD_BYTES, Decision, Exchange, Inspected, Job, Outcome, RequestHeadView, RequestPlan,
};
use bytes::{Bytes, BytesMut};

impl Relay {
    pub(super) fn step_request(&mut self) -> (bool, Option<Job>) {
        match &mut self.request {
            Request::Head if self.exchange.is_none() => self.read_request_head(),
            Request::Head | Request::Inspect(_) | Request::Sent => (self.notice_client_end(), None),
            Request::Collect(_) => self.collect(),
            Request::Pass(_) => (self.pass_request(), None),
            Request::Discard(..) => (self.discard(), None),
            Request::Tunnel => (self.tunnel_request(), None),
            Request::Session => self.session_request(),
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
        if self.admission == Admission::Open && self.origin.must_wait() {
            self.admission = Admission::Waiting;
        }
        if self.admission == Admission::Waiting {
            return (false, None);
        }
        self.admission = Admission::Open;
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
            host: head.host.as_ref().map(text),
            body: head.body,
            signed: head.signed,
            signed_head: head.signed_head,
            credentials: Credentials::of(head.credentials.each_ref().map(|range| bytes.get(range.clone()?))),
            length,
            websocket: head.websocket,
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
            RequestPlan::Handshake => {
                let raw = self.from_client.take(head.len);
                let edit = HeadEdit {
                    drop_extensions: true,
                    ..HeadEdit::default()
                };
                self.to_upstream.push(head::rewrite(&raw, edit));
                self.request = Request::Sent;
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
        let target = collect.head.target.clone();
        let encoded = !collect.head.body.encoding.is_identity();
        let raw = self.from_client.take(whole);
        exchange.count_request_bytes(whole - head_len);
        let body = payload.map_or_else(|| raw.slice(head_len..), BytesMut::freeze);
        self.request = Request::Inspect(Some(Collected {
            raw,
            head_len,
            target,
            encoded,
        }));
        (
            true,
            self.exchange.take().map(|exchange| Job::new(exchange, body)),
        )
    }

    /// Lets the request begin that waits.
    pub(in super::super) fn admit(&mut self) {
        self.admission = Admission::Admitted;
    }

    /// Takes the result of a job.
    pub(in super::super) fn inspected(&mut self, inspected: Inspected) {
        if let Some(session) = &mut self.session {
            let mut out = Output::default();
            session.inspected(inspected, &mut out);
            return self.send(out);
        }
        let Inspected { exchange, decision } = inspected;
        self.exchange = Some(exchange);
        let Request::Inspect(collected) = &mut self.request else {
            return;
        };
        let Some(Collected {
            raw,
            head_len,
            target,
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
            Decision::Edited { body, target: to } => {
                let edit = HeadEdit {
                    length: body.as_ref().map(Bytes::len),
                    decoded: encoded && body.is_some(),
                    ..HeadEdit::default()
                };
                let mut head = head::rewrite(&raw[..head_len], edit);
                if let Some(to) = to {
                    // The request line is kept by every edit.
                    head.splice(target, to.into_bytes());
                }
                self.to_upstream.push(head);
                self.to_upstream
                    .push(body.unwrap_or_else(|| raw.slice(head_len..)));
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

    fn session_request(&mut self) -> (bool, Option<Job>) {
        let Some(session) = self.session.as_mut().filter(|session| !session.is_inspecting()) else {
            return (false, None);
        };
        let bytes = self.from_client.bytes.split().freeze();
        let came = !bytes.is_empty();
        session.push_client(bytes);
        let mut out = Output::default();
        let job = session.step_client(&mut out);
        let moved = came || !out.is_empty();
        self.send(out);
        (moved, job)
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
}
