//! One request and its response: recognise, read, decide, forward, meter, record.
//!
//! [`Exchange`] is the pipeline without any I/O or framing; [`http1`] and [`http2`] feed it. In order:
//!
//! 1. [`Exchange::begin`]: the head tells the operation. What no policy can read passes; the rest is collected.
//! 2. [`Job::run`]: the body is read, the model checked, every text scanned, edited or refused, the prompt counted, and
//!    tokens reserved, before a byte goes upstream.
//! 3. [`Exchange::response_head`], then the body: passed and read aside, held until whole, or read event by event, with
//!    the reservation extended as the answer grows and the stream cut where it cannot be.
//! 4. [`Exchange::finish`]: what was spent is settled and one record is made. An exchange that is dropped, because its
//!    connection failed, finishes itself.

mod conditions;
mod cost;
mod decode;
pub(crate) mod fields;
mod fingerprint;
mod guard;
pub mod http1;
pub mod http2;
mod include_usage;
mod inspect;
mod known;
mod meter;
mod origin;
mod pace;
mod pieces;
mod prompt;
mod pseudonyms;
mod rates;
mod refusal;
mod release;
mod replace;
mod reserve;
mod response;
mod settle;
mod signature;
mod slow_down;
#[cfg(test)]
pub(crate) mod testing;
mod tools;
mod websocket;
mod whole;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use monitor_content::{Pseudonyms, Restorer};
use monitor_protocol::{Call, Framing, Operation, RefusalReason, RequestLine, recognise};
use smallvec::SmallVec;

use crate::event::{
    ErrorClass, ExchangeId, Fault, FindingCount, LimitAction, Owasp, Reason, ShortText, Verdict,
};
use crate::identity::{Attribution, Workload};
use crate::kernel::boottime_ns;
use crate::policy::{Applied, ExchangeBudgets};
use conditions::Said;
use fields::{BodyFields, HeadUsage};
use meter::Spending;
use pace::Pace;
use response::Reader;

pub use fingerprint::{Credentials, Fingerprint, FingerprintError, Fingerprints};
pub use inspect::Job;
pub(crate) use origin::host_of;
pub use origin::{Node, Opened, Origin};
pub use refusal::Refusal;

/// Bytes of a refused request's body that are read and dropped, so that a client that sends all of it first gets to read the
/// refusal. A longer body ends the connection, or the stream.
const DISCARD_BYTES: u64 = 256 * 1024 * 1024;

/// Methods whose requests have no body that means anything (RFC 9110, section 9.3).
const BODILESS_METHODS: [&str; 5] = ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"];

/// The catalog's name of the provider whose OpenAI API takes its key in a field of its own.
const AZURE: &str = "azure";

/// What a request's head says, from either version of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeadView<'h> {
    /// `1.0`, `1.1` or `2`.
    pub version: &'static str,
    /// The method.
    pub method: &'h str,
    /// Path and query.
    pub target: &'h str,
    /// The host that is asked, with or without port, where the head says it.
    pub host: Option<&'h str>,
    /// What is known of the body.
    pub body: BodyFields,
    /// An edit of the body would break its signature.
    pub signed: bool,
    /// An edit of the head would.
    pub signed_head: bool,
    /// Where its API key is.
    pub credentials: Credentials<'h>,
    /// Its length in bytes, where the head says it.
    pub length: Option<u64>,
    /// It asks for a WebSocket, and has no body of its own.
    pub websocket: bool,
}

/// What to do with a request's body.
#[derive(Debug)]
pub enum RequestPlan {
    /// Collect it, up to this many bytes, and run a [`Job`].
    Collect {
        /// The bound.
        limit_bytes: usize,
    },
    /// Let it pass.
    Pass,
    /// There is none: it asks for a WebSocket whose messages are read. It passes without its offer of extensions, and the
    /// upstream's consent makes it a session.
    Handshake,
    /// Answer with this and read no further than the body's end.
    Refuse(Refusal),
}

/// What to do with a collected request.
#[derive(Debug)]
pub enum Decision {
    /// Send it as it came.
    Forward,
    /// Send it otherwise.
    Edited {
        /// With this body, which is not encoded, in the place of its own.
        body: Option<Bytes>,
        /// For this path and query.
        target: Option<String>,
    },
    /// Answer with this instead.
    Refuse(Refusal),
}

/// The result of a [`Job`].
pub struct Inspected {
    /// The exchange, to go on with.
    pub exchange: Exchange,
    /// What to do.
    pub decision: Decision,
}

