//! Conditions of policies, and what else of them is about a request as a whole, as they apply.

use std::sync::Arc;

use super::applied::Applied;
use crate::config::PromptLimit;
use crate::event::Owasp;
use crate::expression::Expression;

/// The condition of a policy: which exchanges it applies to.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The policy.
    pub policy: Arc<str>,
    /// When it applies.
    pub when: Arc<Expression>,
}

/// A condition under which a request is refused.
#[derive(Debug, Clone)]
pub struct Denial {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    /// The rule.
    pub rule: Arc<str>,
    /// When it refuses.
    pub when: Arc<Expression>,
    /// The risk that it is against.
    pub owasp: Option<Owasp>,
}

/// How long a prompt may be.
#[derive(Debug, Clone)]
pub struct AppliedPromptLimit {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    /// The limit.
    pub limit: PromptLimit,
}

/// The languages that users may write in.
#[derive(Debug, Clone)]
pub struct AppliedLanguages {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    /// By their ISO 639-1 codes.
    pub allow: Arc<[&'static str]>,
}

impl Applied {
    /// What applies without these policies. What they say of connections stays: it is decided before there is an exchange.
    pub(crate) fn without(&self, policies: &[Arc<str>]) -> Self {
        let stays = |policy: &Arc<str>| !policies.contains(policy);
        macro_rules! rest {
            ($list:ident) => {
                self.$list
                    .iter()
                    .filter(|of| stays(&of.policy))
                    .cloned()
                    .collect()
            };
        }
        Self {
            models: rest!(models),
            operations: rest!(operations),
            tools: rest!(tools),
            conditions: Vec::new(),
            denials: rest!(denials),
            prompt_limits: rest!(prompt_limits),
            languages: rest!(languages),
            metered: self
                .metered
                .iter()
                .filter(|policy| stays(policy))
                .cloned()
                .collect(),
            budgets: self
                .budgets
                .iter()
                .filter(|of| stays(of.policy()))
                .cloned()
                .collect(),
            owners: self.owners.clone(),
            prompt: rest!(prompt),
            response: rest!(response),
            guardrails: rest!(guardrails),
            enforced: self.enforced,
            on_untrusted_ca: self.on_untrusted_ca,
            on_bypass: self.on_bypass,
            on_unknown: self.on_unknown,
            on_unknown_by: self.on_unknown_by.clone(),
            observed_on_unknown: self.observed_on_unknown.clone(),
            undecided: self.undecided,
        }
    }

    /// Whether a policy applies only under a condition.
    pub(crate) fn is_conditional(&self, policy: &str) -> bool {
        self.conditions
            .iter()
            .any(|condition| *condition.policy == *policy)
    }
}
