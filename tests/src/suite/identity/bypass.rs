//! Every known way to an LLM host, in both modes: what becomes of it, and what tells of it. The ways are small programs
//! that know nothing of the agent (`tests/clients/routes.py`); what is expected of each is one table.

mod case;
#[cfg(test)]
mod document;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::case::{Case, Outcome, Row, Scope, Start, To, Told};
use super::super::runner::Test;
use super::super::stage::{Report, Stage, clients, shown};
use crate::lab::Lab;
use crate::lab::address::{Host, OPENAI, ORDINARY_ALONE, ROUTES};
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::{Launch, Truth, Workload};

/// Who signs what the lab's servers show.
const LAB_CA: &str = "Weir lab CA";
/// How long counters and records may take to tell of a connection that has ended.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// How long a workload may take to do what comes before its wait.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// One test for each case.
pub(super) fn tests() -> Vec<Test> {
    let next_host = Arc::new(AtomicUsize::new(0));
    let mut tests = Vec::new();
    for row in table::ROWS {
        for case in row.cases {
            let next_host = next_host.clone();
            tests.push(Test::new(name(row, case), move |stage| {
                let walked = walk(stage, row, case, next_host.clone());
                async { walked.await.context(row.route) }
            }));
        }
    }
    tests
}

/// The policies of the table's configurations, for the suite's agent.
pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    [Scope::Deny, Scope::AllTls, Scope::AllTlsDeny, Scope::PassQuic]
        .into_iter()
        .fold(config, with_policy)
}

fn with_policy(config: AgentConfig, scope: Scope) -> AgentConfig {
    match scope.policy() {
        Some(keys) => config.policy(scope.cgroup(), &format!("{}-*", scope.cgroup()), keys),
        None => config,
    }
}

/// Names live as long as the process; there are as many as cases.
fn name(row: &Row, case: &Case) -> &'static str {
    let start = match row.start {
        Start::Host | Start::BeforeAgent => "",
        Start::EntersVisited => "_visited",
        Start::EntersUnvisited => "_unvisited",
        Start::LoopbackDown => "_loopback_down",
    };
    let to = match row.to {
        To::Marked => "",
        To::Unmarked | To::UnmarkedName => "_unmarked",
        To::Foreign => "_foreign",
    };
    let arguments: String = row.arguments.concat().replace("--", "_").replace(['-', '.'], "_");
    let program = row.program.replace('-', "_");
    format!("bypass::{program}{start}{to}{arguments}::{:?}", case.scope).leak()
}

async fn walk(stage: Arc<Stage>, row: &Row, case: &Case, next_host: Arc<AtomicUsize>) -> Result<()> {
    if row.start == Start::BeforeAgent {
        return walk_before_agent(row, case).await;
    }
    let host = match row.to {
        To::Marked => OPENAI,
        To::Foreign => ORDINARY_ALONE,
        To::Unmarked | To::UnmarkedName => *ROUTES
            .get(next_host.fetch_add(1, Ordering::Relaxed))
            .context("more ways to unmarked addresses than hosts in ROUTES")?,
    };
    // A pinned client trusts what its provider shows, and the node's CA is none of it.
    let pinned = stage.lab.lab_bundle();
    let trust = if row.program == "pinned" {
        &pinned
    } else {
        &stage.trust
    };
    let mut launch = program(&stage.lab, row, case, host)?
        .args(["--trust"])
        .args([trust]);
    let mut _other: Option<Workload> = None;
    match row.start {
        Start::Host | Start::BeforeAgent => {}
        Start::EntersVisited => {
            // Somebody lives there already.
            let lodger = Launch::new("way-lodger", "sleep")
                .args(["60"])
                .netns(&stage.second);
            _other = Some(lodger.start(&stage.lab).await?);
            tokio::time::sleep(Duration::from_millis(500)).await;
            launch = launch.args(["--netns", stage.second.name()]);
        }
        Start::EntersUnvisited => {
            let netns = stage.lab.workload_netns(&netns_name())?;
            launch = launch.args(["--netns", netns.name()]);
        }
        Start::LoopbackDown => {
            let netns = stage.lab.unready_netns(&netns_name())?;
            launch = launch.netns(&netns);
        }
    }
    let agent = stage.agent().await;
    let before = Counters::read(&agent).await?;
    let (truth, report) = report(launch.start(&stage.lab).await?).await?;
    check_outcome(case.outcome, &report)?;
    check_told(&agent, case, &truth, &report, &before).await
}

