//! One agent takes over from another: no stream breaks, nothing is lost or counted twice. Each in a lab of its own.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::{Launch, Workload};
use crate::suite::runner::Test;
use crate::suite::stage::{Stage, clients, shown};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("upgrade::two_hundred_streams", streams),
        Test::new("upgrade::shares_one_budget", budget),
        Test::new("upgrade::a_new_agent_that_fails", fails),
    ]
}

const STREAMS: usize = 200;

async fn openai(lab: &Lab, agent: &Agent, cgroup: &str, prompt: &str, more: &[&str]) -> Result<Workload> {
    let (python, programs) = clients()?;
    Launch::new(cgroup, python)
        .args([programs.join("openai_client.py")])
        .args(["chat"])
        .args(["--prompt", prompt])
        .args(more)
        .trust(&agent.trust(lab)?)
        .start(lab)
        .await
}

async fn reports(workload: Workload) -> Result<(u32, Vec<Value>)> {
    let (truth, output) = workload.finish().await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let reports = String::from_utf8(output.stdout)?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a report: {line}")))
        .collect::<Result<_>>()?;
    Ok((truth.pid, reports))
}

async fn streams(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let prompt = "Write 60 words (upgrade)";
    let parallel = STREAMS.to_string();
    let slow = [
        "--asynchronous",
        "--stream",
        "--parallel",
        &parallel,
        "--header",
        "x-lab-delay-ms=250",
    ];
    let open = openai(&lab, &agent, "streams", prompt, &slow).await?;
    lab.log.wait_for(prompt, STREAMS).await?;
    // New connections all the while, one after the other.
    let others = "Write 3 words (meanwhile)";
    let meanwhile = openai(&lab, &agent, "meanwhile", others, &["--repeat", "30"]).await?;
    let old = agent.succeed().await?;
    let (pid, got) = reports(open).await?;
    let whole = lab
        .log
        .containing(prompt)
        .first()
        .map(|served| served.sent_text());
    let whole = whole.context("nothing was served")?;
    let broken: Vec<&Value> = got
        .iter()
        .filter(|report| report["answer"]["text"][0] != whole.as_str())
        .collect();
    ensure!(
        got.len() == STREAMS && broken.is_empty(),
        "{} of {} streams are broken: {:?}\n{}",
        broken.len(),
        got.len(),
        broken.first(),
        agent.log_tail()
    );
    let (other, got) = reports(meanwhile).await?;
    ensure!(
        got.len() == 30 && got.iter().all(|report| report["error"].is_null()),
        "new connections failed: {got:?}\n{}",
        agent.log_tail()
    );
    agent.gone(old).await?;
    for (pid, count) in [(pid, STREAMS), (other, 30)] {
        let records = agent.records().exchanges_of(pid, count).await?;
        let ids: HashSet<String> = records.iter().map(|record| record["id"].to_string()).collect();
        ensure!(
            records.len() == count && ids.len() == count,
            "{} exchanges of {count} are on record, {} of them different",
            records.len(),
            ids.len()
        );
    }
    agent.stop().await
}

const LIMIT: u64 = 2_000;

async fn budget(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let config = AgentConfig::new().policy(
        "limited",
        "limited",
        "budgets: [{limit: 2000 tokens, window: 1h, per: workload}]",
    );
    let mut agent = Agent::start(&lab, "agent", config).await?;
    let prompt = "Write 400 words (budget)";
    let slow = [
        "--asynchronous",
        "--stream",
        "--parallel",
        "3",
        "--header",
        "x-lab-delay-ms=20",
    ];
    let open = openai(&lab, &agent, "limited", prompt, &slow).await?;
    lab.log.wait_for(prompt, 3).await?;
    let old = agent.succeed().await?;
    // The new agent's own requests meet what the old one holds.
    let more = "Write 300 words (more)";
    let after = openai(
        &lab,
        &agent,
        "limited",
        more,
        &["--asynchronous", "--stream", "--parallel", "4"],
    )
    .await?;
    let (_, first) = reports(open).await?;
    let (_, second) = reports(after).await?;
    agent.gone(old).await?;
    let budgets = agent.get("/v1/budgets").await?;
    let account = &budgets["budgets"][0];
    let figure = |name: &str| account[name].as_u64().unwrap_or(u64::MAX);
    ensure!(
        figure("peak_outstanding") <= LIMIT && figure("reserved") == 0 && figure("settled") <= LIMIT,
        "{budgets}"
    );
    let spent = lab.log.spent();
    // Nothing that the clients were billed for is missing, and there was less than all of them asked for.
    let denied = first
        .iter()
        .chain(&second)
        .filter(|report| !report["error"].is_null())
        .count();
    ensure!(
        denied > 0,
        "{spent} tokens were spent and nobody was denied: {budgets}"
    );
    agent.stop().await
}

async fn fails(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let mut agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let prompt = "Write 60 words (failing)";
    let slow = [
        "--asynchronous",
        "--stream",
        "--parallel",
        "20",
        "--header",
        "x-lab-delay-ms=150",
    ];
    let open = openai(&lab, &agent, "streams", prompt, &slow).await?;
    lab.log.wait_for(prompt, 20).await?;
    // It gets as far as its own local API: somebody else has the address it is to listen on.
    agent.fail_to_succeed(&lab, AgentConfig::new()).await?;
    let (_, got) = reports(open).await?;
    ensure!(
        got.len() == 20 && got.iter().all(|report| report["error"].is_null()),
        "{got:?}"
    );
    agent.ready().await?;
    let (pid, got) = reports(openai(&lab, &agent, "after", "Write 3 words (after)", &[]).await?).await?;
    ensure!(got.iter().all(|report| report["error"].is_null()), "{got:?}");
    agent.records().exchanges_of(pid, 1).await?;
    ensure!(
        agent.log().contains("the new agent has failed"),
        "{}",
        agent.log_tail()
    );
    agent.stop().await
}
