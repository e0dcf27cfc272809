//! Two agents on one machine, each attached to its own lab: what is one's is not the other's.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::super::runner::Test;
use super::super::stage::{Stage, check_attribution, shown};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("labs::two_agents_side_by_side", side_by_side)]
}

/// Both labs' workloads are in the host's netns, so both agents listen there.
async fn side_by_side(stage: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let config = AgentConfig::new().key("intercept", "match: resolved");
    let agent = Agent::start(&lab, "agent", config).await?;
    let there = Launch::new("side", "curl")
        .args(["-sS", "-o", "/dev/null", "https://api.openai.com/v1/models"])
        .trust(&agent.trust(&lab)?);
    let here = stage.curl("side", &["-o", "/dev/null", "https://api.openai.com/v1/models"]);
    let (there, here) = tokio::join!(there.run(&lab), here.run(&stage.lab));
    for (run, records) in [(there, agent.records()), (here, stage.agent().await.records())] {
        let (truth, output) = run?;
        ensure!(output.status.success(), "{}", shown(&output));
        for connection in records.connections_of(truth.pid, 1).await? {
            check_attribution(&connection, &truth)?;
            ensure!(connection["outcome"] == "intercepted", "{connection}");
        }
    }
    Ok(())
}
