//! What is on record of the process behind an exchange, how sure that is, and what policy does where it is not sure.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::runner::Test;
use super::super::stage::{Stage, shown};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig, Records};
use crate::lab::workload::{Launch, Truth};

const CLIENT: &str = "shared_connection.py";

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("evidence::of_a_short_lived_child", short_lived_child),
        Test::new("evidence::a_command_line_only_where_asked_for", command_line),
        Test::new("evidence::a_child_uses_the_connection", fork),
        Test::new("evidence::a_child_of_another_cgroup", fork_across),
        Test::new("evidence::held_until_the_child_is_gone", hold_and_pass),
        Test::new("evidence::a_passed_connection", passed),
    ]
}

/// The policies that the tests of this file need.
pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config
        .policy("deny-unknown", "unknown-deny-*", "on_unknown: deny")
        .policy("hold-unknown", "unknown-hold-*", "on_unknown: hold")
        .policy(
            "watch-unknown",
            "unknown-watch-*",
            "mode: observe, on_unknown: deny",
        )
}

async fn short_lived_child(stage: Arc<Stage>) -> Result<()> {
    let script = "for i in 1 2; do curl -sS -o /dev/null https://api.openai.com/v1/models; done; true";
    let launch = Launch::new("evidence-shell", "sh")
        .args(["-c", script])
        .trust(&stage.trust);
    let (shell, output) = launch.run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let records = stage.agent().await.records();
    let exchanges = of_cgroup(&records, &shell, 2).await?;
    for exchange in &exchanges {
        let workload = &exchange["workload"];
        ensure!(
            exchange["attribution"] == "exact" && exchange["attribution_reason"].is_null(),
            "{exchange}"
        );
        let parent = &workload["ancestors"][0];
        ensure!(
            parent["pid"] == shell.pid && parent["exe"] == shell.exe,
            "{workload}"
        );
        ensure!(
            workload["euid"] == 0 && workload["command_line"].is_null(),
            "{workload}"
        );
        // Both are written the same way, so that they compare as texts; the clocks are read to the millisecond.
        let (started, asked) = (workload["started"].as_str(), exchange["time"].as_str());
        ensure!(started.is_some() && started <= asked, "{exchange}");
    }
    // The first exchange may be over before the digest is worked out.
    let last = exchanges.last().context("none")?;
    let exe = last["workload"]["exe"].as_str().context("no exe")?;
    ensure!(last["workload"]["exe_sha256"] == sha256sum(exe)?, "{last}");
    Ok(())
}

