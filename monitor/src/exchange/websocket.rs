//! Conversations over WebSocket, after the handshake: every answer is an exchange of its own.
//!
//! 1. A client's message is read when it is whole. What it says to the model is scanned, edited or refused, and counted
//!    into the prompt of the next answer. Where it asks for that answer, tokens are reserved before it is passed on.
//! 2. A server's message belongs to an answer that was asked for, begins one unasked, or to none. The texts of an answer
//!    are metered, covered and scanned as those of a stream of events are.
//! 3. When the answer is over, it is settled and on record. What is under way when either side leaves is settled by what
//!    was seen of it.
//!
//! Both directions run at once; a message inspected on another thread holds up the client's direction only. Control frames
//! pass at once. What each side may make us hold is one message up to its bound.
//!
//! The conversation before an answer is the provider's: it counts it into every prompt, and only the provider's usage tells
//! how much it is. An answer without that is an under-estimate. Where answers run side by side and their events do not say
//! which one they belong to, they are accounted in the order in which they end.

mod server;
mod turn;

use std::sync::Arc;

use bytes::Bytes;
use monitor_content::{Pseudonyms, Restorer};
use monitor_protocol::{
    Call, CloseCode, Framing, MAX_MESSAGE_BYTES, MaskingKey, MessageKind, RefusalReason, Sender,
    WebSocketDecoder, WebSocketError, WebSocketMessage, close_payload, cut, encode_message,
};

use tokio::time::Instant;

use super::fields::BodyFields;
use super::{
    Credentials, Decision, Exchange, Fingerprint, Flow, Inspected, Job, Origin, Outcome, RequestHeadView,
};
use crate::event::ShortText;
use turn::Turn;

/// What a session wants to be sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// To the client.
    pub(super) to_client: Vec<Bytes>,
    /// To the upstream.
    pub(super) to_upstream: Vec<Bytes>,
    /// Nothing follows: both sides are closed when this has been sent.
    pub(super) ended: bool,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.to_client.is_empty() && self.to_upstream.is_empty() && !self.ended
    }
}

/// How far a session is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// One side broke the protocol or a bound, and no policy is enforced: bytes pass as they come.
    Unread,
    /// It was ended by policy.
    Ended,
}

/// One WebSocket whose messages are read.
pub(super) struct Session {
    origin: Arc<Origin>,
    version: &'static str,
    method: ShortText,
    path: ShortText,
    status: Option<u16>,
    /// The handshake's.
    api_key: Option<Fingerprint>,
    /// The model is that named last.
    call: Call,
    client: WebSocketDecoder,
    server: WebSocketDecoder,
    /// What stands for texts of the conversation, unless it is with the message that is being inspected.
    pseudonyms: Option<Box<Pseudonyms>>,
    /// Finds them in the answers that follow.
    restorer: Option<Arc<Restorer>>,
    /// What was said since the last answer was asked for.
    pending: Option<Exchange>,
    /// The client's message that is being inspected.
    inspecting: Option<WebSocketMessage>,
    /// Answers that were asked for or have begun, in that order.
    turns: Vec<Turn>,
    state: State,
}

impl Session {
    /// The session that the upstream has agreed to. Its handshake goes on record.
    pub(super) fn begin(handshake: Exchange) -> Self {
        let origin = handshake.origin.clone();
        let session = Self {
            version: handshake.version,
            method: handshake.method.clone(),
            path: handshake.path.clone(),
            status: handshake.status,
            api_key: handshake.api_key,
            call: handshake.call.clone(),
            client: WebSocketDecoder::with_limit(Sender::Client, origin.node.request_limit_bytes),
            server: WebSocketDecoder::with_limit(Sender::Server, MAX_MESSAGE_BYTES),
            origin,
            pseudonyms: None,
            restorer: None,
            pending: None,
            inspecting: None,
            turns: Vec::new(),
            state: State::Open,
        };
        handshake.finish(Outcome::Complete);
        session
    }

    /// Whether the client's next bytes must wait for a message that is being inspected.
    pub(super) fn is_inspecting(&self) -> bool {
        self.inspecting.is_some()
    }

