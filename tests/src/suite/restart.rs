//! A crash, a full disk, an end: what was spent stays spent, and nothing is forgotten. Each in a lab of its own.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};

use super::runner::Test;
use super::stage::Stage;
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("restart::a_killed_agent_keeps_its_budget", killed),
        Test::new("restart::usage_survives_a_kill", usage),
        Test::new("restart::a_stopped_agent_lets_traffic_pass", stopped),
        Test::new("restart::full_state_directory", full_disk),
        Test::new("restart::a_killed_lab_is_removed_at_the_next_start", killed_lab),
    ]
}

const LIMIT: u64 = 400;

fn limited() -> AgentConfig {
    AgentConfig::new().policy(
        "limited",
        "limited",
        "budgets: [{limit: 400 tokens, window: 1h, per: workload}]",
    )
}

async fn killed(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", limited()).await?;
    let trust = agent.trust(&lab)?;
    let ca = agent.ca_pem()?;
    let spend = |tag: &'static str, more: &'static [&'static str]| {
        let (lab, trust) = (&lab, &trust);
        async move {
            let (python, clients) = super::stage::clients()?;
            let prompt = format!("Write 90 words ({tag})");
            let launch = Launch::new("limited", python)
                .args([clients.join("openai_client.py")])
                .args(["chat"])
                .args(["--prompt", &prompt])
                .args(more);
            let output = launch.trust(trust).output(lab).await?;
            serde_json::from_slice::<serde_json::Value>(&output.stdout).context("no report")
        }
    };
    let first = spend("before", &["--max-tokens", "200"]).await?;
    let spent = first["usage"]["total_tokens"]
        .as_u64()
        .with_context(|| first.to_string())?;
    ensure!(spent > LIMIT / 4, "only {spent} tokens were spent");
    // A stream is open as the agent dies: what it holds may have been spent.
    let (python, clients) = super::stage::clients()?;
    let open = Launch::new("limited", python)
        .args([clients.join("openai_client.py")])
        .args(["chat"])
        .args([
            "--stream",
            "--max-tokens",
            "100",
            "--prompt",
            "Write 60 words (open)",
            "--header",
            "x-lab-delay-ms=100",
        ])
        .trust(&trust)
        .start(&lab)
        .await?;
    lab.log.wait_for("(open)", 1).await?;
    agent.kill().await?;
    let (_, output) = open.finish().await?;
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("no report of the open stream")?;
    ensure!(
        !report["error"].is_null(),
        "the stream outlived the agent: {report}"
    );

    agent.restart().await?;
    ensure!(
        agent.ca_pem()? == ca,
        "the agent has another CA after its restart"
    );
    let after = spend("after", &["--max-tokens", "350"]).await?;
    ensure!(
        after["error"]["status"] == 429,
        "the budget was forgotten: {after}"
    );
    let total = lab.log.spent();
    ensure!(total <= LIMIT, "{total} tokens were asked of the provider");
    agent.stop().await
}

/// What `weir usage` says is what the providers billed: at once, after a kill that comes a second after the last exchange, and together
/// with what comes after it.
async fn usage(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let trust = agent.trust(&lab)?;
    let ask = |workload: &'static str, tag: String| {
        let (lab, trust) = (&lab, &trust);
        async move {
            let (python, clients) = super::stage::clients()?;
            let launch = Launch::new(workload, python)
                .args([clients.join("openai_client.py")])
                .args(["chat", "--stream", "--prompt"])
                .args([format!("Write 9 words ({tag})")]);
            let output = launch.trust(trust).output(lab).await?;
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).context("no report")?;
            ensure!(report["error"].is_null(), "{report}");
            anyhow::Ok(())
        }
    };
    for round in 0..3 {
        ask("usage-one", format!("usage one {round}")).await?;
    }
    ask("usage-two", "usage two".to_owned()).await?;
    same_usage(&lab, &agent, 4).await?;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    agent.kill().await?;
    agent.restart().await?;
    same_usage(&lab, &agent, 4).await?;
    ask("usage-two", "usage two again".to_owned()).await?;
    same_usage(&lab, &agent, 5).await?;

    let workloads = shown_usage(&agent, &["--by", "workload"]).await?;
    let exchanges = |name: &str| {
        let rows = workloads["usage"].as_array().into_iter().flatten();
        let of = |row: &&serde_json::Value| {
            row["workload"]["cgroup"]
                .as_str()
                .is_some_and(|path| path.ends_with(name))
        };
        rows.filter(of)
            .filter_map(|row| row["exchanges"].as_u64())
            .sum::<u64>()
    };
    ensure!(
        (exchanges("/usage-one"), exchanges("/usage-two")) == (3, 2),
        "{workloads}"
    );
    let status = agent.get("/v1/status").await?;
    ensure!(
        status["usage_history"]
            .as_str()
            .is_some_and(|state| state.starts_with("on disk")),
        "{status}"
    );
    agent.stop().await
}

