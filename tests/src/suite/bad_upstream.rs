//! Providers that cannot be trusted or reached, and clients that do not trust the node: a TLS failure or a refused
//! connection, never a weaker check, and always on record.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::runner::Test;
use super::stage::{Stage, check_attribution, shown};
use crate::lab::address::{DEAD, EXPIRED, Host, UNKNOWN_CA, WRONG_NAME};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("bad_upstream::bad_certificates", bad_certificates),
        Test::new("bad_upstream::dead", dead),
        Test::new("bad_upstream::a_client_that_distrusts_the_node", distrust),
    ]
}

async fn bad_certificates(stage: Arc<Stage>) -> Result<()> {
    for host in [EXPIRED, WRONG_NAME, UNKNOWN_CA] {
        let (output, connection) = attempt(&stage, host, &[]).await?;
        // 35: TLS handshake failed; 60: the certificate was refused; 56: closed in the handshake.
        ensure!(
            matches!(output, 35 | 56 | 60),
            "{}: curl ended with {output}",
            host.name
        );
        ensure!(
            connection["outcome"] == "upstream_untrusted" && connection["server_name"] == host.name,
            "{connection}"
        );
        // Not even a client that checks nothing may get through: the agent checks.
        let (output, connection) = attempt(&stage, host, &["-k"]).await?;
        ensure!(
            output != 0 && connection["outcome"] == "upstream_untrusted",
            "{} with -k: {output} {connection}",
            host.name
        );
    }
    Ok(())
}

async fn dead(stage: Arc<Stage>) -> Result<()> {
    let (output, connection) = attempt(&stage, DEAD, &[]).await?;
    ensure!(
        output != 0 && connection["outcome"] == "upstream_unreachable",
        "{output} {connection}"
    );
    Ok(())
}

async fn distrust(stage: Arc<Stage>) -> Result<()> {
    let launch = stage
        .openai("distrust", &["--prompt", "Write 3 words (distrust)"])?
        .trust(&stage.lab.lab_bundle());
    // Of a workload without a policy, the refusal passes: the SDK's own retry is not intercepted.
    let (truth, report) = stage.report(launch).await?;
    ensure!(report["error"].is_null(), "{report}");
    let connections = stage.agent().await.records().connections_of(truth.pid, 2).await?;
    for (connection, outcome) in connections
        .iter()
        .zip(["client_distrusts_ca", "spliced_untrusted_ca"])
    {
        check_attribution(connection, &truth)?;
        ensure!(connection["outcome"] == outcome, "{connection}");
    }
    Ok(())
}

/// curl's exit code and the connection on record.
async fn attempt(stage: &Stage, host: Host, more: &[&str]) -> Result<(i32, serde_json::Value)> {
    let url = format!("https://{}/v1/models", host.name);
    let (truth, output) = stage
        .curl("bad-upstream", &[more, &["-4", &url]].concat())
        .run(&stage.lab)
        .await?;
    let connection = stage
        .agent()
        .await
        .records()
        .connections_of(truth.pid, 1)
        .await?
        .pop()
        .context("none")?;
    check_attribution(&connection, &truth)?;
    Ok((output.status.code().with_context(|| shown(&output))?, connection))
}
