//! What holds while no agent is alive: killed, stopped, hung. Each in a lab of its own.

use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;
use crate::suite::runner::Test;
use crate::suite::stage::{Stage, shown};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("fail_modes::killed", killed),
        Test::new("fail_modes::hung_and_awake_again", hung),
        Test::new("fail_modes::stopped_with_a_closed_policy", stopped_closed),
        Test::new("fail_modes::stopped_without_one", stopped_open),
        Test::new("fail_modes::what_cannot_be_pinned", unpinned),
    ]
}

/// curl's exit code for a refused connection.
const REFUSED: i32 = 7;

/// Longest that a refusal may take, process start included, on a machine that is busy building.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Age of the last heartbeat after which an agent counts as dead, and some.
const PATIENCE: Duration = Duration::from_millis(3_500);

fn config() -> AgentConfig {
    AgentConfig::new()
        .policy("closed", "closed", "on_agent_down: closed")
        .policy("open", "open", "mode: observe")
}

async fn ask(lab: &Lab, agent: &Agent, cgroup: &str) -> Result<Output> {
    let launch = Launch::new(cgroup, "curl")
        .args([
            "-sS",
            "--max-time",
            "20",
            "-o",
            "/dev/null",
            "-w",
            "%{time_connect} %{ssl_verify_result}",
        ])
        .args(["https://api.openai.com/v1/models"])
        .trust(&agent.trust(lab)?);
    launch.output(lab).await
}

/// Both kinds of workload get through, and are on record.
async fn both_are_intercepted(lab: &Lab, agent: &Agent) -> Result<()> {
    for cgroup in ["closed", "open"] {
        let before = redirected(agent).await?;
        let output = ask(lab, agent, cgroup).await?;
        ensure!(output.status.success(), "{cgroup}: {}", shown(&output));
        ensure!(redirected(agent).await? > before, "{cgroup} was not intercepted");
    }
    Ok(())
}

/// Closed ones are refused at once, open ones reach the provider.
async fn dead_agent_does_what_was_configured(lab: &Lab, agent: &Agent) -> Result<()> {
    let began = Instant::now();
    let output = ask(lab, agent, "closed").await?;
    ensure!(
        output.status.code() == Some(REFUSED) && began.elapsed() < AT_ONCE,
        "after {:?}: {}",
        began.elapsed(),
        shown(&output)
    );
    let connections = lab.log.connections();
    let output = ask(lab, agent, "open").await?;
    ensure!(output.status.success(), "{}", shown(&output));
    ensure!(
        lab.log.connections() > connections,
        "it did not reach the provider"
    );
    Ok(())
}

async fn counter(agent: &Agent, name: &str) -> Result<u64> {
    let status = agent.get("/v1/status").await?;
    Ok(status["kernel_events"][name].as_u64().unwrap_or(0))
}

async fn redirected(agent: &Agent) -> Result<u64> {
    counter(agent, "redirected").await
}

async fn killed(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", config()).await?;
    both_are_intercepted(&lab, &agent).await?;
    let passed = counter(&agent, "passed_agent_down").await?;
    let refused = counter(&agent, "refused_agent_down").await?;
    // Under load: connections are being opened at the moment of its end.
    let load = Launch::new("open", std::env::current_exe()?)
        .args([
            "connects",
            "--target",
            "api.openai.com:443",
            "--count",
            "2000",
            "--threads",
            "2",
        ])
        .start(&lab)
        .await?;
    agent.kill().await?;
    dead_agent_does_what_was_configured(&lab, &agent).await?;
    drop(load);
    agent.restart().await?;
    ensure!(
        counter(&agent, "passed_agent_down").await? > passed
            && counter(&agent, "refused_agent_down").await? > refused,
        "nothing was counted while the agent was dead"
    );
    both_are_intercepted(&lab, &agent).await?;
    agent.stop().await
}

async fn hung(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", config()).await?;
    both_are_intercepted(&lab, &agent).await?;
    agent.signal(Signal::SIGSTOP)?;
    tokio::time::sleep(PATIENCE).await;
    let dead = dead_agent_does_what_was_configured(&lab, &agent).await;
    agent.signal(Signal::SIGCONT)?;
    dead?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    both_are_intercepted(&lab, &agent).await?;
    agent.stop().await
}

async fn stopped_closed(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", config()).await?;
    both_are_intercepted(&lab, &agent).await?;
    let alive = agent.cli(&["detach"]).await?;
    ensure!(
        !alive.status.success() && shown(&alive).contains("an agent is running"),
        "{}",
        shown(&alive)
    );
    agent.stop().await?;
    dead_agent_does_what_was_configured(&lab, &agent).await?;
    let detached = agent.cli(&["detach"]).await?;
    ensure!(detached.status.success(), "{}", shown(&detached));
    let output = ask(&lab, &agent, "closed").await?;
    ensure!(output.status.success(), "still refused: {}", shown(&output));
    agent.restart().await?;
    both_are_intercepted(&lab, &agent).await?;
    agent.stop().await
}

async fn stopped_open(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let pins = lab.pin_dir(agent.dir());
    ensure!(
        std::fs::read_dir(&pins)?.count() == 1,
        "the programs are not pinned in {}",
        pins.display()
    );
    agent.stop().await?;
    ensure!(
        std::fs::read_dir(&pins)?.count() == 0,
        "the programs stay although no policy is closed"
    );
    let output = ask(&lab, &agent, "closed").await?;
    ensure!(output.status.success(), "{}", shown(&output));
    Ok(())
}

async fn unpinned(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let elsewhere = lab.dir().join("no-bpf");
    let pin_dir = format!("pin_dir: {}", elsewhere.display());
    let open = AgentConfig::new().pin_dir(&elsewhere);
    let mut agent = Agent::start(&lab, "agent", open.clone()).await?;
    let status = agent.get("/v1/status").await?;
    ensure!(
        status["stays"]
            .as_str()
            .is_some_and(|stays| stays.starts_with("no: ")),
        "{pin_dir}: {status}"
    );
    agent
        .reload(
            &lab,
            open.clone().policy("closed", "closed", "on_agent_down: closed"),
        )
        .await?;
    ensure!(
        agent.log().contains("not reloaded") && agent.log().contains("on_agent_down: closed takes programs"),
        "{}",
        agent.log_tail()
    );
    agent.stop().await?;
    let refused = Agent::start(
        &lab,
        "closed",
        open.policy("closed", "closed", "on_agent_down: closed"),
    )
    .await;
    let why = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        why.contains("on_agent_down: closed, which takes programs"),
        "{why}"
    );
    Ok(())
}
