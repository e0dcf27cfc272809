//! Deciding about a request: read, check the model, scan, edit or refuse, count, reserve.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use monitor_budget::{Denied, Unit};
use monitor_content::{Encoding, Finding, placeholder, redact};
use monitor_protocol::{
    Edit, EditError, RefusalReason, Request, Rewrite, Text, edit, prompt_count, read_request,
};

use super::decode::decode_whole;
use super::fields::Boundary;
use super::reserve::{Asked, named};
use super::response::Reader;
use super::{Decision, Exchange, Inspected, Refusal};
use crate::event::{Part, Reason, ShortText, Verdict};
use crate::policy::Scan;

/// A body up to this size is inspected on the connection's own thread, where it delays the connections beside it by
/// some milliseconds at most; a larger one on a thread of its own.
const INLINE_BYTES: usize = 64 * 1024;

/// A collected request, to be decided about. It takes CPU time in proportion to the body, so that a large one is best
/// run away from the connections of the thread.
pub struct Job {
    exchange: Exchange,
    body: Bytes,
}

impl Job {
    /// The exchange and its request's whole body.
    pub fn new(exchange: Exchange, body: Bytes) -> Self {
        Self { exchange, body }
    }

    /// Whether it is better run away from the connections of the thread.
    pub fn is_large(&self) -> bool {
        self.body.len() > INLINE_BYTES
    }

    /// Decides.
    pub fn run(self) -> Inspected {
        let Self { mut exchange, body } = self;
        let decision = exchange.inspect(&body);
        Inspected { exchange, decision }
    }
}

/// A text and what policy puts in its place.
pub(super) struct Redaction {
    text_index: usize,
    replaced: Vec<Finding>,
    redacted: String,
}

