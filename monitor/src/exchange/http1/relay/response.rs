//! The response's side of a [`Relay`]: head, then a body that passes, is held, or is let go event by event.

use super::super::body::BodyReader;
use super::super::head::{self, Framing, HeadEdit, ResponseHead};
use super::{Hold, Reframe, Relay, Request, Response, Stream, framed_limit};
use crate::exchange::websocket::{Output, Session};
use crate::exchange::{Exchange, Flow, Outcome, ResponsePlan, WholeDecision};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

impl Relay {
    pub(super) fn step_response(&mut self) -> bool {
        match &mut self.response {
            Response::Head => self.read_response_head(),
            Response::Pass(_) => self.pass_response(),
            Response::Hold(_) => self.hold_response(),
            Response::Stream(_) => self.stream_response(),
            Response::Tunnel => self.tunnel_response(),
            Response::Session => self.session_response(),
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

    fn begin_response(&mut self, mut head: ResponseHead) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        let mut edit = HeadEdit {
            drop_alt_svc: head.has_alt_svc,
            ..HeadEdit::default()
        };
        if head.status == 101 {
            if exchange.asks_websocket() && !head.websocket {
                // Another protocol, or an extension that nobody offered: nothing of it could be read.
                let refusal = exchange.refuse_upstream();
                return self.refuse_and_close(&refusal);
            }
            exchange.tunnelled();
            if exchange.asks_websocket() {
                self.session = self
                    .exchange
                    .take()
                    .map(|exchange| Box::new(Session::begin(exchange)));
                self.push_response_head(head.len, edit);
                (self.request, self.response) = (Request::Session, Response::Session);
                return true;
            }
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
        exchange.note_head_usage(std::mem::take(&mut head.usage));
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
                    resumes: false,
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
        let encoded = !hold.head.body.encoding.is_identity();
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
            if exchange.paused_until().is_some() {
                return moved;
            }
            let reframe = stream.reframe;
            let mut out = Vec::new();
            if std::mem::take(&mut stream.resumes) {
                let flow = exchange.resume(&mut out);
                self.push_payload(out, reframe);
                if flow == Flow::Cut {
                    return self.cut_response(reframe);
                }
                moved = true;
                continue;
            }
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
                return self.cut_response(reframe);
            }
        }
        moved
    }

    fn cut_response(&mut self, reframe: Reframe) -> bool {
        self.push_last_chunk(reframe, Bytes::new());
        self.end_response(Outcome::Complete);
        self.finish_connection()
    }

    /// Until when nothing more of the answer is let go of.
    pub(in super::super) fn paused_until(&self) -> Option<Instant> {
        match (&self.response, &self.session, &self.exchange) {
            (Response::Session, Some(session), _) => session.paused_until(),
            (Response::Stream(stream), _, Some(exchange)) if !stream.resumes => exchange.paused_until(),
            _ => None,
        }
    }

    /// The pause is over.
    pub(in super::super) fn resume(&mut self) {
        if let Some(session) = &mut self.session {
            let mut out = Output::default();
            session.resume(&mut out);
            self.send(out);
        } else if let (Response::Stream(stream), Some(exchange)) = (&mut self.response, &mut self.exchange) {
            exchange.end_pause();
            stream.resumes = true;
        }
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

    fn session_response(&mut self) -> bool {
        let Some(session) = &mut self.session else {
            return false;
        };
        if session.paused_until().is_some() {
            return false;
        }
        let bytes = self.from_upstream.bytes.split().freeze();
        if !bytes.is_empty() {
            let mut out = Output::default();
            session.take_server(bytes, &mut out);
            self.send(out);
            return true;
        }
        self.from_upstream.ended && self.end(Outcome::UpstreamFailed)
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
}
