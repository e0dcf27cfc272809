//! What applies to the exchanges of one workload.

use std::sync::Arc;

use super::Compiled;
use super::budget::{self, ExchangeBudgets, ExchangeFacts, SelectedBudget};
use super::condition::{AppliedLanguages, AppliedPromptLimit, Condition, Denial};
use super::guardrail::AppliedGuardrail;
use super::scan::Scan;
use super::selector::Choice;
use crate::config::{Glob, NameRule, OnBypass, OnUnknown, OnUntrustedCa};
use crate::identity::{Attribution, AttributionReason, Workload};

/// What applies to the exchanges of one workload.
#[derive(Debug, Default)]
pub struct Applied {
    /// Lists of allowed models, each of which must have the model.
    pub models: Vec<ModelRule>,
    /// Lists of operations, each of which must allow the operation.
    pub operations: Vec<AppliedNames>,
    /// Lists of tools, each of which must allow every tool.
    pub tools: Vec<AppliedNames>,
    /// Conditions of policies, for exchanges of which nothing has been read: everything else here is as if all of them held.
    pub conditions: Vec<Condition>,
    /// Conditions under which a request is refused.
    pub denials: Vec<Denial>,
    /// How long a prompt may be.
    pub prompt_limits: Vec<AppliedPromptLimit>,
    /// The languages that users may write in.
    pub languages: Vec<AppliedLanguages>,
    /// Enforced policies with a budget that want the provider's own count of every stream.
    pub(super) metered: Vec<Arc<str>>,
    /// Budgets that may apply, depending on the exchange.
    pub(super) budgets: Vec<SelectedBudget>,
    /// Who answers for the policies that apply or may apply, where their policies say.
    pub(super) owners: Vec<(Arc<str>, Arc<str>)>,
    /// Content rules for the texts of requests.
    pub prompt: Vec<Scan>,
    /// Content rules for the texts of responses.
    pub response: Vec<Scan>,
    /// Who is asked about prompts.
    pub guardrails: Vec<AppliedGuardrail>,
    /// Some policy that applies is enforced: what cannot be read must not pass.
    pub enforced: bool,
    /// What is done about a client that does not trust the node's CA; `None` where no enforced policy says.
    pub on_untrusted_ca: Option<OnUntrustedCa>,
    /// What is done about what should be intercepted and cannot be.
    pub on_bypass: OnBypass,
    /// What is done about a workload that is not known for certain.
    pub on_unknown: OnUnknown,
    /// The policy that says so.
    pub on_unknown_by: Option<Arc<str>>,
    /// A policy that observes would refuse a workload that is not known for certain.
    pub observed_on_unknown: Option<Arc<str>>,
    /// Whether an enforced policy may apply or not, depending on what is not known of the workload.
    pub undecided: bool,
}

/// The models that one policy allows.
#[derive(Debug, Clone)]
pub struct ModelRule {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    pub(super) allow: Arc<[Glob]>,
}

impl ModelRule {
    /// Whether `model` is one of them.
    pub fn allows(&self, model: &str) -> bool {
        self.allow.iter().any(|glob| glob.matches(model))
    }
}

/// The operations, or the tools, that one policy allows.
#[derive(Debug, Clone)]
pub struct AppliedNames {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    pub(super) rule: Arc<NameRule>,
}

impl AppliedNames {
    /// Whether what has this name is allowed.
    pub fn allows(&self, name: &str) -> bool {
        self.rule.allows(name)
    }
}

impl Applied {
    /// The budgets that apply to an exchange.
    pub fn budgets_for(&self, facts: &ExchangeFacts<'_>) -> ExchangeBudgets {
        budget::budgets_for(&self.budgets, facts)
    }

    /// Who answers for a policy that applies.
    pub fn owner_of(&self, policy: &str) -> Option<Arc<str>> {
        let owner = self.owners.iter().find(|(name, _)| **name == *policy);
        owner.map(|(_, owner)| owner.clone())
    }

    /// Whether a response may be changed or cut on its way, depending on its exchange.
    pub fn may_change_response(&self) -> bool {
        self.budgets.iter().any(SelectedBudget::may_change_response) || self.edits_response()
    }

    /// Whether the provider's own count of every stream is wanted.
    pub fn meters_exactly(&self) -> bool {
        !self.metered.is_empty()
    }

    /// Whether what should be intercepted and cannot be is denied.
    pub fn denies_bypass(&self) -> bool {
        self.on_bypass == OnBypass::Deny
    }

    pub(super) fn note_unknown(&mut self, policy: &Compiled, choice: Choice) {
        let on_unknown = policy.coverage.on_unknown.unwrap_or_default();
        if policy.enforce {
            self.undecided |= choice == Choice::Undecided;
            if on_unknown > self.on_unknown {
                (self.on_unknown, self.on_unknown_by) = (on_unknown, Some(policy.name.clone()));
            }
        } else if on_unknown > OnUnknown::Observe {
            self.observed_on_unknown
                .get_or_insert_with(|| policy.name.clone());
        }
    }

    /// Whether what is known of an exchange's workload is enough to say what applies: its principal is certain, and no policy
    /// waits for more.
    pub fn is_known(&self, workload: Option<&Workload>, attribution: Attribution) -> bool {
        let is_placed = workload.is_some_and(|workload| !workload.placement.cgroup.is_empty());
        let crosses = attribution
            .reason()
            .is_some_and(AttributionReason::crosses_cgroups);
        is_placed && !crosses && !self.undecided
    }

    /// Whether a client that does not trust the node's CA is denied.
    pub fn denies_untrusted_ca(&self) -> bool {
        match self.on_untrusted_ca {
            Some(choice) => choice == OnUntrustedCa::Deny,
            None => self.enforced,
        }
    }

    /// Whether a rule is enforced for which the texts of responses must be seen.
    pub fn edits_response(&self) -> bool {
        self.response.iter().any(Scan::acts) || self.tools.iter().any(|rule| rule.enforce)
    }
}
