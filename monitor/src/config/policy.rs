//! Policies as they apply: which workloads, which models, how many tokens, which content.

use serde::{Deserialize, Serialize};

use super::Glob;

/// What applies to the workloads it selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Unique; 1–63 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// The workloads it applies to.
    pub workloads: Selector,
    /// Whether its decisions are carried out or only recorded.
    pub mode: Mode,
    /// Models that may be asked, or `None` for all.
    pub models: Option<Vec<Glob>>,
    /// Token budgets, all of which must have room.
    pub budgets: Vec<BudgetRule>,
    /// What must not pass in text.
    pub content: Vec<ContentRule>,
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

/// A number of tokens in a rolling window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetRule {
    /// Tokens in the window, input and output together; at least 1.
    pub limit_tokens: u64,
    /// Length of the rolling window, one minute to thirty days.
    pub window_ms: u64,
    /// Who shares one budget.
    pub per: Grouping,
}

/// Who shares one budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Each workload has its own.
    #[default]
    Workload,
}

/// What to do about text that detectors find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContentRule {
    /// Names of detectors, or families of them such as `secret.*`; at least one, each known.
    pub detect: Vec<String>,
    /// The parts of an exchange that are scanned; at least one.
    pub parts: Parts,
    /// What follows a finding.
    pub action: Action,
}

/// Parts of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// The text of the request.
    pub prompt: bool,
    /// The text of the response.
    pub response: bool,
}

/// What follows a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The found text is replaced by a placeholder.
    Redact,
    /// The request is refused, or the response cut.
    Block,
}
