//! Policies → what applies to one workload.
//!
//! Every policy whose selector matches applies: all its budgets must have room, all its content rules are followed, and
//! one that says no is enough. What applies is worked out once per connection and again after a reload; which of its budgets count an
//! exchange, once per exchange.

mod applied;
mod budget;
mod key;
mod selector;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use monitor_budget::Budget;
use monitor_common::Scope;
use monitor_content::{Detectors, UnknownDetector};

use crate::config::{
    self, BudgetRule, Coverage, Glob, Match, Meter, Mode, OnAgentDown, OnBypass, OnUnknown, OperationRule,
    Quic, Selector,
};
use crate::identity::{Placement, Workload};
use budget::SelectedBudget;
use key::KeyTemplate;
pub(crate) use key::budget_in;
use selector::Choice;

pub use applied::{Applied, AppliedOperations, ModelRule, Scan};
pub use budget::{AppliedBudget, BudgetList, ExchangeBudgets, ExchangeFacts};

/// The policies of one configuration, compiled.
#[derive(Debug, Default)]
pub struct Policies {
    /// The node's name.
    node: Box<str>,
    policies: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    name: Arc<str>,
    owner: Option<Arc<str>>,
    selector: Selector,
    enforce: bool,
    models: Option<Arc<[Glob]>>,
    operations: Option<Arc<OperationRule>>,
    meters_exactly: bool,
    /// Each with the name that it has in keys.
    budgets: Vec<(Box<str>, Arc<BudgetRule>)>,
    prompt: Vec<Scan>,
    response: Vec<Scan>,
    coverage: Coverage,
}