/// What to do with a response's body.
#[derive(Debug)]
pub enum ResponsePlan {
    /// Let it pass as it comes, giving the payload to [`Exchange::response_passed`].
    Pass,
    /// Keep it back until it is whole, up to this many bytes, then ask [`Exchange::whole_response`].
    Hold {
        /// The bound.
        limit_bytes: usize,
    },
    /// Give the payload to [`Exchange::response_streamed`] and send what comes back.
    Stream {
        /// What comes back is no longer encoded.
        decoded: bool,
        /// What comes back may be longer or shorter than what came.
        may_change: bool,
    },
    /// Answer with this instead.
    Refuse(Refusal),
}

/// What to do with a response that was held until whole.
#[derive(Debug)]
pub enum WholeDecision {
    /// Send it as it came.
    Forward,
    /// Send it with this body, which is not encoded.
    Edited(Bytes),
    /// Answer with this instead.
    Refuse(Refusal),
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It was ended by policy; the protocol's own ending is among the bytes that came back.
    Cut,
}

/// How an exchange ended on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response was sent whole, or cut by us.
    Complete,
    /// The client left before.
    ClientGone,
    /// The upstream failed before.
    UpstreamFailed,
}

/// One request and its response, as far as they have come.
pub struct Exchange {
    origin: Arc<Origin>,
    applied: Arc<Applied>,
    /// What may apply, depending on the request.
    selected: Arc<Applied>,
    /// The fingerprint of the API key it came with.
    api_key: Option<Fingerprint>,
    workload: Option<Arc<Workload>>,
    attribution: Attribution,
    /// When it began, nanoseconds of `CLOCK_BOOTTIME`.
    began_ns: u64,
    id: ExchangeId,
    started: Instant,
    started_ms: u64,
    first_byte: Option<Instant>,
    version: &'static str,
    method: ShortText,
    path: ShortText,
    call: Call,
    /// The method is one whose requests have a body.
    posts: bool,
    request: BodyFields,
    /// An edit of the request's body would break its signature.
    signed: bool,
    /// One of its head would.
    signed_head: bool,
    /// Path and query, where the path names the model.
    target: Option<Box<str>>,
    /// The budgets that apply.
    budgets: ExchangeBudgets,
    /// Output a choice that the request was lowered to.
    clamped: Option<u64>,
    /// The model that was asked for, where another one was asked.
    requested_model: Option<ShortText>,
    /// Tokens a second that the answer was slowed down to.
    slowed: Option<u64>,
    /// What was done near a limit.
    actions: SmallVec<[LimitAction; 0]>,
    /// What policies that observe would have done.
    observed_actions: SmallVec<[LimitAction; 0]>,
    /// The provider is asked for the usage of a stream where the request does not ask.
    asks_usage: bool,
    /// It was asked: what it sends for that is not the client's.
    asked_usage: bool,
    model: Option<ShortText>,
    /// Of a WebSocket: prompt that was sent without asking for an answer, in tokens.
    prompt_tokens: u64,
    /// Of a WebSocket: which of the answers side by side it is.
    lane: Option<Box<str>>,
    request_bytes: u64,
    response_bytes: u64,
    status: Option<u16>,
    streamed: bool,
    /// How a streamed answer is divided.
    framing: Framing,
    /// A frame of it was let go of.
    begun: bool,
    /// How fast it is passed on, where policy slows it down.
    pace: Option<Pace>,
    /// It pauses.
    paused_until: Option<tokio::time::Instant>,
    /// The body was read: there is a prompt to account for.
    spending: Option<Spending>,
    /// What the answer's head says it cost.
    head_usage: HeadUsage,
    reader: Reader,
    verdict: Verdict,
    observed: Option<Verdict>,
    reason: Option<Reason>,
    /// The rule that decided, where it has a name.
    rule: Option<Arc<str>>,
    /// The risk that the decision is against.
    owasp: Option<Owasp>,
    faults: SmallVec<[Fault; 0]>,
    /// Bytes of whole texts that content rules were to read, each rule's by itself.
    scanned_bytes: usize,
    /// What stands for texts of the prompt, until it is inspected; of a WebSocket, of the conversation.
    pseudonyms: Option<Box<Pseudonyms>>,
    /// Finds them in the answer.
    restorer: Option<Arc<Restorer>>,
    policy: Option<Arc<str>>,
    findings: Vec<FindingCount>,
    error: Option<ErrorClass>,
    finished: bool,
}

