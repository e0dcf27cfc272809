//! The record of a budget whose spending has passed one of its thresholds.

use std::sync::Arc;

use monitor_budget::{Crossing, Unit, Window};

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
}

impl BudgetThreshold {
    /// The record of a crossing.
    #[must_use]
    pub fn new(crossing: Crossing, window: Option<Window>) -> Self {
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
        }
    }

    /// The policy and the budget's name there, which begin the key: each empty where the key has none.
    #[must_use]
    pub fn policy_and_budget(&self) -> (&str, &str) {
        let mut parts = self.key.splitn(3, '/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }
}
