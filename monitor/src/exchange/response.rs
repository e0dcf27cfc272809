//! Reading responses: passed and read aside, held until whole, or event by event.

use bytes::Bytes;
use monitor_protocol::{
    Call, Channel, Edit, Frame, FrameDecoder, Framing, RefusalReason, Response, StreamEvent, cut, read_event,
    read_response,
};

use super::decode::{Decoder, decode_whole};
use super::fields::{BodyFields, ContentEncoding, HeadUsage, MediaType};
use super::include_usage;
use super::pieces::Pieces;
use super::release::{Found, Release};
use super::{Exchange, Flow, ResponsePlan, WholeDecision};
use crate::event::{ErrorClass, Reason, Verdict};

/// Bytes of a whole response that are read for its usage and texts. Completions stay under 1 MiB; with log
/// probabilities or images they reach some more.
const WHOLE_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that one piece of an encoded stream may decode to.
const PIECE_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// How the response is read.
pub(super) enum Reader {
    /// It is not: the operation is not known, or the request could not be read.
    Unread,
    /// Its head has not come.
    Expecting,
    /// The provider refused or failed: nothing was spent.
    Failed,
    /// It has no text: only its size is known.
    Sized,
    /// One document.
    Whole(Whole),
    /// A stream of events.
    Stream(Box<Stream>),
    /// It was being read and could not be read on.
    Lost,
}

/// One document, read when it is whole.
pub(super) struct Whole {
    encoding: ContentEncoding,
    /// It may be plain text.
    plain: bool,
    body: Pieces,
}

/// What a whole answer is.
#[derive(Clone, Copy)]
pub(super) enum Document<'d> {
    /// One of the provider's documents.
    Read(&'d Response<'d>),
    /// One text (a transcript, subtitles).
    Plain(&'d str),
}

/// Where a text that is a whole answer stands.
const PLAIN: Channel = Channel {
    choice: 0,
    part: monitor_protocol::Part::Text,
    index: 0,
};

/// A stream of events.
pub(super) struct Stream {
    decoder: Option<Decoder>,
    frames: FrameDecoder,
    /// What scans the texts, and holds back what is not decided.
    release: Option<Release>,
    /// The client is sent what the reader lets go of; otherwise it has been sent the bytes already.
    changes: bool,
    /// The protocol's own end was seen.
    pub(super) ended: bool,
}

impl Exchange {
    /// Takes what the response's head says it cost.
    pub fn note_head_usage(&mut self, usage: HeadUsage) {
        self.head_usage = usage;
    }

    /// Takes the response's status and what its head says of the body.
    pub fn response_head(&mut self, status: u16, body: BodyFields) -> ResponsePlan {
        self.status = Some(status);
        let framing = framing_of(body.media, self.call.streams);
        self.streamed = framing.is_some();
        self.error = ErrorClass::from_status(status);
        if !matches!(self.reader, Reader::Expecting) {
            return ResponsePlan::Pass;
        }
        if status >= 400 {
            self.reader = Reader::Failed;
            return ResponsePlan::Pass;
        }
        if body.media == MediaType::Binary {
            self.reader = Reader::Sized;
            return ResponsePlan::Pass;
        }
        if !body.encoding.is_known() {
            if self.applied.edits_response() {
                self.reader = Reader::Lost;
                return ResponsePlan::Refuse(self.refuse_upstream());
            }
            self.give_up_restoring();
        }
        match framing {
            Some(framing) => {
                self.framing = framing;
                let changes = self.may_change_response();
                let encoded = !body.encoding.is_identity();
                self.reader = Reader::Stream(Box::new(Stream {
                    decoder: encoded.then(|| Decoder::new(body.encoding, PIECE_LIMIT_BYTES)),
                    frames: FrameDecoder::new(framing),
                    release: Release::of(
                        &self.applied,
                        &self.origin.node.fingerprints,
                        self.restorer.as_ref(),
                    ),
                    changes,
                    ended: false,
                }));
                ResponsePlan::Stream {
                    decoded: changes && encoded,
                    may_change: changes,
                }
            }
            None => {
                self.reader = Reader::Whole(Whole {
                    encoding: body.encoding,
                    plain: body.media == MediaType::Text,
                    body: Pieces::default(),
                });
                if self.applied.edits_response() || self.restores() {
                    ResponsePlan::Hold {
                        limit_bytes: WHOLE_LIMIT_BYTES,
                    }
                } else {
                    ResponsePlan::Pass
                }
            }
        }
    }