impl Exchange {
    /// Starts an exchange with its request's head.
    pub fn begin(origin: &Arc<Origin>, head: &RequestHeadView<'_>) -> (Self, RequestPlan) {
        let line = RequestLine {
            method: head.method,
            target: head.target,
            websocket: head.websocket,
        };
        let mut exchange = Self::new(origin, head, recognise(origin.opened.api, line));
        if let Some(refusal) = exchange.check_known() {
            return (exchange, RequestPlan::Refuse(refusal));
        }
        if let Some(host) = head.host.filter(|host| origin.is_other_host(host))
            && let Some(refusal) = exchange.misdirected(host)
        {
            return (exchange, RequestPlan::Refuse(refusal));
        }
        if exchange.call.operation == Operation::Other {
            // It passes unread: all that is known of it is here.
            exchange.narrow(Said {
                body: &[],
                request: None,
                model: "",
            });
        }
        if let Some(refusal) = exchange.check_operation(false) {
            return (exchange, RequestPlan::Refuse(refusal));
        }
        let limit_bytes = origin.node.request_limit_bytes;
        let plan = if exchange.call.operation == Operation::Other {
            RequestPlan::Pass
        } else if exchange.call.websocket {
            exchange
                .check_handshake()
                .map_or(RequestPlan::Handshake, RequestPlan::Refuse)
        } else if head.length.is_some_and(|n| n > limit_bytes as u64) {
            exchange
                .over_limit()
                .map_or(RequestPlan::Pass, RequestPlan::Refuse)
        } else {
            RequestPlan::Collect { limit_bytes }
        };
        (exchange, plan)
    }

    fn new(origin: &Arc<Origin>, head: &RequestHeadView<'_>, call: Call) -> Self {
        let (started_ms, began_ns) = (origin.node.clock.now_ms(), boottime_ns());
        let workload = origin.workload();
        let applied = origin.applied(workload.as_ref());
        let asks_usage = applied.meters_exactly()
            && !head.signed
            && origin.takes_usage_option
            && include_usage::is_known_to_version(head.target);
        Self {
            origin: origin.clone(),
            workload,
            selected: applied.clone(),
            applied,
            api_key: head
                .credentials
                .used(origin.opened.api, &*origin.opened.provider == AZURE, head.target)
                .map(|credential| origin.node.fingerprints.of(credential)),
            attribution: origin.attribution_at(began_ns),
            began_ns,
            id: origin.node.ids.next(started_ms),
            started: Instant::now(),
            started_ms,
            first_byte: None,
            version: head.version,
            method: ShortText::new(head.method),
            path: ShortText::path(head.target),
            posts: !BODILESS_METHODS
                .iter()
                .any(|method| method.eq_ignore_ascii_case(head.method)),
            request: head.body,
            signed: head.signed,
            signed_head: head.signed_head,
            target: call.model.is_some().then(|| head.target.into()),
            call,
            budgets: ExchangeBudgets::default(),
            clamped: None,
            requested_model: None,
            slowed: None,
            actions: SmallVec::new(),
            observed_actions: SmallVec::new(),
            asks_usage,
            asked_usage: false,
            model: None,
            prompt_tokens: 0,
            lane: None,
            request_bytes: 0,
            response_bytes: 0,
            status: None,
            streamed: false,
            framing: Framing::Sse,
            begun: false,
            pace: None,
            paused_until: None,
            spending: None,
            head_usage: HeadUsage::default(),
            reader: Reader::Unread,
            verdict: Verdict::Allowed,
            observed: None,
            reason: None,
            rule: None,
            owasp: None,
            faults: SmallVec::new(),
            scanned_bytes: 0,
            pseudonyms: None,
            restorer: None,
            policy: None,
            findings: Vec::new(),
            error: None,
            finished: false,
        }
    }

    /// Puts on record a request whose head could not be read, and says what to answer.
    pub fn malformed(origin: &Arc<Origin>, too_large: bool) -> Refusal {
        let head = RequestHeadView {
            version: "1.1",
            method: "",
            target: "",
            host: None,
            body: BodyFields::default(),
            signed: false,
            signed_head: false,
            credentials: Credentials::default(),
            length: None,
            websocket: false,
        };
        let mut exchange = Self::new(origin, &head, Call::other(origin.opened.api));
        let refusal = if too_large {
            exchange.refuse_too_large()
        } else {
            exchange.refuse_unreadable()
        };
        exchange.finish(Outcome::Complete);
        refusal
    }

    /// Notes bytes of the request's body, as they came from the client.
    pub fn count_request_bytes(&mut self, n: usize) {
        self.request_bytes += n as u64;
    }

