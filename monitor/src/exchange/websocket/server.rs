//! The server's direction of a session.

use bytes::Bytes;
use monitor_protocol::{CloseCode, Frame, MessageKind, StreamEvent, WebSocketMessage, read_event};

use super::super::{Flow, Outcome};
use super::{Output, Session, State};

impl Session {
    /// Takes bytes of the server's.
    pub(in super::super) fn take_server(&mut self, bytes: Bytes, out: &mut Output) {
        self.server.push(bytes);
        while self.state == State::Open && self.paused_until().is_none() {
            match self.server.next() {
                Ok(Some(message)) => self.server_message(message, out),
                Ok(None) => return,
                Err(_) => return self.server_broke(out),
            }
        }
        if self.state == State::Unread {
            let rest = self.server.remainder();
            self.origin.count_bytes(0, rest.len() as u64);
            out.to_client.push(rest);
        }
    }

    fn server_message(&mut self, message: WebSocketMessage, out: &mut Output) {
        if message.kind().is_control() {
            // Nothing comes after a close frame that could decide what is held back.
            if message.kind() == MessageKind::Close && self.flush(out) == Flow::Cut {
                return self.ended(CloseCode::GOING_AWAY, out);
            }
            return self.pass_to_client(message.raw().clone(), out);
        }
        let frame = Frame::WebSocket(message);
        let Ok(read) = read_event(&self.call, &frame) else {
            return self.unreadable(&frame, out);
        };
        let says = read.begins || !read.deltas.is_empty() || read.usage.is_some();
        let known = self.turn_of(&read);
        if read.error
            && !says
            && let Some(refused) = self.refused_turn(&read, known)
        {
            self.refused_by_provider(refused);
            return self.pass_to_client(frame.raw().clone(), out);
        }
        match known {
            Some(at) => self.give(at, &frame, read, out),
            None if says => {
                // Usage by itself is all there is of an answer that has neither begun nor any text.
                let lone = !read.begins && read.deltas.is_empty();
                if let Some(at) = self.begin_unasked(&read, out) {
                    self.give(at, &frame, read, out);
                    if lone && self.turns.len() > at {
                        self.end_turn(at, out);
                    }
                }
            }
            None => self.pass_to_client(frame.raw().clone(), out),
        }
    }

    /// Gives a message to the answer it belongs to.
    fn give(&mut self, at: usize, frame: &Frame, read: StreamEvent<'_>, out: &mut Output) {
        let over = read.terminal;
        let turn = &mut self.turns[at];
        turn.begun |= read.begins || !read.deltas.is_empty();
        let from = out.to_client.len();
        let flow = turn.exchange.take_message(frame, Some(read), &mut out.to_client);
        let sent = out.to_client[from..].iter().map(Bytes::len).sum();
        turn.exchange.count_response_bytes(sent);
        match flow {
            Flow::Cut => {
                let turn = self.turns.remove(at);
                self.finish(turn.exchange, Outcome::Complete);
                self.ended(CloseCode::GOING_AWAY, out);
            }
            Flow::Continue if over => self.end_turn(at, out),
            Flow::Continue => {}
        }
    }

    /// Puts an answer on record that is over.
    fn end_turn(&mut self, at: usize, out: &mut Output) {
        let mut turn = self.turns.remove(at);
        let flow = turn.let_go_of_held(out);
        self.finish(turn.exchange, Outcome::Complete);
        if flow == Flow::Cut {
            self.ended(CloseCode::GOING_AWAY, out);
        }
    }

    /// The answer that was asked for and will not come, as an error says: the one that is over with it, or else the oldest
    /// that has not begun.
    fn refused_turn(&self, read: &StreamEvent<'_>, known: Option<usize>) -> Option<usize> {
        match known {
            Some(at) if !self.turns[at].begun => Some(at),
            Some(_) if read.terminal => None,
            _ => self.turns.iter().position(|turn| !turn.begun),
        }
    }

    /// What was said for an answer that will not come counts for the next one: it may be part of the conversation.
    fn refused_by_provider(&mut self, at: usize) {
        let mut turn = self.turns.remove(at);
        let said = turn.exchange.prompt_tokens;
        turn.exchange.refused_by_provider();
        turn.exchange.error = Some(crate::event::ErrorClass::Provider);
        self.finish(turn.exchange, Outcome::Complete);
        let mut pending = self.take_pending();
        pending.prompt_tokens = pending.prompt_tokens.saturating_add(said);
        self.pending = Some(pending);
    }

    /// Lets go of what is held back of all answers.
    ///
    /// [`Flow::Cut`] where policy ended one of them: the client has been told the end of the session.
    pub(super) fn flush(&mut self, out: &mut Output) -> Flow {
        for turn in &mut self.turns {
            if turn.let_go_of_held(out) == Flow::Cut {
                return Flow::Cut;
            }
        }
        Flow::Continue
    }

    /// A message that is not what the operation's are.
    fn unreadable(&mut self, frame: &Frame, out: &mut Output) {
        let at = match self.turns.iter().position(|turn| turn.begun) {
            Some(at) => at,
            None => {
                let pending = self.take_pending();
                let must = pending.must_read_text();
                self.pending = Some(pending);
                if !must {
                    return self.pass_to_client(frame.raw().clone(), out);
                }
                match self.begin_unasked(&StreamEvent::default(), out) {
                    Some(at) => at,
                    None => return,
                }
            }
        };
        let turn = &mut self.turns[at];
        if turn.exchange.take_message(frame, None, &mut out.to_client) == Flow::Cut {
            let turn = self.turns.remove(at);
            self.finish(turn.exchange, Outcome::Complete);
            self.ended(CloseCode::GOING_AWAY, out);
        }
    }

    /// The server's bytes are no WebSocket, or too large a message.
    fn server_broke(&mut self, out: &mut Output) {
        let mut exchange = if self.turns.is_empty() {
            self.take_pending()
        } else {
            self.turns.remove(0).exchange
        };
        if !exchange.must_read_answer() {
            self.finish(exchange, Outcome::UpstreamFailed);
            return self.pass_unread(out);
        }
        if self.flush(out) == Flow::Continue {
            exchange.expect_messages();
            exchange.cut_broken(&mut out.to_client);
        }
        self.finish(exchange, Outcome::Complete);
        self.ended(CloseCode::PROTOCOL_ERROR, out);
    }

    fn pass_to_client(&mut self, bytes: Bytes, out: &mut Output) {
        self.origin.count_bytes(0, bytes.len() as u64);
        out.to_client.push(bytes);
    }
}