    /// Takes payload that is passed to the client as it came.
    pub fn response_passed(&mut self, payload: Bytes) {
        let Reader::Whole(whole) = &mut self.reader else {
            return;
        };
        if whole.body.len() + payload.len() > WHOLE_LIMIT_BYTES {
            self.reader = Reader::Lost;
        } else {
            whole.body.push(payload);
        }
    }

    /// Takes payload of a stream; what the client is to be sent is appended to `out`.
    pub fn response_streamed(&mut self, payload: Bytes, out: &mut Vec<Bytes>) -> Flow {
        let Reader::Stream(stream) = &mut self.reader else {
            out.push(payload);
            return Flow::Continue;
        };
        if payload.is_empty() {
            return self.next_events(out);
        }
        if !stream.changes {
            out.push(payload.clone());
        }
        let decoded = match &mut stream.decoder {
            None => Ok(payload),
            Some(decoder) => decoder.push(payload),
        };
        let Ok(decoded) = decoded else {
            return self.lose_stream(out);
        };
        stream.frames.push(decoded);
        self.next_events(out)
    }

    /// Reads the events that are whole, up to a pause.
    fn next_events(&mut self, out: &mut Vec<Bytes>) -> Flow {
        while self.paused_until.is_none() {
            let Reader::Stream(stream) = &mut self.reader else {
                return Flow::Continue;
            };
            match stream.frames.next() {
                Ok(None) => return Flow::Continue,
                Ok(Some(event)) => {
                    if self.event(event, out) == Flow::Cut {
                        return Flow::Cut;
                    }
                }
                Err(_) => return self.lose_stream(out),
            }
        }
        Flow::Continue
    }

    fn event(&mut self, event: Frame, out: &mut Vec<Bytes>) -> Flow {
        match read_event(&self.call, &event) {
            Ok(read) => {
                let terminal = read.terminal || read.error;
                let flow = self.take_event(&event, read, out);
                self.pause_after(terminal);
                flow
            }
            Err(_) => self.take_unreadable(&event, out),
        }
    }

    /// What cannot be read cannot be shown to hold nothing that policy forbids.
    fn take_unreadable(&mut self, event: &Frame, out: &mut Vec<Bytes>) -> Flow {
        if self.applied.edits_response() {
            return self.cut(RefusalReason::Unreadable, Reason::Unreadable, None, out);
        }
        let Reader::Stream(stream) = &mut self.reader else {
            return Flow::Continue;
        };
        match &mut stream.release {
            _ if !stream.changes => Flow::Continue,
            Some(release) => {
                // Behind what is held.
                release.queue(event.clone(), None);
                self.release(&[], out)
            }
            None => {
                out.push(event.raw().clone());
                self.begun = true;
                Flow::Continue
            }
        }
    }

    /// Counts, covers and scans what an event says.
    fn take_event(&mut self, event: &Frame, read: StreamEvent<'_>, out: &mut Vec<Bytes>) -> Flow {
        let Reader::Stream(stream) = &mut self.reader else {
            return Flow::Continue;
        };
        stream.ended |= read.terminal;
        if read.error || event.is_exception() {
            self.error = Some(ErrorClass::Stream);
        }
        if let Some(spending) = &mut self.spending {
            for delta in &read.deltas {
                if !delta.telling.repeats(spending.counts(delta.channel)) {
                    spending.add(delta.channel, &delta.text);
                }
            }
            if let Some(counters) = read.usage {
                spending.provider(counters);
            }
            if let Err(denied) = spending.cover() {
                let (reason, policy) = self.budget_refusal(&denied);
                return self.cut(reason, Reason::Budget, policy, out);
            }
            let changes = stream.changes;
            if let Some(slowed) = spending.slowed() {
                self.slow(&slowed, changes);
            }
        }
        let Reader::Stream(stream) = &mut self.reader else {
            return Flow::Continue;
        };
        let changes = stream.changes;
        if self.asked_usage && read.usage_only {
            // The client did not ask for it.
            return Flow::Continue;
        }
        let unasked = if self.asked_usage {
            include_usage::null_member(event.data())
        } else {
            None
        };
        let Some(release) = &mut stream.release else {
            drop(read);
            if changes {
                out.push(match unasked {
                    // The span lies in the data: the edit can be made.
                    Some(member) => event
                        .edited(&[Edit::json(member, "")])
                        .unwrap_or_else(|_| event.raw().clone()),
                    None => event.raw().clone(),
                });
                self.begun = true;
            }
            return Flow::Continue;
        };
        let mut found = Vec::new();
        let fits = release.scan(event, &read, &mut found);
        let called = release.called_tools();
        drop(read);
        if changes {
            release.queue(event.clone(), unasked);
        }
        if !fits && self.applied.edits_response() {
            return self.cut(RefusalReason::Unreadable, Reason::TooLarge, None, out);
        }
        if let Some((reason, policy)) = self.check_called(&called) {
            return self.cut(reason, Reason::Tool, Some(policy), out);
        }
        self.release(&found, out)
    }