/// The workload is there before the agent, which has its CA from an earlier start.
async fn walk_before_agent(row: &Row, case: &Case) -> Result<()> {
    let lab = Lab::up().await?;
    let mut config = with_policy(AgentConfig::new().resolves_in_lab(), case.scope);
    if case.scope == Scope::Close {
        config = config.key("intercept", "older_connections: close");
    }
    let mut agent = Agent::start(&lab, "agent", config).await?;
    let trust = agent.trust(&lab)?;
    agent.stop().await?;
    let (ready, gate) = (lab.dir().join("ready"), lab.dir().join("gate"));
    let launch = program(&lab, row, case, OPENAI)?
        .args(["--trust"])
        .args([&trust])
        .args(["--ready"])
        .args([&ready])
        .args(["--gate"])
        .args([&gate]);
    let workload = launch.start(&lab).await?;
    until("the workload is ready", READY_WITHIN, || async {
        Ok(ready.exists())
    })
    .await?;
    agent.restart().await?;
    until("the agent has asked for names", READY_WITHIN, || async {
        let asked = "weir_name_lookups_total{outcome=\"resolved\"} ";
        let page = agent.page("/metrics").await?.1;
        Ok(page
            .lines()
            .any(|line| line.strip_prefix(asked).is_some_and(|count| count != "0")))
    })
    .await?;
    // What the agent finds by itself, it finds before the workload does anything more.
    let found: Vec<Told> = case
        .told
        .iter()
        .copied()
        .filter(|told| matches!(told, Told::Agent(..)))
        .collect();
    if !found.is_empty() {
        wait_told(
            &agent,
            &found,
            &workload.truth,
            &Value::Null,
            &Counters::default(),
        )
        .await?;
    }
    fs::write(&gate, "")?;
    let (truth, report) = report(workload).await?;
    check_outcome(case.outcome, &report)?;
    check_told(&agent, case, &truth, &report, &Counters::default()).await
}

fn program(lab: &Lab, row: &Row, case: &Case, host: Host) -> Result<Launch> {
    let (python, programs) = clients()?;
    let cgroup = format!("{}-{}", case.scope.cgroup(), row.program);
    let mut launch = Launch::new(&cgroup, python)
        .args([programs.join("routes.py")])
        .args([
            row.program,
            "--name",
            host.name,
            "--device",
            &lab.plan.link(0).near_name,
        ])
        .args(row.arguments);
    if row.to == To::Unmarked {
        launch = launch.args(["--address", &IpAddr::V4(lab.plan.v4(host)).to_string()]);
    }
    Ok(launch)
}

