//! Reading responses: passed and read aside, held until whole, or event by event.

use bytes::Bytes;
use monitor_content::Finding;
use monitor_protocol::{
    Edit, Frame, FrameDecoder, Framing, RefusalReason, Response, cut, edit, read_event, read_response,
};

use super::decode::{Decoder, decode_whole};
use super::fields::{BodyFields, ContentEncoding, MediaType};
use super::inspect::substitute;
use super::pieces::Pieces;
use super::release::Release;
use super::{Exchange, Flow, ResponsePlan, WholeDecision};
use crate::event::{ErrorClass, Part, Reason, Verdict};

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
    body: Pieces,
}

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
    /// Takes the response's status and what its head says of the body.
    pub fn response_head(&mut self, status: u16, body: BodyFields) -> ResponsePlan {
        self.status = Some(status);
        self.streamed = body.media == MediaType::EventStream;
        self.error = ErrorClass::from_status(status);
        if !matches!(self.reader, Reader::Expecting) {
            return ResponsePlan::Pass;
        }
        if status >= 400 {
            self.reader = Reader::Failed;
            return ResponsePlan::Pass;
        }
        let edits = self.applied.edits_response();
        if edits && body.encoding == ContentEncoding::Unknown {
            self.reader = Reader::Lost;
            return ResponsePlan::Refuse(self.refuse_upstream());
        }
        match body.media {
            MediaType::EventStream => {
                let changes = self.applied.may_change_response();
                let encoded = body.encoding != ContentEncoding::Identity;
                let scans = &self.applied.response;
                self.reader = Reader::Stream(Box::new(Stream {
                    decoder: encoded.then(|| Decoder::new(body.encoding, PIECE_LIMIT_BYTES)),
                    frames: FrameDecoder::new(Framing::Sse),
                    release: (!scans.is_empty()).then(|| Release::new(scans)),
                    changes,
                    ended: false,
                }));
                ResponsePlan::Stream {
                    decoded: changes && encoded,
                    may_change: changes,
                }
            }
            MediaType::Json | MediaType::Other => {
                self.reader = Reader::Whole(Whole {
                    encoding: body.encoding,
                    body: Pieces::default(),
                });
                if edits {
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
        loop {
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
    }

    fn event(&mut self, event: Frame, out: &mut Vec<Bytes>) -> Flow {
        let Reader::Stream(stream) = &mut self.reader else {
            return Flow::Continue;
        };
        let Ok(read) = read_event(&self.call, &event) else {
            // What cannot be read cannot be shown to hold nothing that policy forbids.
            if self.applied.edits_response() {
                return self.cut(RefusalReason::Unreadable, Reason::Unreadable, None, out);
            }
            if stream.changes {
                out.push(event.raw().clone());
                self.begun = true;
            }
            return Flow::Continue;
        };
        stream.ended |= read.terminal;
        if read.error {
            self.error = Some(ErrorClass::Stream);
        }
        if let Some(spending) = &mut self.spending {
            for delta in &read.deltas {
                if !(delta.repeat && spending.counts(delta.channel)) {
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
        }
        let changes = stream.changes;
        let Some(release) = &mut stream.release else {
            if changes {
                out.push(event.raw().clone());
                self.begun = true;
            }
            return Flow::Continue;
        };
        let mut found = Vec::new();
        let fits = release.scan(&event, &read, &mut found);
        drop(read);
        if changes {
            release.queue(event);
        }
        if !fits && self.applied.edits_response() {
            return self.cut(RefusalReason::Unreadable, Reason::TooLarge, None, out);
        }
        self.release(&found, out)
    }

    /// Acts on what the scans of a stream have found, and lets go of what is decided.
    fn release(&mut self, found: &[(usize, Finding)], out: &mut Vec<Bytes>) -> Flow {
        let applied = self.applied.clone();
        for (scan, finding) in found {
            let Some(scan) = applied.response.get(*scan) else {
                continue;
            };
            self.note_findings(std::slice::from_ref(finding), Part::Response);
            if scan.blocks() {
                let reason = RefusalReason::Policy {
                    name: scan.policy.to_string(),
                };
                return self.cut(reason, Reason::Content, Some(scan.policy.clone()), out);
            }
            if scan.redacts() {
                self.decide(Verdict::Redacted, Reason::Content, Some(scan.policy.clone()));
            } else {
                self.observe_scan(scan);
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

    /// Ends the stream in the protocol's own way.
    fn cut(
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
                if let Some(release) = &mut stream.release {
                    release.finish(&mut found);
                }
                let rest = stream.frames.remainder();
                let changes = stream.changes;
                let flow = self.release(&found, out);
                if changes && flow == Flow::Continue {
                    // The start of an event that never ended; clients drop it.
                    out.push(rest);
                }
                flow
            }
            Reader::Whole(whole) => {
                let body = std::mem::take(&mut whole.body).whole();
                let encoding = whole.encoding;
                if self.read_whole(encoding, body, |exchange, _, response| {
                    exchange.account(response);
                    exchange.scan_whole(response);
                }) == Err(Unreadable)
                {
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
        let encoding = whole.encoding;
        let decided = self.read_whole(encoding, payload, |exchange, body, response| {
            exchange.account(response);
            exchange.edit_whole(body, response)
        });
        match decided {
            Ok(decision) => decision,
            Err(Unreadable) => {
                self.reader = Reader::Lost;
                WholeDecision::Refuse(self.refuse_upstream())
            }
        }
    }

    fn read_whole<T>(
        &mut self,
        encoding: ContentEncoding,
        body: Bytes,
        then: impl FnOnce(&mut Self, &[u8], &Response<'_>) -> T,
    ) -> Result<T, Unreadable> {
        let body = decode_whole(encoding, body, WHOLE_LIMIT_BYTES).map_err(|_| Unreadable)?;
        let response = read_response(&self.call, &body).map_err(|_| Unreadable)?;
        Ok(then(self, &body, &response))
    }

    /// Counts the texts and takes the provider's figures.
    fn account(&mut self, response: &Response<'_>) {
        if response.error {
            self.error.get_or_insert(ErrorClass::Provider);
        }
        let Some(spending) = &mut self.spending else {
            return;
        };
        for text in &response.texts {
            spending.add(text.channel, &text.text());
        }
        if let Some(counters) = response.usage {
            spending.provider(counters);
        }
        // The answer is here whole: what its reservation does not cover becomes debt when it is settled.
        let _denied = spending.cover();
    }

    /// Records what is found in a response that no policy changes.
    fn scan_whole(&mut self, response: &Response<'_>) {
        let applied = self.applied.clone();
        if applied.response.is_empty() {
            return;
        }
        for text in &response.texts {
            // None of the rules is enforced, or the response would have been held: nothing is to be replaced.
            let _observed = self.scan_text(&text.text(), &applied.response, Part::Response);
        }
    }

    fn edit_whole(&mut self, body: &[u8], response: &Response<'_>) -> WholeDecision {
        let applied = self.applied.clone();
        let mut edits = Vec::new();
        for text in &response.texts {
            let replace = match self.scan_text(&text.text(), &applied.response, Part::Response) {
                Ok(replace) => replace,
                Err(refusal) => return WholeDecision::Refuse(refusal),
            };
            let mut raw = text.raw_spans();
            for finding in &replace {
                let Some(replaced) = raw.edit(finding.start..finding.end, substitute(finding)) else {
                    return WholeDecision::Refuse(self.refuse_upstream());
                };
                edits.push(replaced);
            }
        }
        if edits.is_empty() {
            return WholeDecision::Forward;
        }
        edits.extend(
            response
                .echoes
                .iter()
                .map(|echo| Edit::json(echo.clone(), "null")),
        );
        match edit(body, &edits) {
            Ok(edited) => WholeDecision::Edited(edited.into()),
            Err(_) => WholeDecision::Refuse(self.refuse_upstream()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Unreadable;
