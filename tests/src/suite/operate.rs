//! What an operator does: reload, check a file, ask the command line and the metrics.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::runner::Test;
use super::stage::{Stage, policies, shown};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("operate::reload_keeps_connections", reload),
        Test::new("operate::a_bad_reload_changes_nothing", bad_reload),
        Test::new("operate::check_names_line_and_column", check),
        Test::new("operate::command_line", command_line),
        Test::new("operate::a_budget_is_changed_by_hand", by_hand),
        Test::new("operate::metrics_and_health", metrics),
        Test::new("operate::ocsf_records", ocsf),
        Test::new("operate::the_api_is_for_its_users", api_users),
    ]
}

/// A stream that runs over a reload ends well, and the next request is under the new policy.
async fn reload(stage: Arc<Stage>) -> Result<()> {
    let launch = stage.openai(
        "reload",
        &[
            "--stream",
            "--prompt",
            "Write 100 words (reload)",
            "--header",
            "x-lab-delay-ms=30",
        ],
    )?;
    let running = {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { stage.report(launch).await })
    };
    stage.lab.log.wait_for("(reload)", 1).await?;
    let stricter = policies().policy("reloaded", "reload", "models: {allow: [\"claude-*\"]}");
    stage.agent().await.reload(&stage.lab, stricter).await?;
    let (truth, report) = running.await??;
    ensure!(
        report["error"].is_null() && report["answer"]["finish"][0] == "stop",
        "{report}"
    );
    ensure!(
        stage.exchange(&truth).await?["verdict"] == "allowed",
        "the running stream was judged by the new policy"
    );
    let (_, report) = stage
        .report(stage.openai("reload", &["--prompt", "Write 3 words (after reload)"])?)
        .await?;
    ensure!(report["error"]["status"] == 403, "{report}");
    stage.agent().await.reload(&stage.lab, policies()).await?;
    let (_, report) = stage
        .report(stage.openai("reload", &["--prompt", "Write 3 words (and back)"])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    Ok(())
}

async fn bad_reload(stage: Arc<Stage>) -> Result<()> {
    {
        let agent = stage.agent().await;
        let good = fs::read_to_string(agent.config_path())?;
        fs::write(agent.config_path(), "policies: [{name: broken, budgets: oops}]\n")?;
        agent.signal(nix::sys::signal::Signal::SIGHUP)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        fs::write(agent.config_path(), good)?;
    }
    let prompt = "Write 3 words, charge 4111 1111 1111 1111 (block-bad-reload)";
    let (_, report) = stage
        .report(stage.openai("block-bad-reload", &["--prompt", prompt])?)
        .await?;
    ensure!(
        report["error"]["status"] == 403,
        "the old policy no longer holds: {report}"
    );
    Ok(())
}

async fn check(stage: Arc<Stage>) -> Result<()> {
    let agent = stage.agent().await;
    let good = agent.cli(&["check"]).await?;
    ensure!(good.status.success(), "{}", shown(&good));
    let path = stage.lab.dir().join("broken.yaml");
    fs::write(
        &path,
        "node:\n  listen: 127.0.0.1:1\npolicies:\n  - name: one\n    budgets:\n      - {limit: 200k, window: 1h}\n      - {limt: 1 token}\n",
    )?;
    let output = tokio::process::Command::new(crate::lab::agent::agent_binary()?)
        .args(["check", "-c"])
        .arg(&path)
        .output()
        .await?;
    let said = shown(&output);
    ensure!(!output.status.success(), "a broken file passed: {said}");
    ensure!(
        said.contains(":6:") || said.contains(":7:") || said.contains("line 6") || said.contains("line 7"),
        "no line and column: {said}"
    );
    ensure!(said.contains("broken.yaml"), "no file name: {said}");
    Ok(())
}

async fn command_line(stage: Arc<Stage>) -> Result<()> {
    let (truth, _) = stage
        .report(stage.openai("large-budget-cli", &["--prompt", "Write 3 words (cli)"])?)
        .await?;
    stage.exchange(&truth).await?;
    let agent = stage.agent().await;
    for command in ["status", "workloads", "connections", "usage", "budget"] {
        let table = agent.cli(&[command]).await?;
        ensure!(
            table.status.success() && !table.stdout.is_empty(),
            "weir {command}: {}",
            shown(&table)
        );
        let json = agent.cli(&[command, "-o", "json"]).await?;
        let _value: serde_json::Value = serde_json::from_slice(&json.stdout)
            .with_context(|| format!("weir {command} -o json: {}", shown(&json)))?;
    }
    let usage = shown(&agent.cli(&["usage", "-o", "json"]).await?);
    ensure!(
        usage.contains("large-budget-cli"),
        "the workload is missing: {usage}"
    );
    let observed = agent.cli(&["observe", "--last", "5", "-o", "json"]).await?;
    ensure!(
        observed.status.success() && shown(&observed).contains("\"exchange\""),
        "{}",
        shown(&observed)
    );
    Ok(())
}

