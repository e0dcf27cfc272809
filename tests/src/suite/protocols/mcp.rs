//! The Model Context Protocol's own SDK on both sides: a real server and a real client.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::net::TcpStream;

use crate::lab::address::MCP;
use crate::lab::workload::{Launch, Workload};
use crate::suite::runner::Test;
use crate::suite::stage::{Stage, check_attribution, clients};

/// How long the server may take to listen, on a machine that is busy building.
const READY_WITHIN: Duration = Duration::from_secs(60);

const CARD: &str = "4111 1111 1111 1111";

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("mcp_python::tools", tools)]
}

/// Lists and calls tools, the version agreed on or known before: the same as without the agent, on record as tool use that
/// costs no tokens; and an argument that policy blocks is the protocol's own error.
async fn tools(stage: Arc<Stage>) -> Result<()> {
    let _server = serve(&stage).await?;
    for version in ["auto", "2026-07-28"] {
        let arguments = ["tool", "--variant", version, "--prompt", "Say this back"];
        let launch = |name: String| stage.python(&name, "mcp_client.py", &arguments);
        let direct = launch(format!("direct-mcp-{version}"))?
            .outside()
            .trust(&stage.lab.lab_bundle());
        let (_, without) = stage.report(direct).await?;
        let (truth, with) = stage.report(launch(format!("allowed-mcp-{version}"))?).await?;
        ensure!(
            without["error"].is_null() && without["answer"]["text"][0] == "Say this back",
            "without the agent: {without}"
        );
        ensure!(
            with["answer"] == without["answer"],
            "the agent changed the answer\n    without: {without}\n    through: {with}"
        );
        let records = stage.agent().await.records();
        let messages = records
            .exchanges_where(truth.pid, 2, |record| record["operation"] == "mcp")
            .await?;
        for record in &messages {
            check_attribution(record, &truth)?;
            let fields =
                record["api"] == "mcp" && record["verdict"] == "allowed" && record["usage"].is_null();
            ensure!(fields && record["error"].is_null(), "on record: {record}");
        }
        let prompt = format!("Charge {CARD}");
        let arguments = ["tool", "--variant", version, "--prompt", &prompt];
        let launch = stage.python(&format!("block-mcp-{version}"), "mcp_client.py", &arguments)?;
        let (truth, report) = stage.report(launch).await?;
        ensure!(
            report["error"]["type"] == "MCPError",
            "where policy blocks: {report}"
        );
        ensure!(
            !report.to_string().contains("4111"),
            "the refusal repeats the text"
        );
        let denied = records
            .exchanges_where(truth.pid, 1, |record| record["verdict"] == "denied")
            .await?;
        ensure!(
            denied.len() == 1 && denied.iter().all(|record| record["reason"] == "content"),
            "{denied:?}"
        );
    }
    Ok(())
}

/// Starts the server at its host's addresses in the lab's internet.
async fn serve(stage: &Stage) -> Result<Workload> {
    let identity = stage.lab.dir().join("mcp-identity.pem");
    fs::write(&identity, stage.lab.authority.identity_pem(MCP.name)?)?;
    let (python, programs) = clients()?;
    let (v4, v6) = (stage.lab.plan.v4(MCP), stage.lab.plan.v6(MCP));
    let server = Launch::new("mcp-server", python)
        .args([programs.join("mcp_server.py"), identity])
        .args([v4.to_string(), v6.to_string()])
        .netns(stage.lab.internet())
        .outside()
        .start(&stage.lab)
        .await?;
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect((v6, 443)).await.is_err() || TcpStream::connect((v4, 443)).await.is_err() {
        ensure!(Instant::now() < deadline, "the MCP server does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(server)
}
