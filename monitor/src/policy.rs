//! Policies → what applies to one workload.
//!
//! Every policy whose selector matches applies: all its budgets must have room, all its content rules are followed, and
//! one that says no is enough. What applies is worked out once per connection and again after a reload.

mod selector;

use std::sync::Arc;

use monitor_budget::Budget;
use monitor_common::Scope;
use monitor_content::{Detectors, UnknownDetector};

use crate::config::{
    self, Action, Coverage, Glob, Grouping, Match, Meter, Mode, OnAgentDown, OnBypass, OnUnknown,
    OnUntrustedCa, OperationRule, Quic, Selector,
};
use crate::identity::{Attribution, AttributionReason, Placement, Workload};
use selector::Choice;

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
    operations: Option<Arc<OperationRule>>,
    meters_exactly: bool,
    budgets: Vec<config::BudgetRule>,
    prompt: Vec<Scan>,
    response: Vec<Scan>,
    coverage: Coverage,
}

/// What applies to the exchanges of one workload.
#[derive(Debug, Default)]
pub struct Applied {
    /// Lists of allowed models, each of which must have the model.
    pub models: Vec<ModelRule>,
    /// Lists of operations, each of which must allow the operation.
    pub operations: Vec<AppliedOperations>,
    /// An enforced policy with a budget wants the provider's own count of every stream.
    pub meters_exactly: bool,
    budgets: Vec<Arc<AppliedBudget>>,
    /// Content rules for the texts of requests.
    pub prompt: Vec<Scan>,
    /// Content rules for the texts of responses.
    pub response: Vec<Scan>,
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
    allow: Arc<[Glob]>,
}

impl ModelRule {
    /// Whether `model` is one of them.
    pub fn allows(&self, model: &str) -> bool {
        self.allow.iter().any(|glob| glob.matches(model))
    }
}

/// The operations that one policy allows.
#[derive(Debug, Clone)]
pub struct AppliedOperations {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether its decision is carried out.
    pub enforce: bool,
    rule: Arc<OperationRule>,
}

impl AppliedOperations {
    /// Whether an operation of this name may be asked for.
    pub fn allows(&self, operation: &str) -> bool {
        self.rule.allows(operation)
    }
}

/// A budget that applies to an exchange: one account of the ledger, and the rule that asks for it.
#[derive(Debug)]
pub struct AppliedBudget {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether the policy's decisions are carried out.
    pub enforce: bool,
    /// What the configuration says of it.
    pub rule: Arc<config::BudgetRule>,
    /// The account and its limit.
    pub budget: Budget,
}

impl AppliedBudget {
    /// Whether an exchange that does not fit is refused or cut: its policy is enforced, and it does not only alert.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.enforce && self.rule.at_limit != config::AtLimit::Alert
    }

    /// Its policy and its name there, which begin the account's key: what a client may be told.
    #[must_use]
    pub fn label(&self) -> String {
        self.budget
            .key
            .splitn(3, '/')
            .take(2)
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// What of an exchange decides which budgets apply.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeFacts<'a> {
    /// The provider, by its name in the catalog or configuration.
    pub provider: &'a str,
    /// Models that may answer: the one that is asked for, and others that the request names in its stead. It may name none.
    pub models: &'a [&'a str],
    /// The operation, by its name in records.
    pub operation: &'a str,
    /// The fingerprint of the API key; `None` where the request has none.
    pub api_key: Option<&'a str>,
}

/// More than four budgets of a kind on one exchange spill to the heap.
pub type BudgetList = smallvec::SmallVec<[Arc<AppliedBudget>; 4]>;

