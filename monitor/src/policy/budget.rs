//! Which budgets apply to an exchange, and under which keys.
//!
//! What depends on the workload alone is worked out once a connection; an exchange adds its provider, model, operation and API key. A budget
//! that asks for none of these costs an exchange no allocation.

use std::borrow::Cow;
use std::sync::Arc;

use monitor_budget::{Budget, Unit};
use smallvec::{SmallVec, smallvec};

use super::key::{ExchangeValues, KeyTemplate};
use crate::config::{AtLimit, BudgetRule, ExchangeFilter, Glob};

/// A budget that applies to an exchange: one account of the ledger, and the rule that asks for it.
#[derive(Debug)]
pub struct AppliedBudget {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether the policy's decisions are carried out.
    pub enforce: bool,
    /// What the configuration says of it.
    pub rule: Arc<BudgetRule>,
    /// The account and its limit.
    pub budget: Budget,
}

impl AppliedBudget {
    /// Whether an exchange that does not fit is refused or cut: its policy is enforced, and it does not only alert.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.enforce && self.rule.at_limit != AtLimit::Alert
    }

    /// Its policy and its name there, which begin the account's key: what a client may be told.
    #[must_use]
    pub fn label(&self) -> String {
        let parts = super::key::budget_in(&self.budget.key);
        parts.map_or_else(String::new, |(policy, budget)| format!("{policy}/{budget}"))
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
pub type BudgetList = SmallVec<[Arc<AppliedBudget>; 4]>;

/// The budgets that apply to an exchange.
#[derive(Debug, Clone, Default)]
pub struct ExchangeBudgets {
    /// Those whose refusal is carried out ([`AppliedBudget::denies`]).
    pub enforced: BudgetList,
    /// Those that never refuse: of policies that observe, and those that only alert.
    pub observed: BudgetList,
}

impl ExchangeBudgets {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<AppliedBudget>> {
        self.enforced.iter().chain(&self.observed)
    }

    /// Whether money is counted, by one that denies or by any.
    #[must_use]
    pub fn counts_money(&self) -> bool {
        self.iter().any(|applied| applied.budget.unit == Unit::MicroUsd)
    }
}

/// A budget of a policy that applies to a workload.
#[derive(Debug, Clone)]
pub(super) struct SelectedBudget {
    rule: Arc<BudgetRule>,
    policy: Arc<str>,
    enforce: bool,
    account: Account,
}

#[derive(Debug, Clone)]
enum Account {
    /// The same for every exchange of the connection.
    Known(Arc<AppliedBudget>),
    OfExchange(KeyTemplate),
}

impl SelectedBudget {
    pub(super) fn new(policy: Arc<str>, enforce: bool, rule: Arc<BudgetRule>, key: KeyTemplate) -> Self {
        let account = if key.is_whole() {
            const NOTHING: ExchangeValues<'_> = ExchangeValues {
                provider: "",
                model: "",
                operation: "",
                api_key: None,
            };
            Account::Known(Arc::new(AppliedBudget {
                policy: policy.clone(),
                enforce,
                budget: definition(&rule, key.key(&NOTHING).into()),
                rule: rule.clone(),
            }))
        } else {
            Account::OfExchange(key)
        };
        Self {
            rule,
            policy,
            enforce,
            account,
        }
    }

    /// Its policy.
    pub(super) fn policy(&self) -> &Arc<str> {
        &self.policy
    }

    /// Whether it may refuse an exchange.
    fn denies(&self) -> bool {
        self.enforce && self.rule.at_limit != AtLimit::Alert
    }

    /// Whether it may cut or pace a response.
    pub(super) fn may_change_response(&self) -> bool {
        self.denies() || (self.enforce && self.rule.slow_down.is_some())
    }

    fn add_to(&self, list: &mut BudgetList, facts: &ExchangeFacts<'_>, models: &[Cow<'_, str>]) {
        let filter = &self.rule.filter;
        if !filter.takes(facts) {
            return;
        }
        let mut counted = models.iter().filter(|model| filter.takes_model(model)).peekable();
        match &self.account {
            Account::Known(applied) => {
                if counted.peek().is_some() {
                    list.push(applied.clone());
                }
            }
            Account::OfExchange(template) => {
                let each = if template.has_model() { usize::MAX } else { 1 };
                for model in counted.take(each) {
                    let key = template.key(&ExchangeValues {
                        provider: facts.provider,
                        model,
                        operation: facts.operation,
                        api_key: facts.api_key,
                    });
                    if list.iter().any(|known| *known.budget.key == *key) {
                        continue;
                    }
                    list.push(Arc::new(AppliedBudget {
                        policy: self.policy.clone(),
                        enforce: self.enforce,
                        budget: definition(&self.rule, key.into()),
                        rule: self.rule.clone(),
                    }));
                }
            }
        }
    }
}

/// The budgets of a workload that apply to an exchange.
pub(super) fn budgets_for(selected: &[SelectedBudget], facts: &ExchangeFacts<'_>) -> ExchangeBudgets {
    let mut budgets = ExchangeBudgets::default();
    if selected.is_empty() {
        return budgets;
    }
    // A request that names no model counts as one of a model without a name.
    let models: SmallVec<[Cow<'_, str>; 2]> = match facts.models {
        [] => smallvec![Cow::Borrowed("")],
        models => models.iter().map(|model| lower_case(model)).collect(),
    };
    for budget in selected {
        let list = if budget.denies() {
            &mut budgets.enforced
        } else {
            &mut budgets.observed
        };
        budget.add_to(list, facts, &models);
    }
    budgets
}

/// Providers take a model's name in any case, so that its case must not make a budget of its own.
fn lower_case(model: &str) -> Cow<'_, str> {
    if model.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(model.to_ascii_lowercase())
    } else {
        Cow::Borrowed(model)
    }
}

/// The account of a key, as its rule has it now.
pub(super) fn definition(rule: &BudgetRule, key: Arc<str>) -> Budget {
    Budget {
        key,
        limit: rule.limit,
        unit: rule.unit,
        window: rule.window.clone(),
        alert_at: rule.alert_at.clone(),
        scope: rule.scope,
    }
}

impl ExchangeFilter {
    fn takes(&self, facts: &ExchangeFacts<'_>) -> bool {
        lists(&self.providers, facts.provider) && lists(&self.operations, facts.operation)
    }

    fn takes_model(&self, model: &str) -> bool {
        lists(&self.models, model)
    }
}

/// Whether a list has a value; no list has all.
fn lists(list: &Option<Vec<Glob>>, value: &str) -> bool {
    list.as_deref()
        .is_none_or(|list| list.iter().any(|glob| glob.matches(value)))
}

#[cfg(test)]
mod tests;