    /// Acts on what the scans of a stream have found, and lets go of what is decided.
    fn release(&mut self, found: &[Found], out: &mut Vec<Bytes>) -> Flow {
        let applied = self.applied.clone();
        let limited = match &mut self.reader {
            Reader::Stream(stream) => stream.release.as_mut().map(Release::limited),
            _ => None,
        };
        for (rule, part) in limited.into_iter().flatten() {
            let Some(scan) = applied.response.get(rule) else {
                continue;
            };
            if self.refuses_limited(scan, part) {
                let reason = RefusalReason::Policy {
                    name: scan.policy.to_string(),
                };
                let flow = self.cut(reason, Reason::Content, Some(scan.policy.clone()), out);
                self.note_scan(scan, &[]);
                return flow;
            }
        }
        for Found {
            rule,
            part,
            finding,
            hash,
        } in found
        {
            let Some(scan) = applied.response.get(*rule) else {
                continue;
            };
            self.note_finding(finding, scan, *part, || *hash);
            if scan.blocks() {
                let reason = RefusalReason::Policy {
                    name: scan.policy.to_string(),
                };
                let flow = self.cut(reason, Reason::Content, Some(scan.policy.clone()), out);
                self.note_scan(scan, std::slice::from_ref(finding));
                return flow;
            }
            if scan.redacts() {
                self.decide(Verdict::Redacted, Reason::Content, Some(scan.policy.clone()));
                self.note_scan(scan, std::slice::from_ref(finding));
            } else {
                self.observe_scan(scan, std::slice::from_ref(finding));
            }
        }
        let Reader::Stream(stream) = &mut self.reader else {
            return Flow::Continue;
        };
        let before = out.len();
        let drained = match &mut stream.release {
            Some(release) if stream.changes => release.drain(out),
            _ => Ok(()),
        };
        self.begun |= out.len() > before;
        match drained {
            Ok(()) => Flow::Continue,
            Err(_) => self.cut(RefusalReason::Unreadable, Reason::Unreadable, None, out),
        }
    }

    // === Messages of a WebSocket, which the session divides ===

    /// Expects the messages of an answer.
    pub(super) fn expect_messages(&mut self) {
        (self.streamed, self.framing) = (true, Framing::WebSocket);
        self.reader = Reader::Stream(Box::new(Stream {
            decoder: None,
            frames: FrameDecoder::new(Framing::WebSocket),
            release: Release::of(
                &self.applied,
                &self.origin.node.fingerprints,
                self.restorer.as_ref(),
            ),
            changes: self.may_change_response(),
            ended: false,
        }));
    }

    /// Takes a message that comes while the answer does; what the client is to be sent is appended to `out`.
    pub(super) fn take_message(
        &mut self,
        message: &Frame,
        read: Option<StreamEvent<'_>>,
        out: &mut Vec<Bytes>,
    ) -> Flow {
        if matches!(&self.reader, Reader::Stream(stream) if !stream.changes) {
            out.push(message.raw().clone());
        }
        match read {
            Some(read) => {
                let terminal = read.terminal || read.error;
                let flow = self.take_event(message, read, out);
                self.pause_after(terminal);
                flow
            }
            None => self.take_unreadable(message, out),
        }
    }

    /// Ends the stream in the protocol's own way.
    pub(super) fn cut(
        &mut self,
        reason: RefusalReason,
        recorded: Reason,
        policy: Option<std::sync::Arc<str>>,
        out: &mut Vec<Bytes>,
    ) -> Flow {
        self.decide(Verdict::Cut, recorded, policy);
        out.push(cut(&self.call, self.framing, self.begun, &reason).into());
        Flow::Cut
    }

    /// The stream cannot be read on: it ends where policy must see it, and passes unread where not.
    fn lose_stream(&mut self, out: &mut Vec<Bytes>) -> Flow {
        let Reader::Stream(mut stream) = std::mem::replace(&mut self.reader, Reader::Lost) else {
            return Flow::Continue;
        };
        if stream.changes {
            return self.cut(RefusalReason::Unreadable, Reason::Unreadable, None, out);
        }
        stream.frames.remainder();
        self.reason.get_or_insert(Reason::Unreadable);
        Flow::Continue
    }

