//! Metrics of budgets: what their limits did, counted from records, and how they stand, read from the ledger at each scrape.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use monitor_budget::{AccountState, Unit};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, Metric, MetricFamily, MetricType};
use prometheus::{IntCounterVec, Opts, Registry};

use super::pulled::{family, labelled, labels};
use crate::event::{BudgetThreshold, Exchange, LimitAction, Reason, Verdict};
use crate::policy::budget_in;

/// What of an exchange's verdicts is a budget's doing.
const REFUSALS: [Verdict; 2] = [Verdict::Denied, Verdict::Cut];

/// What limits did, counted as records are made.
#[derive(Debug)]
pub(super) struct BudgetCounters {
    actions: IntCounterVec,
    thresholds: IntCounterVec,
}

impl BudgetCounters {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let actions = IntCounterVec::new(
            Opts::new(
                "weir_budget_actions_total",
                "Exchanges to which a budget's limit did something, by what it did; of policies that observe, what it would have done.",
            ),
            &["action", "mode"],
        )?;
        let thresholds = IntCounterVec::new(
            Opts::new(
                "weir_budget_thresholds_total",
                "Times that a budget's spending passed a threshold, once per window and account.",
            ),
            &["policy", "budget", "percent"],
        )?;
        // A rate over a counter that appears with its first event would miss that event.
        let names = REFUSALS.iter().map(|verdict| verdict.name());
        for action in names.chain(LimitAction::ALL.iter().map(|action| action.name())) {
            for mode in ["enforce", "observe"] {
                actions.with_label_values(&[action, mode]);
            }
        }
        registry.register(Box::new(actions.clone()))?;
        registry.register(Box::new(thresholds.clone()))?;
        Ok(Self { actions, thresholds })
    }

    pub(super) fn count_exchange(&self, exchange: &Exchange) {
        let count = |action, mode| self.actions.with_label_values(&[action, mode]).inc();
        if exchange.reason == Some(Reason::Budget) {
            let verdicts = [
                (Some(exchange.verdict), "enforce"),
                (exchange.observed, "observe"),
            ];
            for (verdict, mode) in verdicts {
                if let Some(verdict) = verdict.filter(|verdict| REFUSALS.contains(verdict)) {
                    count(verdict.name(), mode);
                }
            }
        }
        for action in &exchange.actions {
            count(action.name(), "enforce");
        }
        for action in &exchange.observed_actions {
            count(action.name(), "observe");
        }
    }

    /// Labels are names of the configuration.
    pub(super) fn count_threshold(&self, threshold: &BudgetThreshold) {
        let (policy, budget) = threshold.policy_and_budget();
        self.thresholds
            .with_label_values(&[policy, budget, &threshold.percent.to_string()])
            .inc();
    }
}

/// How the budgets of the configuration stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BudgetFigures {
    /// Policy, budget and the largest share of its limit that one of its accounts has settled, owes or holds reserved.
    used: BTreeMap<(Arc<str>, Arc<str>), f64>,
    /// What all accounts owe, by unit.
    debt: BTreeMap<&'static str, u64>,
    accounts: usize,
    thresholds_lost: u64,
}

impl BudgetFigures {
    /// Sums up accounts. Of those that the configuration no longer asks for only debt and number count, so that there is one label for
    /// each of its budgets and no other; `is_asked_for` is asked once for each pair of policy and budget, with a key of theirs.
    #[must_use]
    pub fn of(accounts: &[AccountState], thresholds_lost: u64, is_asked_for: impl Fn(&str) -> bool) -> Self {
        let mut groups: HashMap<(&str, &str), (&str, f64)> = HashMap::new();
        // All units that can be owed, so that none is missing while nothing is owed.
        let owed = Unit::ALL.into_iter().filter(|unit| *unit != Unit::Concurrency);
        let mut debt: BTreeMap<_, _> = owed.map(|unit| (unit.name(), 0_u64)).collect();
        for account in accounts {
            if let Some(sum) = debt.get_mut(account.unit.name()) {
                *sum = sum.saturating_add(account.debt);
            }
            if let Some((policy, budget)) = budget_in(&account.key) {
                let (_, used) = groups.entry((policy, budget)).or_insert((&account.key, 0.0));
                *used = used.max(share(account));
            }
        }
        let used = groups.into_iter().filter(|(_, (key, _))| is_asked_for(key));
        Self {
            used: used
                .map(|((policy, budget), (_, used))| ((policy.into(), budget.into()), used))
                .collect(),
            debt,
            accounts: accounts.len(),
            thresholds_lost,
        }
    }
}

/// The share of the limit that is not free; 1 of a limit of 0, which has no room for anything.
fn share(account: &AccountState) -> f64 {
    let taken = account
        .settled
        .saturating_add(account.reserved)
        .saturating_add(account.debt);
    if account.limit == 0 {
        1.0
    } else {
        taken as f64 / account.limit as f64
    }
}

type Read = Box<dyn Fn() -> BudgetFigures + Send + Sync>;

/// The figures, read at each scrape.
pub(super) struct BudgetCollector {
    used: Desc,
    debt: Desc,
    accounts: Desc,
    lost: Desc,
    read: Read,
}

impl fmt::Debug for BudgetCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetCollector").finish_non_exhaustive()
    }
}

impl BudgetCollector {
    pub(super) fn new(read: Read) -> Result<Self, prometheus::Error> {
        let desc = |name: &str, help: &str, labels: &[&str]| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())
        };
        Ok(Self {
            used: desc(
                "weir_budget_used_ratio",
                "Share of the limit that is settled, owed or reserved: the largest of a budget's accounts.",
                &["policy", "budget"],
            )?,
            debt: desc(
                "weir_budget_debt",
                "What was spent beyond limits and is taken from what their windows free next, of all accounts, in the unit.",
                &["unit"],
            )?,
            accounts: desc("weir_budget_accounts", "Accounts in the ledger.", &[])?,
            lost: desc(
                "weir_budget_thresholds_lost_total",
                "Passings of thresholds that were passed again before they were on record.",
                &[],
            )?,
            read,
        })
    }
}

impl Collector for BudgetCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.used, &self.debt, &self.accounts, &self.lost]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = (self.read)();
        let used = figures
            .used
            .iter()
            .map(|((policy, budget), used)| gauge(&[("policy", policy), ("budget", budget)], *used));
        let debt = figures
            .debt
            .iter()
            .map(|(unit, owed)| gauge(&[("unit", unit)], *owed as f64));
        let accounts = vec![gauge(&[], figures.accounts as f64)];
        let lost = vec![labelled(&[], figures.thresholds_lost)];
        [
            family(&self.used, MetricType::GAUGE, used.collect()),
            family(&self.debt, MetricType::GAUGE, debt.collect()),
            family(&self.accounts, MetricType::GAUGE, accounts),
            family(&self.lost, MetricType::COUNTER, lost),
        ]
        .concat()
    }
}

fn gauge(values: &[(&str, &str)], value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels(values));
    metric.set_gauge(gauge);
    metric
}

#[cfg(test)]
mod tests;