impl Policies {
    /// Compiles the policies of a configuration for the node of this name.
    ///
    /// # Errors
    /// A detector that does not exist, which validation of the configuration has ruled out.
    pub fn compile(policies: &[config::Policy], node: &str) -> Result<Self, UnknownDetector> {
        let policies = policies.iter().map(Compiled::new).collect::<Result<_, _>>()?;
        Ok(Self {
            node: node.into(),
            policies,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// What applies to `workload`; to a connection whose workload is not known only what applies to everyone.
    pub fn select(&self, workload: Option<&Workload>) -> Applied {
        let mut applied = Applied::default();
        for policy in &self.policies {
            let choice = selector::chooses(&policy.selector, workload);
            if choice != Choice::No {
                applied.note_unknown(policy, choice);
                let owner = policy.owner.as_ref();
                applied
                    .owners
                    .extend(owner.map(|owner| (policy.name.clone(), owner.clone())));
            }
            if choice != Choice::Yes {
                continue;
            }
            applied.enforced |= policy.enforce;
            if policy.enforce {
                applied.on_untrusted_ca = applied.on_untrusted_ca.max(policy.coverage.on_untrusted_ca);
                applied.on_bypass = applied
                    .on_bypass
                    .max(policy.coverage.on_bypass.unwrap_or_default());
            }
            applied
                .models
                .extend(policy.models.as_ref().map(|allow| ModelRule {
                    policy: policy.name.clone(),
                    enforce: policy.enforce,
                    allow: allow.clone(),
                }));
            applied
                .operations
                .extend(policy.operations.as_ref().map(|rule| AppliedOperations {
                    policy: policy.name.clone(),
                    enforce: policy.enforce,
                    rule: rule.clone(),
                }));
            applied.meters_exactly |= policy.meters_exactly;
            let budgets = policy.budgets.iter().map(|(name, rule)| {
                let key = KeyTemplate::new(&policy.name, name, &rule.per, &self.node, workload);
                SelectedBudget::new(policy.name.clone(), policy.enforce, rule.clone(), key)
            });
            applied.budgets.extend(budgets);
            applied.prompt.extend(policy.prompt.iter().cloned());
            applied.response.extend(policy.response.iter().cloned());
        }
        applied
    }

    /// How the kernel treats the connections of a cgroup; `matches` is for those of which no policy says. Only policies
    /// of whole cgroups count, and of those that observe only what refuses nothing.
    pub fn scope_of(&self, placement: &Placement, matches: Match) -> Scope {
        let mut said = Coverage::default();
        for policy in &self.policies {
            let chosen = selector::chooses_placement(&policy.selector, placement) == Choice::Yes;
            if !policy.selector.is_of_cgroups() || !chosen {
                continue;
            }
            let coverage = &policy.coverage;
            said.matches = said.matches.max(coverage.matches);
            said.quic = said.quic.max(coverage.quic);
            if policy.enforce {
                said.on_agent_down = said.on_agent_down.max(coverage.on_agent_down);
                said.on_bypass = said.on_bypass.max(coverage.on_bypass);
            }
        }
        let flag = |condition: bool, flag: Scope| if condition { flag } else { Scope::NONE };
        flag(said.matches.unwrap_or(matches) == Match::AllTls, Scope::ALL_TLS)
            .with(flag(
                said.on_agent_down == Some(OnAgentDown::Closed),
                Scope::CLOSED,
            ))
            .with(flag(said.on_bypass == Some(OnBypass::Deny), Scope::DENY_BYPASS))
            .with(flag(said.quic == Some(Quic::Pass), Scope::PASS_QUIC))
    }

    /// Whether a policy refuses exchanges of workloads that are not known for certain: only then is there something to wait
    /// for before one begins.
    pub fn any_strict_on_unknown(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.enforce && policy.coverage.on_unknown > Some(OnUnknown::Observe))
    }

    /// Whether some cgroup's connections are refused while no agent is alive.
    pub fn any_closed(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.enforce && policy.coverage.on_agent_down == Some(OnAgentDown::Closed))
    }

    /// The budget of an account as the configuration has it now; `None` for one that no policy asks for.
    pub fn budget_of(&self, key: &str) -> Option<Budget> {
        let rule = self.rule_of(key)?;
        Some(budget::definition(rule, key.into()))
    }

    /// The rule of an account's key; `None` for one that no policy asks for.
    pub fn rule_of(&self, key: &str) -> Option<&Arc<BudgetRule>> {
        let (policy, budget) = key::budget_in(key)?;
        let policy = self.policies.iter().find(|p| &*p.name == policy)?;
        let (_, rule) = policy.budgets.iter().find(|(name, _)| **name == *budget)?;
        Some(rule)
    }

    /// Who answers for the policy of an account's key.
    pub fn owner_of(&self, key: &str) -> Option<&Arc<str>> {
        let (policy, _) = key::budget_in(key)?;
        let policy = self.policies.iter().find(|p| &*p.name == policy)?;
        policy.owner.as_ref()
    }
}

impl Compiled {
    fn new(policy: &config::Policy) -> Result<Self, UnknownDetector> {
        let name: Arc<str> = policy.name.as_str().into();
        let enforce = policy.mode == Mode::Enforce;
        let (mut prompt, mut response) = (Vec::new(), Vec::new());
        for rule in &policy.content {
            let scan = Scan {
                policy: name.clone(),
                enforce,
                detectors: Arc::new(Detectors::compile(&rule.detect)?),
                action: rule.action,
            };
            if rule.parts.prompt {
                prompt.push(scan.clone());
            }
            if rule.parts.response {
                response.push(scan);
            }
        }
        Ok(Self {
            name,
            owner: policy.owner.as_deref().map(Into::into),
            selector: policy.workloads.clone(),
            enforce,
            models: policy.models.as_deref().map(Into::into),
            operations: (!policy.operations.is_empty()).then(|| Arc::new(policy.operations.clone())),
            meters_exactly: enforce && policy.meter == Meter::Exact && !policy.budgets.is_empty(),
            budgets: policy
                .budgets
                .iter()
                .enumerate()
                .map(|(index, rule)| (rule.label(index).into(), Arc::new(rule.clone())))
                .collect(),
            prompt,
            response,
            coverage: policy.coverage,
        })
    }
}