/// A limit that is changed by hand holds for the next request, goes back by itself, and is on record.
async fn by_hand(stage: Arc<Stage>) -> Result<()> {
    let name = "large-budget-by-hand";
    let asks = async |what: &str| -> Result<serde_json::Value> {
        let prompt = format!("Write 3 words ({what})");
        let (_, report) = stage.report(stage.openai(name, &["--prompt", &prompt])?).await?;
        Ok(report)
    };
    let weir = async |words: &[&str]| -> Result<String> {
        let words: Vec<_> = std::iter::once("budget").chain(words.iter().copied()).collect();
        let output = stage.agent().await.cli(&words).await?;
        ensure!(output.status.success(), "weir {words:?}: {}", shown(&output));
        Ok(shown(&output))
    };
    let first = asks("by hand, before").await?;
    ensure!(first["error"].is_null(), "{first}");
    // Less than was spent already: nothing fits.
    let set = weir(&["set", name, "--yes", "--limit", "2 tokens", "--for", "15s"]).await?;
    ensure!(set.contains("limit 2 tokens until"), "{set}");
    let denied = asks("by hand, lowered").await?;
    ensure!(denied["error"]["status"] == 429, "{denied}");
    // It ends by itself; on a busy machine a client takes seconds to start, so that the time is not guessed.
    let mut ended = false;
    for _ in 0..60 {
        let account: serde_json::Value = serde_json::from_str(&weir(&["get", name, "-o", "json"]).await?)?;
        ended = account["limit"] == 1_000_000;
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    ensure!(ended, "the override did not end");
    let back = asks("by hand, back by itself").await?;
    ensure!(back["error"].is_null(), "{back}");
    let reset = weir(&["reset", name, "--yes"]).await?;
    ensure!(reset.contains("are forgotten"), "{reset}");
    let account = weir(&["get", name, "-o", "json"]).await?;
    let account: serde_json::Value = serde_json::from_str(&account)?;
    ensure!(
        account["settled"] == 0 && account["limit"] == 1_000_000,
        "{account}"
    );
    let history: serde_json::Value = serde_json::from_str(&weir(&["history", name, "-o", "json"]).await?)?;
    let changes: Vec<_> = history["history"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row["change"].clone())
        .collect();
    ensure!(changes == ["reset", "override"], "{history}");
    let records = stage.agent().await.records().all()?;
    let audits = records.iter().filter(|record| {
        record["kind"] == "audit" && record["budget"].as_str().is_some_and(|key| key.ends_with(name))
    });
    let audits: Vec<_> = audits.collect();
    let weirs_own = |record: &&serde_json::Value| {
        record["outcome"] == "done"
            && record["uid"] == 0
            && record["workload"]["exe"]
                .as_str()
                .is_some_and(|exe| exe.ends_with("/weir"))
    };
    ensure!(audits.len() == 2 && audits.iter().all(weirs_own), "{audits:?}");
    Ok(())
}

async fn metrics(stage: Arc<Stage>) -> Result<()> {
    let agent = stage.agent().await;
    for page in ["/healthz", "/readyz"] {
        let (status, body) = agent.page(page).await?;
        ensure!(status == 200, "{page}: {status} {body}");
    }
    let (status, metrics) = agent.page("/metrics").await?;
    ensure!(status == 200, "/metrics: {status}");
    for name in [
        "weir_exchanges_total",
        "weir_tokens_total",
        "weir_connections_total",
        "weir_kernel_events_total",
        "weir_self_test_success 1",
    ] {
        ensure!(metrics.contains(name), "{name} is not in the metrics");
    }
    Ok(())
}

/// Every exchange is in the OCSF sink as API Activity (class 6003) of version 1.8.0.
async fn ocsf(stage: Arc<Stage>) -> Result<()> {
    let agent = stage.agent().await;
    let (native, ocsf) = (agent.records().all()?, agent.ocsf().all()?);
    let exchanges = native
        .iter()
        .filter(|record| record["kind"] == "exchange")
        .count();
    let activities = ocsf.iter().filter(|record| record["class_uid"] == 6003).count();
    let changes = native.iter().filter(|record| record["kind"] == "audit").count();
    let managed = ocsf.iter().filter(|record| record["class_uid"] == 3004).count();
    ensure!(
        managed == changes,
        "{changes} changes by hand, {managed} on record"
    );
    ensure!(
        exchanges > 0 && activities == exchanges,
        "{exchanges} exchanges, {activities} activities"
    );
    ensure!(
        ocsf.iter().all(|record| record["metadata"]["version"] == "1.8.0"),
        "not all records are OCSF 1.8.0"
    );
    Ok(())
}

async fn api_users(stage: Arc<Stage>) -> Result<()> {
    let config = stage.agent().await.config_path();
    let weir = crate::lab::agent::agent_binary()?;
    // In a place every user can read; the build directory may not be.
    let copy = stage.lab.dir().join("weir");
    fs::copy(weir, &copy)?;
    let launch = crate::lab::workload::Launch::new("stranger", copy)
        .args(["status", "-c"])
        .args([config])
        .uid(65534);
    let output = launch.output(&stage.lab).await?;
    ensure!(
        !output.status.success(),
        "a stranger may ask the API: {}",
        shown(&output)
    );
    Ok(())
}