async fn shown_usage(agent: &Agent, more: &[&str]) -> Result<serde_json::Value> {
    let arguments = [&["usage", "--since", "1h", "-o", "json"], more].concat();
    let output = agent.cli(&arguments).await?;
    ensure!(output.status.success(), "{}", super::stage::shown(&output));
    serde_json::from_slice(&output.stdout).context("no JSON")
}

/// The usage of the last hour is what the providers billed, in total, by model and by minute. A record follows its answer at once, and the
/// history its record, but not in the same moment.
async fn same_usage(lab: &Lab, agent: &Agent, exchanges: u64) -> Result<()> {
    let bill = lab.log.bill("usage ");
    ensure!(bill.requests == exchanges, "{bill:?}");
    for more in [
        &["--by", "provider"][..],
        &["--by", "model"],
        &["--by", "workload", "--step", "minute"],
    ] {
        let mut found = serde_json::Value::Null;
        let mut sums = (0, 0, 0);
        for _ in 0..50 {
            found = shown_usage(agent, more).await?;
            let sum = |field: &str| -> u64 {
                let rows = found["usage"].as_array().into_iter().flatten();
                rows.filter_map(|row| row[field].as_u64()).sum()
            };
            sums = (sum("exchanges"), sum("input"), sum("output"));
            if sums.0 >= exchanges {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        ensure!(
            sums == (exchanges, bill.input, bill.output),
            "{more:?}: {found} is not {bill:?}"
        );
    }
    Ok(())
}

/// The default of `on_agent_down` is open: without an agent connections go where they were going.
async fn stopped(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", limited()).await?;
    let trust = agent.trust(&lab)?;
    agent.stop().await?;
    let launch = Launch::new("open", "curl")
        .args(["-sS", "--max-time", "20", "https://api.openai.com/v1/models"])
        .trust(&trust);
    let output = launch.output(&lab).await?;
    ensure!(output.status.success(), "{}", super::stage::shown(&output));
    Ok(())
}

async fn full_disk(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let state = lab.dir().join("agent/state");
    std::fs::create_dir_all(&state)?;
    mount(
        Some("tmpfs"),
        &state,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=1m"),
    )
    .context("mounting a small tmpfs")?;
    let config = AgentConfig::new().policy(
        "limited",
        "limited*",
        "budgets: [{limit: 1M tokens, window: 1h, per: workload}]",
    );
    let mut agent = Agent::start(&lab, "agent", config).await?;
    let trust = agent.trust(&lab)?;
    // The last block goes to somebody else.
    let _full = std::fs::write(state.join("ballast"), vec![1; 2 << 20]);
    let mut statuses = Vec::new();
    for round in 0..40 {
        let body = format!(
            "{{\"model\":\"gpt-4o-mini\",\"messages\":[{{\"role\":\"user\",\"content\":\"Write 9 words ({round})\"}}]}}"
        );
        let launch = Launch::new("limited", "curl")
            .args([
                "-sS",
                "--max-time",
                "20",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-H",
                "content-type: application/json",
                "-d",
                &body,
            ])
            .args(["https://api.openai.com/v1/chat/completions"])
            .trust(&trust);
        let output = launch.output(&lab).await?;
        statuses.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // Either is clear: the ledger still holds in memory, or it says that it cannot promise anything.
    ensure!(
        statuses
            .iter()
            .all(|status| ["200", "429", "503"].contains(&status.as_str())),
        "{statuses:?}"
    );
    ensure!(agent.alive()?, "the agent has ended:\n{}", agent.log_tail());
    let (_, metrics) = agent.page("/metrics").await?;
    let counted = metrics
        .lines()
        .any(|line| line.starts_with("weir_ledger_errors_total") && !line.ends_with(" 0"));
    let undisturbed = statuses.iter().all(|status| status == "200");
    ensure!(undisturbed || counted, "{statuses:?}, and no failure was counted");
    std::fs::remove_file(state.join("ballast"))?;
    agent.stop().await
}

/// A lab that was killed leaves nothing that the next one does not remove.
async fn killed_lab(_: Arc<Stage>) -> Result<()> {
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .arg("up")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("no output")?;
    tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(stdout), &mut line).await?;
    let (dir, cgroup) = line.trim().split_once(' ').context("no lab came up")?;
    ensure!(
        std::path::Path::new(dir).exists() && std::path::Path::new(cgroup).exists(),
        "{line}"
    );
    child.kill().await?;
    ensure!(
        std::path::Path::new(cgroup).exists(),
        "a killed process cannot have removed its lab"
    );
    let next = Lab::up().await?;
    let reused = next.cgroup.path().to_string_lossy() == cgroup;
    ensure!(
        reused || !std::path::Path::new(cgroup).exists(),
        "{cgroup} is left over"
    );
    Ok(())
}
