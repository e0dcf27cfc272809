//! The suite `identity`: whose connection it is, in every kind of workload, and that there is no silent way around.

mod bypass;
mod containers;
mod evidence;
mod fail_modes;
mod kubernetes;
mod labs;
mod path;
mod stress;
mod systemd;
mod upgrade;

use super::runner::Test;
use crate::lab::agent::AgentConfig;

/// The groups, in the order a reader would ask. A test that needs an agent of its own brings up a lab of its own.
pub(super) fn tests() -> Vec<Test> {
    let groups = [
        containers::tests(),
        kubernetes::tests(),
        systemd::tests(),
        evidence::tests(),
        labs::tests(),
        path::tests(),
        stress::tests(),
        bypass::tests(),
        fail_modes::tests(),
        upgrade::tests(),
    ];
    groups.into_iter().flatten().collect()
}

/// The policies of the suite's agent; a test chooses by the name of its cgroup.
pub(super) fn policies() -> AgentConfig {
    bypass::policies(evidence::policies(path::policies(AgentConfig::new())))
}
