//! Units of a real systemd: each connection is on record as the unit's.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::super::runner::Test;
use super::super::stage::Stage;
use super::containers::{URL, connect};
use crate::lab::container::{Machine, Node};

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("systemd::services_of_a_booted_machine", services)]
}

async fn services(stage: Arc<Stage>) -> Result<()> {
    let node = Node::up(&stage.lab, "systemd").await?;
    let machine = Machine::boot(&stage.lab, &node, "machine").await?;
    let agent = stage.agent().await;
    for (unit, slice) in [
        ("bot.service", "system.slice"),
        ("runner@7.service", "llm-batch.slice"),
    ] {
        let running = machine.start(unit, slice, URL).await?;
        let contained = running.contained.clone();
        ensure!(
            contained.id == unit && contained.truth.cgroup.ends_with(unit),
            "{contained:?}"
        );
        let (contained, connection) = connect(running, &agent, &stage.trust).await?;
        let workload = &connection["workload"];
        ensure!(
            workload["unit"] == contained.id.as_str() && workload["slice"] == slice,
            "{workload} on record, but it was {unit} in {slice}"
        );
    }
    Ok(())
}
