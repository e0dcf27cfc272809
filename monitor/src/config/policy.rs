//! Policies as they apply: which workloads, which models, how much, which content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BudgetRule, ContentRule, DenyRule, Glob, GuardrailRule, PromptLimit};
use crate::expression::Expression;

/// What applies to the workloads it selects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Unique; 1–63 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// Who answers for it, for example a team; on record with every decision of the policy.
    pub owner: Option<String>,
    /// Which of their exchanges it applies to; `None` for all.
    pub when: Option<Expression>,
    /// The workloads it applies to.
    pub workloads: Selector,
    /// Whether its decisions are carried out or only recorded.
    pub mode: Mode,
    /// Models that may be asked, or `None` for all.
    pub models: Option<Vec<Glob>>,
    /// Operations that may be asked for, by the names that records have.
    pub operations: NameRule,
    /// Tools that may be offered to a model, and called by it.
    pub tools: NameRule,
    /// How long a prompt may be.
    pub max_prompt: Option<PromptLimit>,
    /// Languages that users may write in, by their ISO 639-1 codes, or `None` for all.
    pub languages: Option<Vec<&'static str>>,
    /// Conditions under which a request is refused.
    pub deny: Vec<DenyRule>,
    /// How streams are metered.
    pub meter: Meter,
    /// Budgets, all of which must have room.
    pub budgets: Vec<BudgetRule>,
    /// What must not pass in text.
    pub content: Vec<ContentRule>,
    /// What is done about text that the detectors could not read to its end.
    pub on_detector_limit: OnDetectorLimit,
    /// Who is asked about prompts.
    pub guardrails: Vec<GuardrailRule>,
    /// What is done where an exchange cannot be seen or attributed.
    pub coverage: Coverage,
}

/// Which of the things that have names are allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NameRule {
    /// Only these, or `None` for all.
    pub allow: Option<Vec<Glob>>,
    /// None of these.
    pub deny: Vec<Glob>,
}

impl NameRule {
    /// Whether it says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// Whether what has this name is allowed.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        let listed = |list: &[Glob]| list.iter().any(|glob| glob.matches(name));
        self.allow.as_deref().is_none_or(listed) && !listed(&self.deny)
    }
}

/// How the tokens of streams are metered that do not carry the provider's own count unless it is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meter {
    /// The provider is asked to tell, where the policy has a budget to charge; what it sends for that is kept from the client.
    #[default]
    Exact,
    /// Requests stay as they are; what the provider does not tell is counted here.
    Passive,
}

/// What happens to text that detectors could not read to its end, because it met one of their bounds: it is encoded more often
/// than is decoded, or has more findings than are reported, or is longer than one exchange's rules read, or hides too little text among too many characters that nobody
/// sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDetectorLimit {
    /// It is refused: something may have been missed.
    #[default]
    Deny,
    /// It passes, on record, with what has been found redacted or refused as the rules say.
    Allow,
}

/// What is done where an exchange cannot be seen or attributed; `None` where the policy does not say. Of several policies
/// that say, the strictest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Which connections are sent to the agent.
    #[serde(rename = "match")]
    pub matches: Option<Match>,
    /// While no agent is alive.
    pub on_agent_down: Option<OnAgentDown>,
    /// What should be intercepted and cannot be: no listener, no room in a map, another protocol.
    pub on_bypass: Option<OnBypass>,
    /// UDP to LLM hosts, which is HTTP/3.
    pub quic: Option<Quic>,
    /// A client that does not trust the node's CA.
    pub on_untrusted_ca: Option<OnUntrustedCa>,
    /// A connection whose workload is not known for certain.
    pub on_unknown: Option<OnUnknown>,
}

/// Which connections are sent to the agent. In the order of strictness, as the enums below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// Those to addresses that a DNS answer tied to an LLM host.
    #[default]
    Resolved,
    /// Every one to an intercepted port; those to other hosts are spliced.
    AllTls,
}

/// What happens to LLM-bound connections while no agent is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAgentDown {
    /// They pass, unseen.
    #[default]
    Open,
    /// They are refused.
    Closed,
}

/// What happens to what should be intercepted and cannot be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBypass {
    /// It passes, on record.
    #[default]
    Pass,
    /// It is refused.
    Deny,
}

/// What happens to UDP to LLM hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quic {
    /// It passes, unseen.
    Pass,
    /// It is refused, and clients use TCP.
    #[default]
    Refuse,
}

/// What happens to clients that do not trust the node's CA. Where no policy says, those of workloads that an enforced
/// policy governs are denied, and others pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUntrustedCa {
    /// Their next connections to the same host are carried untouched.
    Pass,
    /// They fail.
    Deny,
}

/// What happens to connections whose workload is not known for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Their exchanges go on under what is known, on record.
    #[default]
    Observe,
    /// Their exchanges wait a moment for what is missing, and are refused without it.
    Hold,
    /// Their exchanges are refused.
    Deny,
}

/// Which workloads a policy applies to: each list that is not empty must have a match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Selector {
    /// Against the user's name, and against the uid in decimal.
    pub users: Vec<Glob>,
    /// Against the executable's absolute path.
    pub exes: Vec<Glob>,
    /// Against the path in the cgroup2 hierarchy, beginning with `/`.
    pub cgroups: Vec<Glob>,
    /// Against the systemd unit's name.
    pub units: Vec<Glob>,
    /// Against the pod's namespace.
    pub namespaces: Vec<Glob>,
    /// Against the pod's name.
    pub pods: Vec<Glob>,
    /// Labels of the pod: every key must be there with a value that matches one of its patterns.
    pub labels: BTreeMap<String, Vec<Glob>>,
    /// Against the pod's service account.
    pub service_accounts: Vec<Glob>,
    /// Against the container's name.
    pub containers: Vec<Glob>,
    /// Against the container's image.
    pub images: Vec<Glob>,
    /// Against the SPIFFE id.
    pub spiffe: Vec<Glob>,
}

impl Selector {
    /// Whether it chooses whole cgroups: nothing in it depends on the process.
    #[must_use]
    pub fn is_of_cgroups(&self) -> bool {
        self.users.is_empty() && self.exes.is_empty()
    }
}

/// Whether a policy acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decisions are carried out.
    #[default]
    Enforce,
    /// Decisions are recorded and nothing is changed.
    Observe,
}