impl Exchange {
    fn inspect(&mut self, body: &Bytes) -> Decision {
        let limit = self.origin.node.request_limit_bytes;
        let Ok(decoded) = decode_whole(self.request.encoding, body.clone(), limit) else {
            return self.unread();
        };
        if decoded.is_empty() && !self.call.websocket && !(self.posts && self.call.operation.generates()) {
            return self.inspect_bodiless();
        }
        // The request borrows the body, so the body must not be part of what is borrowed mutably below.
        let boundary = self.request.boundary;
        let boundary = boundary.as_ref().map(Boundary::as_str);
        let Ok(request) = read_request(&self.call, boundary, &decoded) else {
            return self.unread();
        };
        let model = request.model.clone().map(Cow::into_owned);
        let model = model.or_else(|| self.call.model.clone()).unwrap_or_default();
        // A message of a WebSocket that asks for nothing need not say which model.
        if (request.asks || !model.is_empty())
            && let Some(refusal) = self.note_model(&model)
        {
            return Decision::Refuse(refusal);
        }
        for model in &request.more_models {
            if let Some(refusal) = self.check_model(model) {
                return Decision::Refuse(refusal);
            }
        }
        let redactions = match self.scan(&request.texts) {
            Ok(redactions) => redactions,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        if self.signed && !redactions.is_empty() {
            return Decision::Refuse(self.refuse_signed());
        }
        let asked = Asked {
            body: &decoded,
            request: &request,
            redactions: &redactions,
            model: &model,
            said_tokens: self.prompt_tokens,
        };
        let terms = match self.reserve(asked) {
            Ok(terms) => terms,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        let ask = request.ask_usage.clone().filter(|_| self.asks_usage);
        let more = terms.rewrites.iter().map(Rewrite::edit).chain(ask);
        let Ok(body) = apply(&decoded, &request.texts, &redactions, more) else {
            return self.unread();
        };
        self.asked_usage = self.asks_usage && request.ask_usage.is_some();
        let decision = match (body, terms.target) {
            (None, None) => Decision::Forward,
            (body, target) => Decision::Edited {
                body: body.map(Into::into),
                target,
            },
        };
        if !request.asks {
            return decision;
        }
        self.lane = request.lane.as_deref().map(Into::into);
        self.reader = Reader::Expecting;
        decision
    }

    /// A request without a body (a list, a stored answer, a deletion) has no prompt and spends nothing; its answer is read.
    fn inspect_bodiless(&mut self) -> Decision {
        let model = self.call.model.clone().unwrap_or_default();
        if !model.is_empty()
            && let Some(refusal) = self.note_model(&model)
        {
            return Decision::Refuse(refusal);
        }
        self.reader = Reader::Expecting;
        Decision::Forward
    }

    /// Takes the model that is asked for: a refusal where a policy does not allow it.
    fn note_model(&mut self, model: &str) -> Option<Refusal> {
        if !model.is_empty() {
            self.model = Some(ShortText::new(model));
        } else if !self.call.operation.generates() {
            // Uploads, lists and tools name none.
            return None;
        }
        self.check_model(model)
    }

    /// A body that cannot be read passes only where no policy is enforced.
    fn unread(&mut self) -> Decision {
        if self.applied.enforced {
            return Decision::Refuse(self.refuse_unreadable());
        }
        self.reason = Some(Reason::Unreadable);
        Decision::Forward
    }

    pub(super) fn check_model(&mut self, model: &str) -> Option<Refusal> {
        let applied = self.applied.clone();
        for rule in applied.models.iter().filter(|rule| !rule.allows(model)) {
            if rule.enforce {
                let reason = RefusalReason::Model {
                    name: rule.policy.to_string(),
                };
                return Some(self.refuse(reason, Reason::Model, Some(rule.policy.clone())));
            }
            self.observe(Verdict::Denied, Reason::Model, &rule.policy);
        }
        None
    }

    /// Scans every text of the request: a refusal, or what is to be put in the place of findings.
    fn scan(&mut self, texts: &[Text<'_>]) -> Result<Vec<Redaction>, Refusal> {
        let applied = self.applied.clone();
        let mut redactions = Vec::new();
        if applied.prompt.is_empty() {
            return Ok(redactions);
        }
        for (text_index, text) in texts.iter().enumerate() {
            let text = text.text();
            let replaced = self.scan_text(&text, &applied.prompt, Part::Prompt)?;
            if !replaced.is_empty() {
                redactions.push(Redaction {
                    text_index,
                    redacted: redact(&text, &replaced),
                    replaced,
                });
            }
        }
        Ok(redactions)
    }

    pub(super) fn count(
        &self,
        encoding: Encoding,
        body: &[u8],
        request: &Request<'_>,
        redactions: &[Redaction],
    ) -> u64 {
        let plan = prompt_count(&self.call, body, request);
        let mut redactions = redactions.iter().peekable();
        let mut tokens = 0;
        for (index, text) in request.texts.iter().enumerate() {
            let redacted = redactions
                .next_if(|r| r.text_index == index)
                .map(|r| r.redacted.as_str());
            if text.counted {
                tokens += redacted.map_or_else(|| encoding.count(&text.text()), |t| encoding.count(t));
            }
        }
        tokens += plan.extra.iter().map(|line| encoding.count(line)).sum::<u64>();
        tokens.saturating_add_signed(plan.overhead)
    }

    // === What the decisions share with those about responses ===

    /// Scans one text by every rule and notes what is found: a refusal, or the findings that are to be replaced.
    pub(super) fn scan_text(
        &mut self,
        text: &str,
        scans: &[Scan],
        part: Part,
    ) -> Result<Vec<Finding>, Refusal> {
        let mut findings = Vec::new();
        let mut replace = Vec::new();
        for scan in scans {
            findings.clear();
            scan.detectors.scan(text, &mut findings);
            if findings.is_empty() {
                continue;
            }
            self.note_findings(&findings, part);
            if scan.blocks() {
                return Err(self.refuse_content(scan));
            }
            if scan.redacts() {
                self.decide(Verdict::Redacted, Reason::Content, Some(scan.policy.clone()));
                replace.extend_from_slice(&findings);
            } else {
                self.observe_scan(scan);
            }
        }
        make_disjoint(&mut replace);
        Ok(replace)
    }

    pub(super) fn note_findings(&mut self, findings: &[Finding], part: Part) {
        for finding in findings.iter().filter(|f| !f.continued) {
            self.note_finding(finding.detector, part);
        }
    }

    pub(super) fn observe_scan(&mut self, scan: &Scan) {
        let verdict = match scan.action {
            crate::config::Action::Redact => Verdict::Redacted,
            crate::config::Action::Block => Verdict::Denied,
        };
        self.observe(verdict, Reason::Content, &scan.policy);
    }

    pub(super) fn refuse_content(&mut self, scan: &Scan) -> Refusal {
        let reason = RefusalReason::Policy {
            name: scan.policy.to_string(),
        };
        self.refuse(reason, Reason::Content, Some(scan.policy.clone()))
    }

    /// Policy wants an edit, and a signature covers the body.
    fn refuse_signed(&mut self) -> Refusal {
        let policy = self.policy.clone();
        let reason = RefusalReason::Signed {
            name: policy.as_deref().unwrap_or_default().to_owned(),
        };
        self.refuse(reason, Reason::Signed, policy)
    }

    pub(super) fn refuse_budget(&mut self, denied: &Denied) -> Refusal {
        let (reason, policy) = self.budget_refusal(denied);
        self.refuse(reason, Reason::Budget, policy)
    }

    /// How a denied reservation is said to the client, and which policy it is by.
    pub(super) fn budget_refusal(&self, denied: &Denied) -> (RefusalReason, Option<Arc<str>>) {
        let applied = named(&self.budgets.enforced, denied);
        let reason = RefusalReason::Budget {
            name: applied.map_or_else(|| "budget".to_owned(), |applied| applied.label()),
            counts: counts(denied.unit),
            retry_after_s: denied.retry_after_ms.map(|ms| ms.div_ceil(1_000)),
        };
        (reason, applied.map(|applied| applied.policy.clone()))
    }
}

/// What a budget counts, as a client is told.
fn counts(unit: Unit) -> &'static str {
    match unit {
        Unit::Tokens => "tokens",
        Unit::InputTokens => "input tokens",
        Unit::OutputTokens => "output tokens",
        Unit::CacheTokens => "cache tokens",
        Unit::MicroUsd => "US dollars",
        Unit::Requests => "requests",
        Unit::Concurrency => "requests at once",
    }
}

/// What stands in a finding's place; the rest of one that was replaced before goes without a trace.
pub(super) fn substitute(finding: &Finding) -> &'static str {
    if finding.continued {
        ""
    } else {
        placeholder(finding.detector)
    }
}

/// Puts the findings of several rules in order; where two overlap, the later one keeps what the earlier leaves of it.
pub(super) fn make_disjoint(findings: &mut Vec<Finding>) {
    findings.sort_by_key(|f| (f.start, usize::MAX - f.end));
    let mut end = 0;
    findings.retain_mut(|f| {
        if f.end <= end {
            return false;
        }
        if f.start < end {
            (f.start, f.continued) = (end, true);
        }
        end = f.end;
        true
    });
}

/// A redaction does not lie in its text, which the scan rules out.
struct NotEdited;

impl From<EditError> for NotEdited {
    fn from(_: EditError) -> Self {
        Self
    }
}

/// The body with the redactions made, and `more`; `None` if there are none.
fn apply<'e>(
    body: &[u8],
    texts: &[Text<'_>],
    redactions: &[Redaction],
    more: impl Iterator<Item = Edit<'e>>,
) -> Result<Option<Vec<u8>>, NotEdited> {
    let mut edits: Vec<Edit<'_>> = more.collect();
    for redaction in redactions {
        let mut raw = texts.get(redaction.text_index).ok_or(NotEdited)?.raw_spans();
        for finding in &redaction.replaced {
            let range = finding.start..finding.end;
            edits.push(raw.edit(range, substitute(finding)).ok_or(NotEdited)?);
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    Ok(Some(edit(body, &edits)?))
}
