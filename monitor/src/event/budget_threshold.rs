//! The record of a budget whose spending has passed one of its thresholds.

use std::sync::Arc;

use monitor_budget::{Crossing, Unit, Window};

use crate::policy::budget_in;

/// A budget's spending has passed one of its thresholds: told once per window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetThreshold {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// The account's key.
    pub key: Arc<str>,
    /// What the figures count.
    pub unit: Unit,
    /// The limit in force then.
    pub limit: u64,
    /// What was settled or owed then.
    pub settled: u64,
    /// The threshold, in percent of the limit.
    pub percent: u8,
    /// Over which time the budget counts; `None` where the account is gone since.
    pub window: Option<Window>,
    /// Who answers for its policy, as the configuration says.
    pub owner: Option<Arc<str>>,
}

impl BudgetThreshold {
    /// The record of a crossing.
    #[must_use]
    pub fn new(crossing: Crossing, window: Option<Window>, owner: Option<Arc<str>>) -> Self {
        let Crossing {
            key,
            percent,
            unit,
            limit,
            settled,
            at_ms,
        } = crossing;
        Self {
            at_ms,
            key,
            unit,
            limit,
            settled,
            percent,
            window,
            owner,
        }
    }

    /// The policy and the budget's name there, which begin the key: each empty where the key has none.
    #[must_use]
    pub fn policy_and_budget(&self) -> (&str, &str) {
        budget_in(&self.key).unwrap_or_default()
    }
}
