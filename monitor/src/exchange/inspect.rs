//! Deciding about a request: read, check the model, scan, edit or refuse, count, reserve.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use monitor_budget::{Denied, Unit};
use monitor_content::{Encoding, Finding, Scanned};
use monitor_protocol::{
    Edit, EditError, RefusalReason, Request, Rewrite, Text, edit, prompt_count, read_request,
};

use super::conditions::Said;
use super::decode::decode_whole;
use super::fields::Boundary;
use super::pseudonyms::{Source, is_own, put_back};
use super::replace::{Replaced, hash, make_disjoint, replace};
use super::reserve::{Asked, named};
use super::response::Reader;
use super::{Decision, Exchange, Fingerprint, Inspected, Refusal};
use crate::event::{
    Fault, FindingAction, FindingCount, MAX_FINDING_HASHES, Part, Reason, ShortText, Verdict,
};
use crate::policy::Scan;

/// Bytes of whole texts that the content rules of one exchange read, each rule's counted by itself: a body of the default limit
/// read by four rules. Text that is made to be slow to read takes a detector up to a quarter of a second a megabyte.
const MAX_SCANNED_BYTES: usize = 128 << 20;

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

    /// Whether it is better run away from the connections of the thread: it is large, or waits for a guardrail.
    pub fn waits(&self) -> bool {
        self.body.len() > INLINE_BYTES || !self.exchange.applied.guardrails.is_empty()
    }

    /// Decides.
    pub fn run(self) -> Inspected {
        let Self { mut exchange, body } = self;
        let decision = exchange.inspect(&body);
        Inspected { exchange, decision }
    }
}

/// Findings of one row on record whose hashes are looked at; a prompt with more is a dump, and would take long to hash.
const MAX_HASHED_FINDINGS: u32 = 1_000;

