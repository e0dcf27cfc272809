//! Budgets as they apply: what is counted, over which time, for whom, of which exchanges, and what happens at the limit.

mod grouping;
mod spec;
#[cfg(test)]
mod tests;
mod validate;

use std::sync::Arc;

use monitor_budget::{Scope, Unit, Window};
use serde::{Deserialize, Serialize, Serializer};

use super::Glob;

pub use grouping::{Dimension, Grouping, MAX_LABEL_BYTES};
pub(super) use spec::BudgetSpec;
pub(super) use validate::{Surroundings, budgets};

/// A limit of something in a window, for each of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetRule {
    /// Its name, unique in its policy and a part of its accounts' keys; `None`: its place in the policy, from 0, is.
    pub name: Option<String>,
    /// How much of `unit`; 1 to [`monitor_budget::MAX_AMOUNT`].
    pub limit: u64,
    /// What is counted.
    #[serde(serialize_with = "unit_name")]
    pub unit: Unit,
    /// Over which time; [`Window::Open`] exactly where `unit` is [`Unit::Concurrency`].
    #[serde(serialize_with = "as_text")]
    pub window: Window,
    /// Who has a budget of their own.
    pub per: Grouping,
    /// Which exchanges it counts.
    #[serde(flatten)]
    pub filter: ExchangeFilter,
    /// Shares of the limit, in percent and rising, whose passing is told once a window; where the budget only alerts, at least one.
    pub alert_at: Arc<[u8]>,
    /// What happens to an exchange that does not fit.
    pub at_limit: AtLimit,
    /// From when on streams are paced, and how.
    pub slow_down: Option<SlowDown>,
    /// The request's own output limit is lowered to what is left.
    pub clamp: bool,
    /// How much of an answer is reserved before.
    pub reserve: Reserve,
    /// Whose the limit is, and what a cluster's allows while the cluster's store does not answer.
    #[serde(serialize_with = "scope_name")]
    pub scope: Scope,
}

/// Which exchanges a budget counts; what is `None` holds for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExchangeFilter {
    /// Names of providers.
    pub providers: Option<Vec<Glob>>,
    /// Models as requests name them, in lower case; they match in any case.
    pub models: Option<Vec<Glob>>,
    /// Operations by the names that records have.
    pub operations: Option<Vec<Glob>>,
}

/// What happens to an exchange that does not fit into a budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It is refused, and a stream under way is cut.
    #[default]
    Deny,
    /// It goes on, on record.
    Alert,
    /// It goes on with this model if that fits, and is refused else.
    Downgrade(String),
}

/// Pacing of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SlowDown {
    /// From this share of the limit on, in percent, 1 to 100.
    pub from_percent: u8,
    /// To this many tokens of output a second, at least 1.
    pub tokens_per_s: u64,
}

/// How much of an answer is reserved before a byte of its request goes upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reserve {
    /// Of a stream a first slice, and more as it grows.
    #[default]
    Slice,
    /// All that the request allows.
    Full,
}

impl BudgetRule {
    /// A limit of tokens in any stretch of `window_ms` milliseconds, for each workload.
    #[must_use]
    pub fn tokens(limit: u64, window_ms: u64) -> Self {
        Self {
            name: None,
            limit,
            unit: Unit::Tokens,
            window: Window::rolling(window_ms),
            per: Grouping::default(),
            filter: ExchangeFilter::default(),
            alert_at: Arc::default(),
            at_limit: AtLimit::Deny,
            slow_down: None,
            clamp: false,
            reserve: Reserve::Slice,
            scope: Scope::Node,
        }
    }

    /// The stable part of its accounts' keys: its name, or its place in the policy.
    #[must_use]
    pub fn label(&self, index: usize) -> String {
        self.name.clone().unwrap_or_else(|| index.to_string())
    }
}

/// Whether output of an answer counts in a unit, so that what an answer may become matters.
#[must_use]
pub fn counts_output(unit: Unit) -> bool {
    matches!(unit, Unit::Tokens | Unit::OutputTokens | Unit::MicroUsd)
}

impl ExchangeFilter {
    /// Whether it depends on the exchange at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.providers.is_none() && self.models.is_none() && self.operations.is_none()
    }
}

fn unit_name<S: Serializer>(unit: &Unit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(unit.name())
}

fn scope_name<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scope.name())
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