async fn command_line(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let config = AgentConfig::new().key("identity", "command_line: true");
    let agent = Agent::start(&lab, "agent", config).await?;
    let trust = agent.trust(&lab)?;
    let launch = Launch::new("asked-for", "curl")
        .args(["-sS", "-o", "/dev/null", "https://api.openai.com/v1/models"])
        .trust(&trust);
    let (truth, output) = launch.run(&lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let exchanges = agent.records().exchanges_of(truth.pid, 1).await?;
    let command_line = &exchanges[0]["workload"]["command_line"];
    ensure!(
        command_line == "curl -sS -o /dev/null https://api.openai.com/v1/models",
        "{command_line}"
    );
    Ok(())
}

/// The child has its parent's cgroup: the principal is certain, so that even the strictest policy lets it pass.
async fn fork(stage: Arc<Stage>) -> Result<()> {
    for name in ["fork-unruled", "unknown-deny-fork"] {
        let launch = stage.python(name, CLIENT, &["--fork"])?;
        let (truth, reports) = stage.reports(launch).await?;
        ensure!(
            reports.iter().all(|report| report["status"] == 200),
            "{reports:?}"
        );
        let records = stage.agent().await.records();
        let exchanges = records.exchanges_of(truth.pid, 2).await?;
        graded(&exchanges[0], "exact", None)?;
        graded(&exchanges[1], "ambiguous", Some("shared_by_fork"))?;
        // Who connected stays on record, and not who asked.
        ensure!(reports[1]["pid"] != truth.pid, "{reports:?}");
        let connections = records.connections_of(truth.pid, 1).await?;
        graded(&connections[0], "ambiguous", Some("shared_by_fork"))?;
    }
    Ok(())
}

async fn fork_across(stage: Arc<Stage>) -> Result<()> {
    let elsewhere = stage.lab.cgroup.child("elsewhere")?;
    let elsewhere = elsewhere.path().to_str().context("a path in UTF-8")?;
    for (name, status, verdict) in [
        ("fork-across", 200, "allowed"),
        ("unknown-watch-across", 200, "allowed"),
        ("unknown-deny-across", 403, "denied"),
        ("unknown-hold-across", 403, "denied"),
    ] {
        let launch = stage.python(name, CLIENT, &["--fork", "--move-to", elsewhere])?;
        let (truth, reports) = stage.reports(launch).await?;
        ensure!(
            reports[0]["status"] == 200 && reports[1]["status"] == status,
            "{reports:?}"
        );
        let exchanges = stage.agent().await.records().exchanges_of(truth.pid, 2).await?;
        graded(&exchanges[0], "exact", None)?;
        let second = &exchanges[1];
        graded(second, "ambiguous", Some("shared_by_fork_across_cgroups"))?;
        ensure!(second["verdict"] == verdict, "{second}");
        if verdict == "denied" {
            ensure!(second["reason"] == "unattributed", "{second}");
        }
        if name.contains("watch") {
            ensure!(
                second["observed"] == "denied" && second["policy"] == "watch-unknown",
                "{second}"
            );
        }
        if name.contains("hold") {
            ensure!(reports[1]["seconds"].as_f64() >= Some(0.5), "{reports:?}");
        }
    }
    Ok(())
}

async fn hold_and_pass(stage: Arc<Stage>) -> Result<()> {
    let elsewhere = stage.lab.cgroup.child("elsewhere")?;
    let elsewhere = elsewhere.path().to_str().context("a path in UTF-8")?;
    let arguments = ["--fork-for", "0.2", "--move-to", elsewhere];
    let launch = stage.python("unknown-hold-briefly", CLIENT, &arguments)?;
    let (truth, reports) = stage.reports(launch).await?;
    let seconds = reports[0]["seconds"].as_f64().context("no time")?;
    ensure!(reports[0]["status"] == 200 && seconds > 0.15, "{reports:?}");
    let exchanges = stage.agent().await.records().exchanges_of(truth.pid, 1).await?;
    graded(&exchanges[0], "exact", None)?;
    Ok(())
}

/// The process that connects gives the connection to one of another cgroup. No event tells of that: the audit does.
async fn passed(stage: Arc<Stage>) -> Result<()> {
    let way = stage.lab.dir().join("way");
    let way = way.to_str().context("a path in UTF-8")?;
    let pause = ["--take-from", way, "--requests", "2", "--pause", "22"];
    let taker = stage.python("taker", CLIENT, &pause)?.start(&stage.lab).await?;
    for _ in 0..500 {
        if Path::new(way).exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let giver = stage.python("unknown-deny-giver", CLIENT, &["--pass-to", way])?;
    let (giver, output) = giver.run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let (_, output) = taker.finish().await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let exchanges = stage.agent().await.records().exchanges_of(giver.pid, 2).await?;
    let second = &exchanges[1];
    graded(second, "ambiguous", Some("passed_descriptor_across_cgroups"))?;
    ensure!(
        second["verdict"] == "denied" && second["reason"] == "unattributed",
        "{second}"
    );
    Ok(())
}

fn graded(record: &Value, grade: &str, reason: Option<&str>) -> Result<()> {
    ensure!(
        record["attribution"] == grade && record["attribution_reason"].as_str() == reason,
        "expected {grade} and {reason:?}: {record}"
    );
    Ok(())
}

async fn of_cgroup(records: &Records, truth: &Truth, count: usize) -> Result<Vec<Value>> {
    for _ in 0..500 {
        let mut exchanges = records.all()?;
        exchanges
            .retain(|record| record["kind"] == "exchange" && record["workload"]["cgroup"] == truth.cgroup);
        if exchanges.len() >= count {
            return Ok(exchanges);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("less than {count} exchanges of {}", truth.cgroup)
}

fn sha256sum(path: &str) -> Result<String> {
    let output = Command::new("sha256sum").arg(path).output()?;
    ensure!(output.status.success(), "{}", shown(&output));
    Ok(String::from_utf8(output.stdout)?.chars().take(64).collect())
}
