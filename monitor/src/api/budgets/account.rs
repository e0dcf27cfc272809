//! An account as the local API shows it: integers, with the unit beside them.

use std::sync::Arc;

use monitor_budget::{AccountState, Budget, Scope};
use serde::Serialize;

use crate::event::native::rfc3339;

/// An account as it stands.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    key: Arc<str>,
    policy: String,
    /// Who answers for that policy, where the configuration says.
    owner: Option<Arc<str>>,
    unit: &'static str,
    /// In force.
    limit: u64,
    /// The policy's: another one while an override is in force.
    defined_limit: u64,
    override_until: Option<String>,
    window: String,
    settled: u64,
    reserved: u64,
    debt: u64,
    left: u64,
    used_percent: u64,
    peak_outstanding: u64,
    open_reservations: u32,
    next_free: Option<String>,
    resets_at: Option<String>,
}

/// An account, and what the configuration says of it.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    #[serde(flatten)]
    pub(super) account: Account,
    /// Whether the ledger has the account: an unused budget has none, nor has one that holds nothing any more.
    pub(super) opened: bool,
    /// What a policy says now; null where none asks for the account any more.
    pub(super) definition: Option<Definition>,
}

/// A budget as a policy has it.
#[derive(Debug, Serialize)]
pub(super) struct Definition {
    limit: u64,
    unit: &'static str,
    window: String,
    alert_at_percent: Arc<[u8]>,
    scope: &'static str,
}

impl Account {
    /// The same with who answers for its policy.
    pub(super) fn of(self, owner: Option<Arc<str>>) -> Self {
        Self { owner, ..self }
    }
}

impl From<AccountState> for Account {
    fn from(account: AccountState) -> Self {
        let taken = taken(&account);
        Self {
            policy: policy(&account.key).to_owned(),
            owner: None,
            key: account.key,
            unit: account.unit.name(),
            limit: account.limit,
            defined_limit: account.defined_limit,
            override_until: account.override_until_ms.map(rfc3339),
            window: account.window.to_string(),
            settled: account.settled,
            reserved: account.reserved,
            debt: account.debt,
            // Nothing is free while there is debt.
            left: account.limit.saturating_sub(taken),
            used_percent: used_percent(taken, account.limit),
            peak_outstanding: account.peak_outstanding,
            open_reservations: account.open_reservations,
            next_free: account.next_free_ms.map(rfc3339),
            resets_at: account.resets_at_ms.map(rfc3339),
        }
    }
}

impl From<&Budget> for Account {
    /// The account that a budget would be opened with.
    fn from(budget: &Budget) -> Self {
        Self {
            key: budget.key.clone(),
            policy: policy(&budget.key).to_owned(),
            owner: None,
            unit: budget.unit.name(),
            limit: budget.limit,
            defined_limit: budget.limit,
            override_until: None,
            window: budget.window.to_string(),
            settled: 0,
            reserved: 0,
            debt: 0,
            left: budget.limit,
            used_percent: used_percent(0, budget.limit),
            peak_outstanding: 0,
            open_reservations: 0,
            next_free: None,
            resets_at: None,
        }
    }
}

impl From<&Budget> for Definition {
    fn from(budget: &Budget) -> Self {
        Self {
            limit: budget.limit,
            unit: budget.unit.name(),
            window: budget.window.to_string(),
            alert_at_percent: budget.alert_at.clone(),
            scope: match budget.scope {
                Scope::Node => "node",
                Scope::Cluster { .. } => "cluster",
            },
        }
    }
}

/// The policy of an account: the first part of its key.
pub(super) fn policy(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

/// What cannot be reserved of an account's limit.
pub(super) fn taken(account: &AccountState) -> u64 {
    account
        .settled
        .saturating_add(account.reserved)
        .saturating_add(account.debt)
}

/// Percents of a limit, rounded down: 100 is reached when nothing is left.
pub(super) fn used_percent(taken: u64, limit: u64) -> u64 {
    taken.saturating_mul(100).checked_div(limit).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_full_only_when_nothing_is_left() {
        assert_eq!(used_percent(0, 200), 0);
        assert_eq!(used_percent(199, 200), 99);
        assert_eq!(used_percent(200, 200), 100);
        assert_eq!(used_percent(500, 200), 250);
        assert_eq!(used_percent(0, 0), 100, "a limit of nothing has nothing left");
        assert_eq!(used_percent(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn the_policy_is_the_keys_first_part() {
        assert_eq!(policy("billing-bots/daily/workload:/a/b"), "billing-bots");
        assert_eq!(policy("whole"), "whole");
    }
}