fn netns_name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("way{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

async fn report(workload: Workload) -> Result<(Truth, Report)> {
    let (truth, output) = workload.finish().await?;
    ensure!(output.status.success(), "{}: {}", truth.name, shown(&output));
    let report = serde_json::from_slice(&output.stdout).with_context(|| shown(&output))?;
    Ok((truth, report))
}

fn check_outcome(outcome: Outcome, report: &Report) -> Result<()> {
    let untouched = report["issuer"] == LAB_CA || report["issuer"].is_null();
    let as_expected = match outcome {
        Outcome::Intercepted => {
            let answer = report["answer"].as_str().unwrap_or_default();
            answer.starts_with("HTTP/1.1 200") && !untouched
        }
        Outcome::Spliced | Outcome::Passed => report["answer"].is_string() && untouched,
        Outcome::Refused(error) => report["error"] == error,
    };
    ensure!(as_expected, "expected {outcome:?}, the workload says {report}");
    Ok(())
}

/// Checks that what should tell of the way does, once, and that nothing else does.
async fn check_told(
    agent: &Agent,
    case: &Case,
    truth: &Truth,
    report: &Report,
    before: &Counters,
) -> Result<()> {
    wait_told(agent, case.told, truth, report, before).await?;
    // What was not sent to the agent has no record as a connection.
    let expected = case
        .told
        .iter()
        .filter(|told| matches!(told, Told::Connection(_)))
        .count();
    let connections = connections(agent, report)?;
    ensure!(
        connections.len() == expected,
        "expected {expected} connections on record: {connections:?}"
    );
    Ok(())
}

async fn wait_told(
    agent: &Agent,
    told: &[Told],
    truth: &Truth,
    report: &Report,
    before: &Counters,
) -> Result<()> {
    let expected = Counters::expected(told);
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        let moved = Counters::read(agent).await?.since(before).repeated_once(told);
        let missing = missing_record(agent, told, truth, report)?;
        if moved == expected && missing.is_none() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the counters that moved are {moved:?}, expected {expected:?}; missing record: {missing:?}; the workload says {report}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first of `told` that has no record, or more than one.
fn missing_record(agent: &Agent, told: &[Told], truth: &Truth, report: &Report) -> Result<Option<Told>> {
    let records = agent.records().all()?;
    let connections = connections(agent, report)?;
    Ok(told.iter().copied().find(|told| {
        let bypasses = |reason: &str, verdict: &str| {
            let of_it = records.iter().filter(|record| {
                record["kind"] == "bypass"
                    && record["reason"] == reason
                    && record["verdict"] == verdict
                    && record["placement"]["cgroup"] == truth.cgroup
            });
            of_it.count()
        };
        match told {
            Told::Counter(_) => false,
            Told::Kernel(name) => {
                let (verdict, reason) = name.split_once('_').unwrap_or_default();
                bypasses(reason, verdict) != 1
            }
            Told::Repeated(name) => {
                let (verdict, reason) = name.split_once('_').unwrap_or_default();
                bypasses(reason, verdict) == 0
            }
            Told::Agent(reason, verdict) => bypasses(reason, verdict) != 1,
            Told::Connection(outcome) => {
                connections
                    .iter()
                    .filter(|one| one["outcome"] == *outcome)
                    .count()
                    != 1
            }
        }
    }))
}

/// The connections on record of the process that called `connect`.
fn connections(agent: &Agent, report: &Report) -> Result<Vec<Value>> {
    let mut records = agent.records().all()?;
    records
        .retain(|record| record["kind"] == "connection" && record["workload"]["pid"] == report["connector"]);
    Ok(records)
}

async fn until<F>(what: &str, within: Duration, mut reached: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    let deadline = Instant::now() + within;
    while !reached().await? {
        ensure!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The counters of all ways around, by their labels; those at 0 are left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counters(BTreeMap<String, u64>);

impl Counters {
    async fn read(agent: &Agent) -> Result<Self> {
        /// They count what is none of the agent's business, which the test's own surroundings do all the time.
        const OTHERS: [&str; 2] = ["passed_agent", "passed_not_marked"];
        let (status, page) = agent.page("/metrics").await?;
        ensure!(status == 200, "{page}");
        let counters = page.lines().filter_map(|line| {
            let (labels, count) = line.rsplit_once(' ')?;
            let of_kernel = labels
                .strip_prefix("weir_kernel_events_total{reason=\"")
                .and_then(|labels| labels.strip_suffix("\"}"))
                .filter(|reason| reason.starts_with("passed_") || reason.starts_with("refused_"))
                .filter(|reason| !OTHERS.contains(reason));
            let of_both = labels
                .strip_prefix("weir_bypasses_total{reason=\"")
                .and_then(|labels| labels.strip_suffix("\"}"))
                .map(|labels| labels.replace("\",verdict=\"", " "));
            let name = of_kernel.map(str::to_owned).or(of_both)?;
            Some((name, count.parse().ok()?)).filter(|(_, count)| *count > 0)
        });
        Ok(Self(counters.collect()))
    }

    /// What has been added.
    fn since(mut self, before: &Self) -> Self {
        for (name, count) in &mut self.0 {
            *count -= before.0.get(name).copied().unwrap_or_default();
        }
        self.0.retain(|_, count| *count > 0);
        self
    }

    /// With what may have been told more than once counted once.
    fn repeated_once(mut self, told: &[Told]) -> Self {
        for one in told {
            if let Told::Repeated(name) = one {
                let both = name
                    .split_once('_')
                    .map(|(verdict, reason)| format!("{reason} {verdict}"));
                for name in both.into_iter().chain([(*name).to_owned()]) {
                    self.0.entry(name).and_modify(|count| *count = 1);
                }
            }
        }
        self
    }

    fn expected(told: &[Told]) -> Self {
        let mut expected = BTreeMap::new();
        for one in told {
            match one {
                Told::Kernel(name) | Told::Repeated(name) => {
                    expected.insert((*name).to_owned(), 1);
                    if let Some((verdict, reason)) = name.split_once('_') {
                        expected.insert(format!("{reason} {verdict}"), 1);
                    }
                }
                Told::Agent(reason, verdict) => {
                    expected.insert(format!("{reason} {verdict}"), 1);
                }
                Told::Counter(name) => {
                    expected.insert((*name).to_owned(), 1);
                }
                Told::Connection(_) => {}
            }
        }
        Self(expected)
    }
}
