//! Policies → what applies to one workload.
//!
//! Every policy whose selector matches applies: all its budgets must have room, all its content rules are followed, and
//! one that says no is enough. What applies is worked out once per connection and again after a reload.

use std::sync::Arc;

use monitor_budget::Budget;
use monitor_content::{Detectors, UnknownDetector};

use crate::config::{self, Action, Glob, Grouping, Mode, Selector};
use crate::identity::Workload;

/// The policies of one configuration, compiled.
#[derive(Debug, Default)]
pub struct Policies {
    policies: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    name: Arc<str>,
    selector: Selector,
    enforce: bool,
    models: Option<Arc<[Glob]>>,
    budgets: Vec<config::BudgetRule>,
    prompt: Vec<Scan>,
    response: Vec<Scan>,
}

/// What applies to the exchanges of one workload.
#[derive(Debug, Default)]
pub struct Applied {
    /// Lists of allowed models, each of which must have the model.
    pub models: Vec<ModelRule>,
    /// Budgets whose refusal is carried out.
    pub budgets: Vec<AppliedBudget>,
    /// Budgets whose refusal is only recorded.
    pub observed_budgets: Vec<AppliedBudget>,
    /// Content rules for the texts of requests.
    pub prompt: Vec<Scan>,
    /// Content rules for the texts of responses.
    pub response: Vec<Scan>,
    /// Some policy that applies is enforced: what cannot be read must not pass.
    pub enforced: bool,
}

/// The models that one policy allows.
#[derive(Debug, Clone)]
pub struct ModelRule {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    allow: Arc<[Glob]>,
}

impl ModelRule {
    /// Whether `model` is one of them.
    pub fn allows(&self, model: &str) -> bool {
        self.allow.iter().any(|glob| glob.matches(model))
    }
}

/// One account of the ledger, and the policy that asks for it.
#[derive(Debug, Clone)]
pub struct AppliedBudget {
    /// The policy.
    pub policy: Arc<str>,
    /// The account and its limit.
    pub budget: Budget,
}

/// One content rule.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its action is carried out.
    pub enforce: bool,
    /// What it looks for.
    pub detectors: Arc<Detectors>,
    /// What it does about it.
    pub action: Action,
}

impl Scan {
    /// Findings are replaced.
    pub fn redacts(&self) -> bool {
        self.enforce && self.action == Action::Redact
    }

    /// A finding refuses the request, or cuts the response.
    pub fn blocks(&self) -> bool {
        self.enforce && self.action == Action::Block
    }
}

impl Applied {
    /// Whether a response may be changed or cut on its way.
    pub fn may_change_response(&self) -> bool {
        !self.budgets.is_empty() || self.edits_response()
    }

    /// Whether a content rule is enforced on responses.
    pub fn edits_response(&self) -> bool {
        self.response.iter().any(|scan| scan.enforce)
    }
}

impl Policies {
    /// Compiles the policies of a configuration.
    ///
    /// # Errors
    /// A detector that does not exist, which validation of the configuration has ruled out.
    pub fn compile(policies: &[config::Policy]) -> Result<Self, UnknownDetector> {
        let policies = policies.iter().map(Compiled::new).collect::<Result<_, _>>()?;
        Ok(Self { policies })
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
        for policy in self.policies.iter().filter(|policy| policy.applies_to(workload)) {
            applied.enforced |= policy.enforce;
            applied
                .models
                .extend(policy.models.as_ref().map(|allow| ModelRule {
                    policy: policy.name.clone(),
                    enforce: policy.enforce,
                    allow: allow.clone(),
                }));
            let budgets = policy
                .budgets
                .iter()
                .enumerate()
                .map(|(index, rule)| AppliedBudget {
                    policy: policy.name.clone(),
                    budget: Budget::new(
                        policy.account(index, rule.per, workload),
                        rule.limit_tokens,
                        rule.window_ms,
                    ),
                });
            if policy.enforce {
                applied.budgets.extend(budgets);
            } else {
                applied.observed_budgets.extend(budgets);
            }
            applied.prompt.extend(policy.prompt.iter().cloned());
            applied.response.extend(policy.response.iter().cloned());
        }
        applied
    }

    /// Limit and window of an account as the configuration has them now; `None` for one that no policy asks for.
    pub fn budget_of(&self, key: &str) -> Option<(u64, u64)> {
        let mut parts = key.splitn(3, '/');
        let (policy, index) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let policy = self.policies.iter().find(|p| &*p.name == policy)?;
        policy
            .budgets
            .get(index)
            .map(|rule| (rule.limit_tokens, rule.window_ms))
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
            selector: policy.workloads.clone(),
            enforce,
            models: policy.models.as_deref().map(Into::into),
            budgets: policy.budgets.clone(),
            prompt,
            response,
        })
    }

    fn applies_to(&self, workload: Option<&Workload>) -> bool {
        let Selector { users, exes, cgroups } = &self.selector;
        let Some(workload) = workload else {
            return users.is_empty() && exes.is_empty() && cgroups.is_empty();
        };
        let any = |globs: &[Glob], value: &str| globs.is_empty() || globs.iter().any(|g| g.matches(value));
        let uid = workload.uid.to_string();
        let user = workload.user.as_deref();
        (users.is_empty() || any(users, &uid) || user.is_some_and(|user| any(users, user)))
            && any(exes, workload.exe.as_deref().unwrap_or_default())
            && any(cgroups, &workload.cgroup)
    }

    /// `policy/index/workload:cgroup`: the account's stable name. Policy names hold no `/`.
    fn account(&self, index: usize, per: Grouping, workload: Option<&Workload>) -> String {
        match per {
            Grouping::Workload => {
                let cgroup = workload.map_or("unknown", |workload| &workload.cgroup);
                format!("{}/{index}/workload:{cgroup}", self.name)
            }
        }
    }
}