/// A text and what policy puts in its place.
pub(super) struct Redaction {
    text_index: usize,
    replaced: Vec<Replaced>,
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
        let said = Said {
            body: &decoded,
            request: Some(&request),
            model: &model,
        };
        self.narrow(said);
        if let Some(refusal) = self.check_operation(true) {
            return Decision::Refuse(refusal);
        }
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
        if let Some(refusal) = self.check_tools(&decoded, &request) {
            return Decision::Refuse(refusal);
        }
        if let Some(refusal) = self.check_languages(&request.texts) {
            return Decision::Refuse(refusal);
        }
        let redactions = match self.scan(&request.texts) {
            Ok(redactions) => redactions,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        if let Some(refusal) = self.check_denials(said) {
            return Decision::Refuse(refusal);
        }
        if self.signed && !redactions.is_empty() {
            return Decision::Refuse(self.refuse_signed());
        }
        if let Some(refusal) = self.ask_guardrails(&request.texts, &model) {
            return Decision::Refuse(refusal);
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
        self.narrow(Said {
            body: &[],
            request: None,
            model: &model,
        });
        if let Some(refusal) = self.check_operation(true) {
            return Decision::Refuse(refusal);
        }
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
        if applied.prompt.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (text_index, text) in texts.iter().enumerate() {
            let part = Part::of_request(text.role, text.place);
            let text = text.text();
            let replaced = self.scan_text(&text, &applied.prompt, part)?;
            if !replaced.is_empty() {
                found.push((text_index, replaced));
            }
        }
        self.put_pseudonyms(texts, &mut found);
        let redaction = |(text_index, replaced): (usize, Vec<Replaced>)| {
            let text = texts.get(text_index).map(|text| text.text()).unwrap_or_default();
            Redaction {
                text_index,
                redacted: replace(&text, &replaced),
                replaced,
            }
        };
        Ok(found.into_iter().map(redaction).collect())
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

    /// Scans one text by every rule and notes what is found: a refusal, or what is to be replaced.
    pub(super) fn scan_text(
        &mut self,
        text: &str,
        scans: &[Scan],
        part: Part,
    ) -> Result<Vec<Replaced>, Refusal> {
        let origin = self.origin.clone();
        let fingerprints = &origin.node.fingerprints;
        let mut findings = Vec::new();
        let mut replaced = Vec::new();
        let mut own = Vec::new();
        if !part.is_prompt() {
            let source = Source::of(part, text);
            for restored in self.pseudonyms_in(text) {
                own.push(restored.start..restored.end);
                replaced.push(put_back(restored, source));
            }
        }
        for scan in scans.iter().filter(|scan| scan.parts.has(part)) {
            self.scanned_bytes = self.scanned_bytes.saturating_add(text.len());
            let scanned = if self.scanned_bytes > MAX_SCANNED_BYTES {
                findings.clear();
                Scanned::Limited
            } else {
                scan.find(text, part, &mut findings)
            };
            findings.retain(|finding| !is_own(&own, finding));
            for finding in &findings {
                let found = text.get(finding.start..finding.end).unwrap_or_default();
                let hash = || Some(hash(fingerprints, found));
                self.note_finding(finding, scan, part, hash);
                if scan.redacts() {
                    if scan.redaction.is_reversible() {
                        self.add_pseudonym(finding.detector, found);
                    }
                    let shown = scan.redaction.shows_hash().then(hash).flatten();
                    replaced.push(Replaced::new(finding, scan.redaction, found, shown));
                }
            }
            if scanned == Scanned::Limited && self.refuses_limited(scan, part) {
                let refusal = self.refuse_content(scan);
                self.note_scan(scan, &[]);
                return Err(refusal);
            }
            if findings.is_empty() {
                continue;
            }
            if scan.blocks() {
                let refusal = self.refuse_content(scan);
                self.note_scan(scan, &findings);
                return Err(refusal);
            }
            if scan.redacts() {
                self.decide(Verdict::Redacted, Reason::Content, Some(scan.policy.clone()));
                self.note_scan(scan, &findings);
            } else {
                self.observe_scan(scan, &findings);
            }
        }
        make_disjoint(&mut replaced);
        Ok(replaced)
    }

    /// Notes that a text was not read to its end; whether it is refused for that.
    pub(super) fn refuses_limited(&mut self, scan: &Scan, part: Part) -> bool {
        self.note_fault(Fault::DetectorLimit);
        let denies = scan.denies_limit(part);
        if denies && !scan.enforce && self.observe(Verdict::Denied, Reason::Content, &scan.policy) {
            self.note_scan(scan, &[]);
        }
        denies && scan.enforce
    }

    /// Puts a finding on record; the rest of one that is there already is none.
    pub(super) fn note_finding(
        &mut self,
        finding: &Finding,
        scan: &Scan,
        part: Part,
        hash: impl FnOnce() -> Option<Fingerprint>,
    ) {
        if finding.continued {
            return;
        }
        let known = self.findings.iter_mut().find(|known| {
            known.detector == finding.detector
                && known.part == part
                && known.rule == scan.rule
                && known.policy == scan.policy
        });
        let Some(known) = known else {
            self.findings.push(FindingCount {
                detector: finding.detector,
                part,
                policy: scan.policy.clone(),
                rule: scan.rule.clone(),
                action: scan.action,
                enforced: scan.enforce,
                owasp: scan.owasp(finding.detector),
                confidence_percent: finding.confidence_percent,
                explanation: finding.explanation,
                count: 1,
                hashes: hash().into_iter().collect(),
            });
            return;
        };
        known.count = known.count.saturating_add(1);
        if finding.confidence_percent > known.confidence_percent {
            (known.confidence_percent, known.explanation) = (finding.confidence_percent, finding.explanation);
        }
        if known.hashes.len() < MAX_FINDING_HASHES
            && known.count <= MAX_HASHED_FINDINGS
            && let Some(hash) = hash()
            && !known.hashes.contains(&hash)
        {
            known.hashes.push(hash);
        }
    }

    /// Notes what a rule of a policy that observes would have done. An alert is no more than its finding.
    pub(super) fn observe_scan(&mut self, scan: &Scan, findings: &[Finding]) {
        let verdict = match scan.action {
            FindingAction::Alert => return,
            FindingAction::Redact => Verdict::Redacted,
            FindingAction::Block => Verdict::Denied,
        };
        if self.observe(verdict, Reason::Content, &scan.policy) {
            self.note_scan(scan, findings);
        }
    }

    /// Notes that the decision that was noted last is a rule's, about these findings.
    pub(super) fn note_scan(&mut self, scan: &Scan, findings: &[Finding]) {
        let owasp = findings.first().and_then(|finding| scan.owasp(finding.detector));
        self.note_rule(&scan.rule, owasp);
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
        for Replaced { range, with, .. } in &redaction.replaced {
            edits.push(raw.edit(range.clone(), with).ok_or(NotEdited)?);
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    Ok(Some(edit(body, &edits)?))
}