    /// The response's body has ended; what was held back is appended to `out`.
    pub fn response_end(&mut self, out: &mut Vec<Bytes>) -> Flow {
        if let Reader::Stream(stream) = &mut self.reader
            && let Some(last) = stream.frames.finish()
            && self.event(last, out) == Flow::Cut
        {
            return Flow::Cut;
        }
        match &mut self.reader {
            Reader::Stream(stream) => {
                let mut found = Vec::new();
                let mut called = Vec::new();
                if let Some(release) = &mut stream.release {
                    release.finish(&mut found);
                    called = release.called_tools();
                }
                let rest = stream.frames.remainder();
                let changes = stream.changes;
                if let Some((reason, policy)) = self.check_called(&called) {
                    return self.cut(reason, Reason::Tool, Some(policy), out);
                }
                let flow = self.release(&found, out);
                if changes && flow == Flow::Continue {
                    // The start of an event that never ended; clients drop it.
                    out.push(rest);
                }
                flow
            }
            Reader::Whole(whole) => {
                let body = std::mem::take(&mut whole.body).whole();
                let (encoding, plain) = (whole.encoding, whole.plain);
                let read = read_whole(&self.call.clone(), encoding, plain, body, |_, document| {
                    self.account(document);
                    self.scan_whole(document);
                });
                if read == Err(Unreadable) {
                    self.reader = Reader::Lost;
                }
                Flow::Continue
            }
            _ => Flow::Continue,
        }
    }

    /// Decides about a response that was held until whole.
    pub fn whole_response(&mut self, payload: Bytes) -> WholeDecision {
        let Reader::Whole(whole) = &self.reader else {
            return WholeDecision::Forward;
        };
        let (encoding, plain) = (whole.encoding, whole.plain);
        let decided = read_whole(&self.call.clone(), encoding, plain, payload, |body, document| {
            self.account(document);
            match document {
                Document::Read(response) => self.edit_whole(body, response),
                Document::Plain(text) => self.edit_plain(text),
            }
        });
        match decided {
            Ok(decision) => decision,
            Err(Unreadable) => {
                self.reader = Reader::Lost;
                if self.applied.edits_response() {
                    return WholeDecision::Refuse(self.refuse_upstream());
                }
                self.give_up_restoring();
                WholeDecision::Forward
            }
        }
    }

    /// Whether the answer may be changed or cut on its way.
    pub(super) fn may_change_response(&self) -> bool {
        self.applied.may_change_response() || self.restores()
    }

    /// Counts the texts and takes the provider's figures.
    fn account(&mut self, document: Document<'_>) {
        if let Document::Read(response) = document
            && response.error
        {
            self.error.get_or_insert(ErrorClass::Provider);
        }
        let Some(spending) = &mut self.spending else {
            return;
        };
        match document {
            Document::Plain(text) => spending.add(PLAIN, text),
            Document::Read(response) => {
                for text in &response.texts {
                    spending.add(text.channel, &text.text());
                }
                if let Some(counters) = response.usage {
                    spending.provider(counters);
                }
            }
        }
        // The answer is here whole: what its reservation does not cover becomes debt when it is settled.
        let _denied = spending.cover();
    }
}

/// How a streamed answer of this type is divided; `None` for one that comes whole. `streams`: the path asks for a stream,
/// which Gemini answers by an array that grows unless it is asked for events.
fn framing_of(media: MediaType, streams: bool) -> Option<Framing> {
    match media {
        MediaType::EventStream => Some(Framing::Sse),
        MediaType::NdJson => Some(Framing::Ndjson),
        MediaType::AwsEventStream => Some(Framing::EventStream),
        MediaType::Json if streams => Some(Framing::JsonArray),
        _ => None,
    }
}

fn read_whole<T>(
    call: &Call,
    encoding: ContentEncoding,
    plain: bool,
    body: Bytes,
    then: impl FnOnce(&[u8], Document<'_>) -> T,
) -> Result<T, Unreadable> {
    let body = decode_whole(encoding, body, WHOLE_LIMIT_BYTES).map_err(|_| Unreadable)?;
    match (read_response(call, &body), plain) {
        (Ok(response), _) => Ok(then(&body, Document::Read(&response))),
        (Err(_), true) => {
            let text = std::str::from_utf8(&body).map_err(|_| Unreadable)?;
            Ok(then(&body, Document::Plain(text)))
        }
        (Err(_), false) => Err(Unreadable),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Unreadable;
