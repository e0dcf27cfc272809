//! Asking external guardrails about a request.

use monitor_protocol::{RefusalReason, Text};

use super::{Exchange, Refusal};
use crate::config::OnError;
use crate::event::{FindingAction, Part, Reason, Verdict};
use crate::guardrail::{Answer, Question, QuestionText};
use crate::policy::AppliedGuardrail;

impl Exchange {
    /// Asks each guardrail that policy names; waits for the answers. A refusal where one says no.
    pub(super) fn ask_guardrails(&mut self, texts: &[Text<'_>], model: &str) -> Option<Refusal> {
        let applied = self.applied.clone();
        applied
            .guardrails
            .iter()
            .find_map(|rule| self.ask_guardrail(rule, texts, model))
    }

    fn ask_guardrail(&mut self, rule: &AppliedGuardrail, texts: &[Text<'_>], model: &str) -> Option<Refusal> {
        let part = |text: &Text<'_>| Part::of_request(text.role, text.place);
        let shown: Vec<_> = texts
            .iter()
            .filter(|text| rule.parts.has(part(text)))
            .map(|text| (part(text), text.text()))
            .collect();
        if shown.is_empty() {
            return None;
        }
        let texts = shown
            .iter()
            .map(|(part, text)| QuestionText { part: *part, text });
        let answer = rule.guardrail.ask(&Question {
            version: 1,
            exchange: self.id.to_string(),
            provider: &self.origin.opened.provider,
            model,
            operation: self.call.operation.name(),
            texts: texts.collect(),
        });
        let reason = match answer {
            Answer::Allow => return None,
            Answer::Block => Reason::Guardrail,
            Answer::Failed(_) => Reason::GuardrailFailed,
        };
        let denies = rule.action == FindingAction::Block && answer != Answer::Failed(OnError::Allow);
        if denies && rule.enforce {
            let refusal = RefusalReason::Policy {
                name: rule.policy.to_string(),
            };
            let refusal = self.refuse(refusal, reason, Some(rule.policy.clone()));
            self.note_rule(rule.guardrail.name(), rule.owasp);
            return Some(refusal);
        }
        let verdict = if denies { Verdict::Denied } else { Verdict::Allowed };
        if self.observe(verdict, reason, &rule.policy) {
            self.note_rule(rule.guardrail.name(), rule.owasp);
        }
        None
    }
}
