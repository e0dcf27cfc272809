//! Policies → what applies to one workload.
//!
//! Every policy whose selector matches applies: all its budgets must have room, all its content rules are followed, and
//! one that says no is enough. What applies is worked out once per connection and again after a reload; which of its budgets count an
//! exchange, once per exchange.

mod applied;
mod budget;
mod condition;
mod guardrail;
mod key;
mod scan;
mod selector;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use monitor_budget::Budget;
use monitor_common::Scope;
use monitor_content::{DetectorCatalog, UnknownDetector};

use crate::config::{
    self, BudgetRule, Coverage, Glob, Match, Meter, Mode, NameRule, OnAgentDown, OnBypass, OnUnknown,
    PartSet, PromptLimit, Quic, Selector,
};
use crate::expression::Expression;
use crate::guardrail::Guardrail;
use crate::identity::{Placement, Workload};
use budget::SelectedBudget;
use key::KeyTemplate;
pub(crate) use key::budget_in;
use selector::Choice;

pub use applied::{Applied, AppliedNames, ModelRule};
pub use budget::{AppliedBudget, BudgetList, ExchangeBudgets, ExchangeFacts};
pub use condition::{AppliedLanguages, AppliedPromptLimit, Condition, Denial};
pub use guardrail::AppliedGuardrail;
pub use scan::Scan;

/// What policies may name of the rest of a configuration.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The detectors there are.
    pub detectors: &'a DetectorCatalog,
    /// The guardrails there are.
    pub guardrails: &'a [Arc<Guardrail>],
}

/// The policies of one configuration, compiled.
#[derive(Debug, Default)]
pub struct Policies {
    /// The node's name.
    node: Box<str>,
    policies: Vec<Compiled>,
    written: Box<[config::Policy]>,
}

#[derive(Debug)]
struct Compiled {
    name: Arc<str>,
    owner: Option<Arc<str>>,
    selector: Selector,
    enforce: bool,
    models: Option<Arc<[Glob]>>,
    operations: Option<Arc<NameRule>>,
    tools: Option<Arc<NameRule>>,
    when: Option<Arc<Expression>>,
    denials: Vec<Denial>,
    prompt_limit: Option<PromptLimit>,
    languages: Option<Arc<[&'static str]>>,
    meters_exactly: bool,
    /// Each with the name that it has in keys.
    budgets: Vec<(Box<str>, Arc<BudgetRule>)>,
    prompt: Vec<Scan>,
    response: Vec<Scan>,
    guardrails: Vec<AppliedGuardrail>,
    coverage: Coverage,
}

impl Policies {
    /// Compiles the policies of a configuration for the node of this name.
    ///
    /// # Errors
    /// A detector that does not exist, which validation of the configuration has ruled out.
    pub fn compile(
        policies: &[config::Policy],
        known: &Known<'_>,
        node: &str,
    ) -> Result<Self, UnknownDetector> {
        let compiled = policies
            .iter()
            .map(|policy| Compiled::new(policy, known))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            node: node.into(),
            policies: compiled,
            written: policies.into(),
        })
    }

    /// They as the configuration has them, in its order.
    pub fn written(&self) -> &[config::Policy] {
        &self.written
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
            let names = |rule: &Option<Arc<NameRule>>| {
                rule.clone().map(|rule| AppliedNames {
                    policy: policy.name.clone(),
                    enforce: policy.enforce,
                    rule,
                })
            };
            applied.operations.extend(names(&policy.operations));
            applied.tools.extend(names(&policy.tools));
            let (named, enforce) = (|| policy.name.clone(), policy.enforce);
            applied.metered.extend(policy.meters_exactly.then(named));
            applied
                .conditions
                .extend(policy.when.clone().map(|when| Condition {
                    policy: named(),
                    when,
                }));
            applied.denials.extend(policy.denials.iter().cloned());
            applied
                .prompt_limits
                .extend(policy.prompt_limit.map(|limit| AppliedPromptLimit {
                    policy: named(),
                    enforce,
                    limit,
                }));
            applied
                .languages
                .extend(policy.languages.clone().map(|allow| AppliedLanguages {
                    policy: named(),
                    enforce,
                    allow,
                }));
            let budgets = policy.budgets.iter().map(|(name, rule)| {
                let key = KeyTemplate::new(&policy.name, name, &rule.per, &self.node, workload);
                SelectedBudget::new(policy.name.clone(), policy.enforce, rule.clone(), key)
            });
            applied.budgets.extend(budgets);
            applied.prompt.extend(policy.prompt.iter().cloned());
            applied.response.extend(policy.response.iter().cloned());
            applied.guardrails.extend(policy.guardrails.iter().cloned());
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
    fn new(policy: &config::Policy, known: &Known<'_>) -> Result<Self, UnknownDetector> {
        let name: Arc<str> = policy.name.as_str().into();
        let enforce = policy.mode == Mode::Enforce;
        let mut scans = Scan::compile(&name, enforce, &policy.content, known.detectors)?;
        for scan in &mut scans {
            scan.on_limit = policy.on_detector_limit;
        }
        let of = |parts: PartSet| scans.iter().filter(move |scan| scan.parts.meets(parts)).cloned();
        let prompt = of(PartSet::prompt()).collect();
        let response = of(PartSet::response()).collect();
        let names = |rule: &NameRule| (!rule.is_empty()).then(|| Arc::new(rule.clone()));
        let guardrails = policy.guardrails.iter().filter_map(|rule| {
            let guardrail = known.guardrails.iter().find(|g| **g.name() == *rule.guardrail)?;
            Some(AppliedGuardrail {
                policy: name.clone(),
                enforce,
                parts: rule.parts,
                action: rule.action,
                owasp: rule.owasp,
                guardrail: guardrail.clone(),
            })
        });
        let guardrails = guardrails.collect();
        Ok(Self {
            name: name.clone(),
            guardrails,
            owner: policy.owner.as_deref().map(Into::into),
            selector: policy.workloads.clone(),
            enforce,
            models: policy.models.as_deref().map(Into::into),
            operations: names(&policy.operations),
            tools: names(&policy.tools),
            when: policy.when.clone().map(Arc::new),
            denials: policy
                .deny
                .iter()
                .map(|rule| Denial {
                    policy: name.clone(),
                    enforce,
                    rule: rule.name.as_str().into(),
                    when: Arc::new(rule.when.clone()),
                    owasp: rule.owasp,
                })
                .collect(),
            prompt_limit: policy.max_prompt,
            languages: policy.languages.as_deref().map(Into::into),
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