/// The budgets that apply to an exchange.
#[derive(Debug, Clone, Default)]
pub struct ExchangeBudgets {
    /// Those whose refusal is carried out ([`AppliedBudget::denies`]).
    pub enforced: BudgetList,
    /// Those that never refuse: of policies that observe, and those that only alert.
    pub observed: BudgetList,
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
        self.budgets
            .iter()
            .any(|applied| applied.denies() || (applied.enforce && applied.rule.slow_down.is_some()))
            || self.edits_response()
    }

    /// The budgets that apply to an exchange.
    pub fn budgets_for(&self, _facts: &ExchangeFacts<'_>) -> ExchangeBudgets {
        let (enforced, observed) = self.budgets.iter().cloned().partition(|applied| applied.denies());
        ExchangeBudgets { enforced, observed }
    }

    /// Whether what should be intercepted and cannot be is denied.
    pub fn denies_bypass(&self) -> bool {
        self.on_bypass == OnBypass::Deny
    }

    fn note_unknown(&mut self, policy: &Compiled, choice: Choice) {
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
        for policy in &self.policies {
            let choice = selector::chooses(&policy.selector, workload);
            if choice != Choice::No {
                applied.note_unknown(policy, choice);
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
            let budgets = policy
                .budgets
                .iter()
                .enumerate()
                .map(|(index, rule)| AppliedBudget {
                    policy: policy.name.clone(),
                    enforce: policy.enforce,
                    rule: Arc::new(rule.clone()),
                    budget: Budget::tokens(
                        policy.account(index, rule.per, workload),
                        rule.limit_tokens,
                        rule.window_ms,
                    ),
                });
            applied.budgets.extend(budgets.map(Arc::new));
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
        let mut parts = key.splitn(3, '/');
        let (policy, index) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let policy = self.policies.iter().find(|p| &*p.name == policy)?;
        policy
            .budgets
            .get(index)
            .map(|rule| Budget::tokens(key, rule.limit_tokens, rule.window_ms))
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
            operations: (!policy.operations.is_empty()).then(|| Arc::new(policy.operations.clone())),
            meters_exactly: enforce && policy.meter == Meter::Exact && !policy.budgets.is_empty(),
            budgets: policy.budgets.clone(),
            prompt,
            response,
            coverage: policy.coverage,
        })
    }

    /// `policy/index/kind:name`: the account's stable name. Names of policies, namespaces and service accounts hold no `/`.
    fn account(&self, index: usize, per: Grouping, workload: Option<&Workload>) -> String {
        let policy = &self.name;
        let Some(placement) = workload.map(|workload| &*workload.placement) else {
            return format!("{policy}/{index}/workload:unknown");
        };
        let pod = placement.pod.as_deref();
        let namespace = pod.and_then(|pod| pod.namespace.as_deref());
        let service_account = pod.and_then(|pod| pod.service_account.as_deref());
        match (per, pod, namespace, service_account) {
            // The uid is known from the first connection on, the name is not.
            (Grouping::Pod, Some(pod), ..) => format!("{policy}/{index}/pod:{}", pod.uid),
            (Grouping::Namespace, _, Some(namespace), _) => format!("{policy}/{index}/namespace:{namespace}"),
            (Grouping::ServiceAccount, _, Some(namespace), Some(account)) => {
                format!("{policy}/{index}/service_account:{namespace}/{account}")
            }
            _ => {
                let cgroup = placement.principal();
                match placement.container_beside_path() {
                    // No path has two slashes in a row.
                    Some(container) => format!("{policy}/{index}/workload:{cgroup}//{container}"),
                    None => format!("{policy}/{index}/workload:{cgroup}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::event::samples;
    use crate::identity::Pod;

    fn policies(text: &str) -> Policies {
        Policies::compile(&Config::parse(text, Path::new("weir.yaml")).unwrap().policies).unwrap()
    }

    #[test]
    fn the_strictest_word_counts_and_observers_refuse_nothing() {
        let policies = policies(
            r#"
policies:
  - {name: a, workloads: {cgroup: "/pods/*"}, on_agent_down: closed, quic: pass}
  - {name: b, workloads: {cgroup: "/pods/1"}, on_agent_down: open, quic: refuse, match: all-tls}
  - {name: c, mode: observe, on_bypass: deny}
  - {name: d, workloads: {exe: /bin/x}, on_unknown: deny}
"#,
        );
        let scope = |cgroup: &str| policies.scope_of(&Placement::of_cgroup(cgroup), Match::Resolved);
        assert_eq!(scope("/pods/1"), Scope::ALL_TLS.with(Scope::CLOSED));
        assert_eq!(scope("/pods/2"), Scope::CLOSED.with(Scope::PASS_QUIC));
        assert_eq!(scope("/other"), Scope::NONE);
        assert!(policies.any_closed());
        let all = policies.scope_of(&Placement::of_cgroup("/other"), Match::AllTls);
        assert_eq!(all, Scope::ALL_TLS);
    }

    #[test]
    fn accounts_are_of_what_is_known() {
        let policies = policies(
            r#"
policies:
  - name: a
    budgets:
      - {limit: 1 token, window: 1h}
      - {limit: 1 token, window: 1h, per: pod}
      - {limit: 1 token, window: 1h, per: service_account}
      - {limit: 1 token, window: 1h, per: namespace}
"#,
        );
        let accounts = |workload: &Workload| -> Vec<String> {
            let applied = policies.select(Some(workload)).budgets;
            applied
                .iter()
                .map(|budget| budget.budget.key.to_string())
                .collect()
        };
        let named = samples::pod_workload();
        let cgroup = &named.placement.cgroup;
        assert_eq!(
            accounts(&named),
            [
                format!("a/0/workload:{cgroup}"),
                format!("a/1/pod:{}", samples::POD_UID),
                "a/2/service_account:billing/bot".to_owned(),
                "a/3/namespace:billing".to_owned(),
            ]
        );
        for key in accounts(&named) {
            assert_eq!(
                policies.budget_of(&key),
                Some(Budget::tokens(&*key, 1, 3_600_000))
            );
        }
        let unnamed = Workload {
            placement: Arc::new(Placement {
                pod: Some(Arc::new(Pod {
                    uid: samples::POD_UID.into(),
                    ..Pod::default()
                })),
                ..Placement::clone(&named.placement)
            }),
            ..Workload::clone(&named)
        };
        assert_eq!(
            accounts(&unnamed)[1..3],
            [
                format!("a/1/pod:{}", samples::POD_UID),
                format!("a/2/workload:{cgroup}"),
            ]
        );
        assert_eq!(accounts(&unnamed)[3], format!("a/3/workload:{cgroup}"));
        // Several containers in one cgroup, on a hybrid node.
        let beside = Workload {
            placement: Arc::new(Placement {
                cgroup: "/".into(),
                pod: None,
                ..Placement::clone(&named.placement)
            }),
            ..Workload::clone(&named)
        };
        let account = format!("a/1/workload:///{}", "c".repeat(64));
        assert_eq!(accounts(&beside)[1], account);
    }

    #[test]
    fn a_client_that_distrusts_the_ca_is_denied_where_a_policy_is_enforced() {
        let governed = policies("policies: [{name: a}]").select(None);
        assert!(governed.denies_untrusted_ca());
        let passed = policies("policies: [{name: a, on_untrusted_ca: pass}]").select(None);
        assert!(!passed.denies_untrusted_ca());
        let observed = policies("policies: [{name: a, mode: observe, on_untrusted_ca: deny}]").select(None);
        assert!(!observed.denies_untrusted_ca());
        assert!(!policies("").select(None).denies_untrusted_ca());
    }

    #[test]
    fn what_is_not_known_is_refused_by_policies_that_may_apply() {
        let policies = policies(
            r#"
policies:
  - {name: everyone, workloads: {cgroup: "/kubepods/*"}}
  - {name: billing, workloads: {namespace: billing}, on_unknown: deny}
  - {name: trial, mode: observe, on_unknown: hold}
"#,
        );
        let mut workload = crate::event::samples::workload().as_ref().clone();
        let select = |workload: &Workload| {
            let applied = policies.select(Some(workload));
            let known = applied.is_known(Some(workload), Attribution::Exact);
            (
                known,
                applied.on_unknown,
                applied.on_unknown_by.as_deref().map(str::to_owned),
            )
        };
        assert_eq!(select(&workload), (true, OnUnknown::Observe, None));
        let mut placement = Placement::of_cgroup("/kubepods/pod1/c1");
        placement.pod = Some(Arc::default());
        workload.placement = Arc::new(placement.clone());
        let by = Some("billing".to_owned());
        assert_eq!(select(&workload), (false, OnUnknown::Deny, by.clone()));
        placement.pod = Some(Arc::new(crate::identity::Pod {
            namespace: Some("billing".into()),
            ..Default::default()
        }));
        workload.placement = Arc::new(placement);
        assert_eq!(select(&workload), (true, OnUnknown::Deny, by));
        let applied = policies.select(Some(&workload));
        assert_eq!(applied.observed_on_unknown.as_deref(), Some("trial"));
        let passed = AttributionReason::PassedDescriptorAcrossCgroups;
        assert!(!applied.is_known(Some(&workload), Attribution::Ambiguous(passed)));
        let forked = AttributionReason::SharedByFork;
        assert!(applied.is_known(Some(&workload), Attribution::Ambiguous(forked)));
    }
}