    /// Until when the server's messages wait, because an answer is slowed down; [`Session::resume`] is to be called then.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.turns
            .iter()
            .filter_map(|turn| turn.exchange.paused_until())
            .max()
    }

    /// Goes on with the server's messages after a pause.
    pub(super) fn resume(&mut self, out: &mut Output) {
        for turn in &mut self.turns {
            turn.exchange.end_pause();
        }
        self.take_server(Bytes::new(), out);
    }

    /// Takes bytes of the client's; [`Session::step_client`] reads them.
    pub(super) fn push_client(&mut self, bytes: Bytes) {
        self.client.push(bytes);
    }

    /// Reads the client's messages up to one that is better inspected away from the connections of the thread: its job is
    /// handed out, and its result to be given to [`Session::inspected`].
    pub(super) fn step_client(&mut self, out: &mut Output) -> Option<Job> {
        while self.state == State::Open && self.inspecting.is_none() {
            let message = match self.client.next() {
                Ok(Some(message)) => message,
                Ok(None) => return None,
                Err(error) => {
                    self.client_broke(error, out);
                    return None;
                }
            };
            if message.kind().is_control() {
                self.origin.count_bytes(message.raw().len() as u64, 0);
                out.to_upstream.push(message.raw().clone());
                continue;
            }
            let mut exchange = self.take_pending();
            exchange.count_request_bytes(message.raw().len());
            if let Some(refusal) = exchange.check_known() {
                self.refuse(exchange, &refusal.reason, out);
                return None;
            }
            exchange.pseudonyms = self.pseudonyms.take();
            let job = Job::new(exchange, message.data().clone());
            self.inspecting = Some(message);
            if job.waits() {
                return Some(job);
            }
            self.inspected(job.run(), out);
        }
        if self.state == State::Unread {
            let rest = self.client.remainder();
            self.origin.count_bytes(rest.len() as u64, 0);
            out.to_upstream.extend((!rest.is_empty()).then_some(rest));
        }
        None
    }

    /// Takes the result of a job.
    pub(super) fn inspected(&mut self, inspected: Inspected, out: &mut Output) {
        let Inspected {
            mut exchange,
            decision,
        } = inspected;
        let Some(message) = self.inspecting.take() else {
            return;
        };
        self.pseudonyms = exchange.pseudonyms.take();
        self.restorer.clone_from(&exchange.restorer);
        let passed = match decision {
            Decision::Forward => message.raw().clone(),
            Decision::Edited { body: Some(data), .. } => encode_message(message.kind(), &data, message.key()),
            Decision::Edited { body: None, .. } => message.raw().clone(),
            Decision::Refuse(refusal) => return self.refuse(exchange, &refusal.reason, out),
        };
        if let Some(model) = &exchange.model {
            self.call.model = Some(model.as_str().to_ascii_lowercase());
        }
        if !exchange.was_asked() {
            self.pending = Some(exchange);
        } else {
            exchange.expect_messages();
            if !self.add_turn(Turn::asked(exchange)) {
                return self.too_many(out);
            }
        }
        out.to_upstream.push(passed);
    }

    /// Ends the session: one side has gone. What was held back of the answers is let go first.
    pub(super) fn end(&mut self, outcome: Outcome, out: &mut Output) {
        let _flow = self.flush(out);
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        for turn in std::mem::take(&mut self.turns) {
            self.finish(turn.exchange, outcome);
        }
        if let Some(pending) = self.pending.take() {
            pending.let_go(self.status);
        }
    }

    /// An exchange for what the client says next, or for an answer that nobody asked for.
    fn take_pending(&mut self) -> Exchange {
        let mut exchange = match self.pending.take() {
            Some(pending) => pending,
            None => {
                let head = RequestHeadView {
                    version: self.version,
                    method: self.method.as_str(),
                    target: self.path.as_str(),
                    host: None,
                    body: BodyFields::default(),
                    signed: false,
                    signed_head: false,
                    credentials: Credentials::default(),
                    length: None,
                    websocket: true,
                };
                let mut exchange = Exchange::new(&self.origin, &head, self.call.clone());
                exchange.api_key = self.api_key;
                exchange
            }
        };
        exchange.restorer.clone_from(&self.restorer);
        exchange
    }

    fn finish(&self, mut exchange: Exchange, outcome: Outcome) {
        exchange.status = self.status;
        exchange.finish(outcome);
    }

    // === Ends by policy ===

    /// Ends the session in the provider's own way, because `exchange` was refused.
    fn refuse(&mut self, exchange: Exchange, reason: &RefusalReason, out: &mut Output) {
        if self.flush(out) == Flow::Continue {
            out.to_client
                .push(cut(&self.call, Framing::WebSocket, true, reason).into());
        }
        self.finish(exchange, Outcome::Complete);
        self.ended(CloseCode::GOING_AWAY, out);
    }

    /// More answers side by side than are told apart.
    fn too_many(&mut self, out: &mut Output) {
        let mut exchange = self.take_pending();
        let refusal = exchange.refuse_unreadable();
        self.refuse(exchange, &refusal.reason, out);
    }

    /// The client has been told the end; the upstream is told, too.
    fn ended(&mut self, code: CloseCode, out: &mut Output) {
        self.state = State::Ended;
        out.ended = true;
        if !self.client.is_closed() {
            let payload = close_payload(code, "");
            out.to_upstream
                .push(encode_message(MessageKind::Close, &payload, Some(masking_key())));
        }
        self.close(Outcome::ClientGone);
    }

    /// The client's bytes are no WebSocket, or too large a message.
    fn client_broke(&mut self, error: WebSocketError, out: &mut Output) {
        let mut exchange = self.take_pending();
        let too_large = matches!(error, WebSocketError::TooLarge { .. });
        let refused = if too_large {
            exchange.over_limit().is_some()
        } else {
            exchange.unreadable_message()
        };
        if !refused {
            self.finish(exchange, Outcome::Complete);
            return self.pass_unread(out);
        }
        if self.flush(out) == Flow::Continue {
            let payload = close_payload(error.close_code(), &error.to_string());
            out.to_client
                .push(encode_message(MessageKind::Close, &payload, None));
        }
        self.finish(exchange, Outcome::Complete);
        self.ended(CloseCode::GOING_AWAY, out);
    }

    /// From here on bytes pass as they come; the answers under way are settled when the session ends.
    fn pass_unread(&mut self, out: &mut Output) {
        // Where no policy is enforced, nothing is held back.
        let _flow = self.flush(out);
        self.state = State::Unread;
        for (rest, to) in [
            (self.client.remainder(), &mut out.to_upstream),
            (self.server.remainder(), &mut out.to_client),
        ] {
            to.push(rest);
        }
    }
}

impl Drop for Session {
    /// The connection failed under the session.
    fn drop(&mut self) {
        self.close(Outcome::UpstreamFailed);
    }
}

/// A key as unpredictable as RFC 6455, section 10.3, asks. The source of randomness fails only with the platform; a frame
/// of ours without it says nothing that anyone else has chosen.
fn masking_key() -> MaskingKey {
    let mut key = MaskingKey::default();
    let _filled = aws_lc_rs::rand::fill(&mut key);
    key
}
