//! Which policies apply to a request, by their conditions, and which of their conditions refuse it.
//!
//! 1. When a request has been read, the conditions (`when`) of the policies that apply to its workload are evaluated, once: those
//!    that do not hold take their policies out, with everything that they say of the exchange. Until then nothing of a policy with
//!    a condition is decided, its operations neither; what is passed without being read (an unknown operation) is judged by
//!    what its head says. A body that no policy can read is refused where any of them is enforced, whatever its condition.
//! 2. On a WebSocket each message of the client's is judged by what it says itself.
//! 3. What cannot be evaluated counts as true, and is on record: the policy applies, the rule refuses.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env};
use monitor_protocol::{RefusalReason, Request, tool_names};
use smallvec::SmallVec;

use super::{Exchange, Refusal};
use crate::event::{Fault, Reason, Verdict};
use crate::expression::{
    Expression, FindingFacts, NotEvaluated, Reads, RequestFacts, findings_value, request_value,
    workload_value,
};

/// CEL's standard library.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A request as it was read.
#[derive(Clone, Copy)]
pub(super) struct Said<'r> {
    pub body: &'r [u8],
    /// `None` where there is no body, or it was not read.
    pub request: Option<&'r Request<'r>>,
    pub model: &'r str,
}

impl Exchange {
    /// Takes out the policies whose conditions do not hold for a request.
    pub(super) fn narrow(&mut self, said: Said<'_>) {
        let selected = self.selected.clone();
        if selected.conditions.is_empty() {
            return;
        }
        let held = self.evaluate(selected.conditions.iter().map(|condition| &*condition.when), said);
        let mut out: SmallVec<[Arc<str>; 4]> = SmallVec::new();
        for (condition, held) in selected.conditions.iter().zip(held) {
            match held {
                Ok(true) => {}
                Ok(false) => out.push(condition.policy.clone()),
                Err(NotEvaluated) => self.note_fault(Fault::ExpressionFailed),
            }
        }
        self.applied = Arc::new(selected.without(&out));
        self.asks_usage &= self.applied.meters_exactly();
    }

    /// Refuses what a rule of a policy denies, by what has been found so far.
    pub(super) fn check_denials(&mut self, said: Said<'_>) -> Option<Refusal> {
        let applied = self.applied.clone();
        if applied.denials.is_empty() {
            return None;
        }
        let held = self.evaluate(applied.denials.iter().map(|rule| &*rule.when), said);
        for (rule, held) in applied.denials.iter().zip(held) {
            if held.is_err() {
                self.note_fault(Fault::ExpressionFailed);
            }
            if held == Ok(false) {
                continue;
            }
            if rule.enforce {
                let reason = RefusalReason::Policy {
                    name: rule.policy.to_string(),
                };
                let refusal = self.refuse(reason, Reason::Rule, Some(rule.policy.clone()));
                self.note_rule(&rule.rule, rule.owasp);
                return Some(refusal);
            }
            if self.observe(Verdict::Denied, Reason::Rule, &rule.policy) {
                self.note_rule(&rule.rule, rule.owasp);
            }
        }
        None
    }

    pub(super) fn note_fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Evaluates expressions over one request. A variable that cannot be handed in is left out, so that only those that read it
    /// have no value.
    fn evaluate<'e>(
        &self,
        expressions: impl Iterator<Item = &'e Expression> + Clone,
        said: Said<'_>,
    ) -> SmallVec<[Result<bool, NotEvaluated>; 4]> {
        let reads =
            |which: fn(Reads) -> bool| expressions.clone().any(|expression| which(expression.reads()));
        let mut context = Context::with_env(LIBRARY.clone());
        if reads(|reads| reads.request) {
            let tools = match said.request {
                Some(request) if reads(|reads| reads.tools) => tool_names(&self.call, said.body, request),
                _ => Vec::new(),
            };
            if let Ok(value) = request_value(&self.facts(said, &tools)) {
                context.add_variable_from_value("request", value);
            }
        }
        if reads(|reads| reads.workload) {
            context.add_variable_from_value("workload", workload_value(self.workload.as_deref()));
        }
        if reads(|reads| reads.findings)
            && let Ok(value) = findings_value(&self.found())
        {
            context.add_variable_from_value("findings", value);
        }
        expressions.map(|expression| expression.holds(&context)).collect()
    }

    fn facts<'r>(&'r self, said: Said<'r>, tools: &'r [Cow<'r, str>]) -> RequestFacts<'r> {
        let request = said.request;
        let limit = request.and_then(|request| request.max_output_tokens.as_ref());
        RequestFacts {
            operation: self.call.operation.name(),
            model: said.model,
            provider: &self.origin.opened.provider,
            api: self.origin.opened.api.name(),
            host: &self.origin.opened.host,
            stream: self.call.streams || request.is_some_and(|request| request.stream),
            messages: request.map_or(0, |request| request.messages),
            prompt_bytes: request.map_or(0, prompt_bytes),
            tools,
            max_output_tokens: limit.map_or(0, |limit| limit.tokens),
        }
    }

    /// What the rules of all policies have found, by detector and part: what two rules have found is there once.
    fn found(&self) -> Vec<FindingFacts> {
        let mut found: Vec<FindingFacts> = Vec::new();
        for finding in &self.findings {
            let known = found
                .iter_mut()
                .find(|known| known.detector == finding.detector && known.part == finding.part);
            match known {
                Some(known) => {
                    known.confidence = known.confidence.max(finding.confidence_percent);
                    known.count = known.count.max(finding.count);
                }
                None => found.push(FindingFacts {
                    detector: finding.detector,
                    part: finding.part,
                    confidence: finding.confidence_percent,
                    count: finding.count,
                }),
            }
        }
        found
    }
}

/// Bytes of a request's texts as they are written.
pub(super) fn prompt_bytes(request: &Request<'_>) -> u64 {
    request.texts.iter().map(|text| text.span.len() as u64).sum()
}
