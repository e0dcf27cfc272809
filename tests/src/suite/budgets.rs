//! Budgets that cannot be overspent: load by real SDKs on one budget, against what the providers bill.

mod account;
mod actions;
mod cluster;
mod crash;
mod exact;
mod units;
mod windows;

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
    let groups = [
        windows::tests(),
        exact::tests(),
        units::tests(),
        actions::tests(),
        crash::tests(),
        cluster::tests(),
    ];
    groups.into_iter().flatten().collect()
}

/// The policies of the suite's agent; a test chooses by the name of its cgroup.
fn policies() -> AgentConfig {
    let config = exact::policies(AgentConfig::new());
    windows::policies(actions::policies(units::policies(config)))
}
