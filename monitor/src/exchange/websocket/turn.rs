//! One answer of a WebSocket: an exchange whose request came in messages.

use monitor_protocol::{CloseCode, RefusalReason, StreamEvent};

use super::super::conditions::Said;
use super::super::response::Reader;
use super::super::{Exchange, Flow, Refusal};
use super::{Output, Session};
use crate::event::{Reason, ShortText, Verdict};

/// Answers of one session side by side. OpenAI's lanes are for a handful of agents.
const MAX_TURNS: usize = 64;

/// An answer that was asked for or has begun.
pub(super) struct Turn {
    pub(super) exchange: Exchange,
    /// Which of the answers side by side it is, where that is said.
    pub(super) lane: Option<Box<str>>,
    /// The provider has begun it.
    pub(super) begun: bool,
}

impl Turn {
    /// One that the client asked for.
    pub(super) fn asked(mut exchange: Exchange) -> Self {
        Self {
            lane: exchange.lane.take(),
            exchange,
            begun: false,
        }
    }

    /// The answer is over, or nothing comes that could decide what is held back of it.
    pub(super) fn let_go_of_held(&mut self, out: &mut Output) -> Flow {
        let from = out.to_client.len();
        let flow = self.exchange.response_end(&mut out.to_client);
        let sent = out.to_client[from..].iter().map(bytes::Bytes::len).sum();
        self.exchange.count_response_bytes(sent);
        flow
    }
}

impl Session {
    /// Whether there was room for it.
    pub(super) fn add_turn(&mut self, turn: Turn) -> bool {
        let fits = self.turns.len() < MAX_TURNS;
        if fits {
            self.turns.push(turn);
        }
        fits
    }

    /// The answer that an event belongs to, of those that are known.
    pub(super) fn turn_of(&mut self, read: &StreamEvent<'_>) -> Option<usize> {
        let known = |lane: &str| {
            self.turns
                .iter()
                .position(|turn| turn.lane.as_deref() == Some(lane))
        };
        if let Some(at) = read.lane.as_deref().and_then(known) {
            return Some(at);
        }
        if read.begins || self.turns.iter().all(|turn| !turn.begun) {
            let at = self
                .turns
                .iter()
                .position(|turn| !turn.begun && turn.lane.is_none())?;
            if read.begins {
                self.turns[at].lane = read.lane.as_deref().map(Into::into);
            }
            return Some(at);
        }
        self.turns.iter().position(|turn| turn.begun)
    }

    /// Begins an answer that nobody asked for; `None` where that ended the session.
    pub(super) fn begin_unasked(&mut self, read: &StreamEvent<'_>, out: &mut Output) -> Option<usize> {
        let mut exchange = self.take_pending();
        if let Some(refusal) = exchange.begin_unasked() {
            if self.flush(out) == Flow::Continue {
                exchange.cut_refused(&refusal, &mut out.to_client);
            }
            self.finish(exchange, super::Outcome::Complete);
            self.ended(CloseCode::GOING_AWAY, out);
            return None;
        }
        let turn = Turn {
            exchange,
            lane: read.lane.as_deref().map(Into::into),
            begun: true,
        };
        if !self.add_turn(turn) {
            self.too_many(out);
            return None;
        }
        Some(self.turns.len() - 1)
    }
}

impl Exchange {
    /// Refuses a handshake for a model that policy does not allow, where its path names one.
    pub(in super::super) fn check_handshake(&mut self) -> Option<Refusal> {
        let model = self.call.model.clone()?;
        self.model = Some(ShortText::new(&model));
        // A policy with a condition is asked at each message.
        let open = self
            .selected
            .conditions
            .iter()
            .map(|condition| condition.policy.clone());
        let open: Vec<_> = open.collect();
        if !open.is_empty() {
            self.applied = std::sync::Arc::new(self.selected.without(&open));
        }
        self.check_model(&model)
    }

    /// Whether the message that was inspected last asked for an answer.
    pub(super) fn was_asked(&self) -> bool {
        matches!(self.reader, Reader::Expecting)
    }

    /// The provider answers unasked: a refusal where policy does not allow that.
    fn begin_unasked(&mut self) -> Option<Refusal> {
        let model = self.call.model.clone().unwrap_or_default();
        if !model.is_empty() {
            self.model = Some(ShortText::new(&model));
        }
        self.narrow(Said {
            body: &[],
            request: None,
            model: &model,
        });
        let refused = self
            .check_known()
            .or_else(|| self.check_operation(true))
            .or_else(|| self.check_model(&model))
            .or_else(|| self.reserve_unasked(&model));
        self.expect_messages();
        refused
    }

    /// What an answer that has begun is cut with.
    fn cut_refused(&mut self, refusal: &Refusal, out: &mut Vec<bytes::Bytes>) {
        let reason = self.reason.unwrap_or(Reason::Unreadable);
        let policy = self.policy.clone();
        let _ended = self.cut(refusal.reason.clone(), reason, policy, out);
    }

    /// The client's message breaks the protocol: whether it is refused for that.
    pub(super) fn unreadable_message(&mut self) -> bool {
        self.reason = Some(Reason::Unreadable);
        let enforced = self.applied.enforced;
        if enforced {
            let _refusal = self.refuse_unreadable();
        }
        enforced
    }

    /// Ends an answer that the server broke off by breaking the protocol.
    pub(super) fn cut_broken(&mut self, out: &mut Vec<bytes::Bytes>) {
        let _ended = self.cut(RefusalReason::Upstream, Reason::UpstreamFailed, None, out);
    }

    /// Whether the server's messages must be read.
    pub(super) fn must_read_answer(&self) -> bool {
        self.may_change_response()
    }

    /// Whether policy must see the server's texts.
    pub(super) fn must_read_text(&self) -> bool {
        self.applied.edits_response()
    }

    /// The provider refused to begin it: nothing is spent.
    pub(super) fn refused_by_provider(&mut self) {
        self.reader = Reader::Failed;
    }

    /// Prompt that no answer was asked for when the session ended. It is on record only where policy had to do with it.
    pub(super) fn let_go(mut self, status: Option<u16>) {
        self.status = status;
        if self.verdict == Verdict::Allowed && self.observed.is_none() && self.findings.is_empty() {
            self.origin.count_bytes(self.request_bytes, self.response_bytes);
            self.finished = true;
        } else {
            self.finish(super::Outcome::Complete);
        }
    }
}