    /// Notes bytes of the response's body, as they go to the client.
    pub fn count_response_bytes(&mut self, n: usize) {
        if n > 0 && self.first_byte.is_none() {
            self.first_byte = Some(Instant::now());
        }
        self.response_bytes += n as u64;
    }

    /// The exchange became a tunnel of bytes (101, RFC 9110, section 7.8): nothing more of it is read as HTTP.
    pub fn tunnelled(&mut self) {
        self.status = Some(101);
    }

    /// Whether it asks for a WebSocket whose messages are read.
    pub fn asks_websocket(&self) -> bool {
        self.call.websocket
    }

    // === Refusals ===

    /// The request's body is over the bound: it is refused, or passes unread where no policy is enforced.
    pub fn over_limit(&mut self) -> Option<Refusal> {
        self.reason = Some(Reason::TooLarge);
        self.applied.enforced.then(|| self.refuse_too_large())
    }

    fn refuse_too_large(&mut self) -> Refusal {
        let limit_bytes = self.origin.node.request_limit_bytes as u64;
        self.refuse(RefusalReason::TooLarge { limit_bytes }, Reason::TooLarge, None)
    }

    /// The request names another LLM host than its connection: whose policies and whose protocol hold is not certain. It is
    /// refused, or passes on record where no policy is enforced.
    fn misdirected(&mut self, host: &str) -> Option<Refusal> {
        let denied = self.applied.enforced;
        self.origin.report_mismatch(host, denied);
        self.reason = Some(Reason::ServerNameMismatch);
        denied.then(|| self.refuse(RefusalReason::Misdirected, Reason::ServerNameMismatch, None))
    }

    /// The request cannot be read.
    pub fn refuse_unreadable(&mut self) -> Refusal {
        self.refuse(RefusalReason::Unreadable, Reason::Unreadable, None)
    }

    /// The upstream does not speak HTTP as it should.
    pub fn refuse_upstream(&mut self) -> Refusal {
        self.error = Some(ErrorClass::Protocol);
        self.refuse(RefusalReason::Upstream, Reason::UpstreamFailed, None)
    }

    /// The response, which policy must see whole, is over the bound.
    pub fn refuse_response_too_large(&mut self) -> Refusal {
        self.refuse(RefusalReason::Upstream, Reason::TooLarge, None)
    }

    /// Refuses what the list of operations of a policy does not have whose condition is, or is not, evaluated when the request
    /// has been read.
    fn check_operation(&mut self, once_read: bool) -> Option<Refusal> {
        let (applied, selected) = (self.applied.clone(), self.selected.clone());
        let operation = self.call.operation.name();
        for rule in applied.operations.iter().filter(|rule| !rule.allows(operation)) {
            let is_open = applied.is_conditional(&rule.policy);
            let was_open = once_read && selected.is_conditional(&rule.policy);
            if is_open || once_read != was_open {
                continue;
            }
            if rule.enforce {
                let reason = RefusalReason::Operation {
                    name: rule.policy.to_string(),
                };
                return Some(self.refuse(reason, Reason::Operation, Some(rule.policy.clone())));
            }
            self.observe(Verdict::Denied, Reason::Operation, &rule.policy);
        }
        None
    }

    fn refuse(&mut self, reason: RefusalReason, recorded: Reason, policy: Option<Arc<str>>) -> Refusal {
        self.decide(Verdict::Denied, recorded, policy);
        let refusal = Refusal::new(&self.call, &reason);
        self.status = Some(refusal.status);
        refusal
    }

    fn decide(&mut self, verdict: Verdict, reason: Reason, policy: Option<Arc<str>>) {
        self.verdict = verdict;
        self.reason = Some(reason);
        (self.rule, self.owasp) = (None, reason.owasp());
        if policy.is_some() {
            self.policy = policy;
        }
    }

    /// Notes what a policy in mode `observe` would have done.
    /// `true` if that is on record: of several, the first is.
    fn observe(&mut self, verdict: Verdict, reason: Reason, policy: &Arc<str>) -> bool {
        let is_first = self.verdict == Verdict::Allowed && self.observed.is_none();
        if is_first {
            (self.observed, self.reason) = (Some(verdict), Some(reason));
            (self.rule, self.owasp) = (None, reason.owasp());
            self.policy = Some(policy.clone());
        }
        is_first
    }

    /// Notes which rule made the decision that was noted last.
    fn note_rule(&mut self, rule: &Arc<str>, owasp: Option<Owasp>) {
        (self.rule, self.owasp) = (Some(rule.clone()), owasp);
    }
}
