//! Budgets that cannot be overspent: load by real SDKs on one budget, against what the providers bill.

mod account;
mod crash;
mod exact;

use super::runner::{Plan, Test};
use crate::lab::agent::AgentConfig;

/// The suite.
pub(super) fn plan() -> Plan {
    Plan {
        suite: "budgets",
        policies: policies(),
        tests: tests(),
        at_once: 1,
    }
}

/// The groups, in the order a reader would ask.
fn tests() -> Vec<Test> {
    let groups = [exact::tests(), crash::tests()];
    groups.into_iter().flatten().collect()
}

/// The policies of the suite's agent; a test chooses by the name of its cgroup.
fn policies() -> AgentConfig {
    exact::policies(AgentConfig::new())
}
