//! What the tests of a suite share: one lab, one agent with a policy for each kind of workload, a second netns; and the
//! words that tests are written in.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::client::replay::{Heard, Talk};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::netns::Netns;
use crate::lab::workload::{Launch, Truth};
use crate::provider::Served;

/// The stage of a suite.
pub(super) struct Stage {
    /// The lab.
    pub(super) lab: Lab,
    /// A netns beside the host's.
    pub(super) second: Netns,
    /// What workloads trust: the lab's CA and the node's.
    pub(super) trust: PathBuf,
    agent: Mutex<Agent>,
}

/// What a client program reported of one exchange.
pub(super) type Report = Value;

impl Stage {
    /// Brings it up, with an agent that has these policies.
    pub(super) async fn set(policies: AgentConfig) -> Result<Self> {
        let lab = Lab::up().await.context("bringing the lab up")?;
        let second = lab.workload_netns("second")?;
        let agent = Agent::start(&lab, "agent", policies).await?;
        let trust = agent.trust(&lab)?;
        Ok(Self {
            lab,
            second,
            trust,
            agent: Mutex::new(agent),
        })
    }

    /// The agent, for as long as the guard lives.
    pub(super) async fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().await
    }

    /// Fails when the agent has ended: no input may bring that about.
    pub(super) async fn recover(&self) -> Result<()> {
        let mut agent = self.agent().await;
        if agent.alive()? {
            return Ok(());
        }
        bail!("the agent has ended:\n{}", agent.log_tail())
    }

    /// An openai-python program that calls chat completions.
    pub(super) fn openai(&self, name: &str, arguments: &[&str]) -> Result<Launch> {
        self.python(name, "openai_client.py", &[&["chat"], arguments].concat())
    }

    /// An anthropic-python program that calls messages.
    pub(super) fn anthropic(&self, name: &str, arguments: &[&str]) -> Result<Launch> {
        self.python(name, "anthropic_client.py", &[&["messages"], arguments].concat())
    }

    /// curl, quiet but for errors.
    pub(super) fn curl(&self, name: &str, arguments: &[&str]) -> Launch {
        Launch::new(name, "curl")
            .args(["-sS", "--max-time", "60"])
            .args(arguments)
            .trust(&self.trust)
    }

    /// Runs a client program to its end and reads its reports.
    pub(super) async fn reports(&self, launch: Launch) -> Result<(Truth, Vec<Report>)> {
        let (truth, output) = launch.run(&self.lab).await?;
        ensure!(
            output.status.success(),
            "{}: {}\n{}",
            truth.name,
            output.status,
            shown(&output)
        );
        let reports = String::from_utf8(output.stdout)?
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not a report: {line}")))
            .collect::<Result<_>>()?;
        Ok((truth, reports))
    }

    /// Runs a client program that makes one exchange.
    pub(super) async fn report(&self, launch: Launch) -> Result<(Truth, Report)> {
        let (truth, reports) = self.reports(launch).await?;
        let count = reports.len();
        let only = reports.into_iter().next().filter(|_| count == 1);
        Ok((
            truth,
            only.with_context(|| format!("{count} reports, expected one"))?,
        ))
    }

    /// Holds raw talks from a process in the cgroup `name`.
    pub(super) async fn talk(&self, name: &str, talks: &[Talk]) -> Result<(Truth, Vec<Heard>)> {
        let dir = self.lab.dir();
        let (plan, result) = (
            dir.join(format!("{name}-plan.json")),
            dir.join(format!("{name}-heard.json")),
        );
        fs::write(&plan, serde_json::to_vec(talks)?)?;
        let launch = Launch::new(name, env::current_exe()?)
            .args(["replay", "--plan"])
            .args([&plan]);
        let (truth, output) = launch.args(["--result"]).args([&result]).run(&self.lab).await?;
        ensure!(output.status.success(), "replay: {}", shown(&output));
        Ok((truth, serde_json::from_slice(&fs::read(&result)?)?))
    }

    /// The one request a provider received whose body holds `text`.
    pub(super) fn served(&self, text: &str) -> Result<Arc<Served>> {
        let found = self.lab.log.containing(text);
        ensure!(
            found.len() == 1,
            "{} requests with `{text}` reached a provider, expected one",
            found.len()
        );
        found.into_iter().next().context("none")
    }

    /// The one exchange on record of this workload's process, checked to be attributed to it exactly.
    pub(super) async fn exchange(&self, truth: &Truth) -> Result<Value> {
        let mut exchanges = self.exchanges(truth, 1).await?;
        ensure!(
            exchanges.len() == 1,
            "{} exchanges on record, expected one",
            exchanges.len()
        );
        exchanges.pop().context("none")
    }

    /// All exchanges on record of this workload's process, at least `count`, each attributed to it exactly.
    pub(super) async fn exchanges(&self, truth: &Truth, count: usize) -> Result<Vec<Value>> {
        let records = self.agent().await.records();
        let exchanges = records.exchanges_of(truth.pid, count).await?;
        for exchange in &exchanges {
            check_attribution(exchange, truth)?;
        }
        Ok(exchanges)
    }

    /// A program of the clients' directory, in their Python.
    pub(super) fn python(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Launch> {
        let (python, clients) = clients()?;
        Ok(Launch::new(name, python)
            .args([clients.join(program)])
            .args(arguments)
            .trust(&self.trust))
    }

    /// One of the lab's own clients.
    pub(super) fn own(&self, name: &str, client: &str, arguments: &[&str]) -> Result<Launch> {
        Ok(Launch::new(name, env::current_exe()?)
            .args([client])
            .args(arguments)
            .trust(&self.trust))
    }

    /// A program of the clients' Node directory, with their modules.
    pub(super) fn node(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Launch> {
        let (_, clients) = clients()?;
        Ok(Launch::new(name, "node")
            .args([clients.join("node").join(program)])
            .args(arguments)
            .variable("NODE_PATH", variable("WEIR_LAB_NODE_MODULES")?)
            .trust(&self.trust))
    }
}

/// The Python of the clients' environment and the directory of their programs, as xtask set them up.
pub(crate) fn clients() -> Result<(PathBuf, PathBuf)> {
    Ok((variable("WEIR_LAB_PYTHON")?, variable("WEIR_LAB_CLIENTS")?))
}

/// A path that xtask passes on.
fn variable(name: &str) -> Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set; run this through `cargo xtask`"))
}

/// The policies of the main suite's agent; a test chooses by the name of its cgroup.
pub(super) fn policies() -> AgentConfig {
    AgentConfig::new()
        .policy(
            "small-budget",
            "small-budget-*",
            "budgets: [{limit: 300 tokens, window: 1h, per: workload}]",
        )
        .policy(
            "large-budget",
            "large-budget-*",
            "budgets: [{limit: 1M tokens, window: 1h, per: workload}]",
        )
        .policy(
            "alerting",
            "alerting-*",
            "owner: team-lab, budgets: [{name: soft, limit: 40 tokens, window: 1h, at_limit: alert}]",
        )
        .policy(
            "passive",
            "passive-*",
            "meter: passive, budgets: [{limit: 1M tokens, window: 1h, per: workload}]",
        )
        .policy(
            "redact",
            "redact-*",
            "content: [{detect: [\"pii.*\", \"secret.*\"], in: [prompt, response], action: redact}]",
        )
        .policy(
            "block",
            "block-*",
            "content: [{detect: [\"pii.*\"], in: [prompt], action: block}]",
        )
        .policy(
            "models",
            "models-*",
            "models: {allow: [\"gpt-4o-mini\", \"claude-*\"]}",
        )
}

/// Checks a record against what the launcher knew.
pub(crate) fn check_attribution(record: &Value, truth: &Truth) -> Result<()> {
    ensure!(
        record["attribution"] == "exact",
        "attribution is {}",
        record["attribution"]
    );
    let workload = &record["workload"];
    let same = workload["pid"] == truth.pid
        && workload["uid"] == truth.uid
        && workload["exe"] == truth.exe
        && workload["cgroup"] == truth.cgroup
        && workload["netns"] == truth.netns;
    ensure!(same, "attributed to {workload}, but it was {truth:?}");
    Ok(())
}

/// Checks that the tokens on record are those the provider counted.
pub(crate) fn check_usage(record: &Value, served: &Served) -> Result<()> {
    let (input, output) = served.usage().context("the provider told no usage")?;
    // On record, as with the providers that have both, reasoning is part of the output.
    let (usage, reasoning) = (&record["usage"], served.reasoning());
    ensure!(
        usage["input"] == input && usage["output"] == output + reasoning && usage["reasoning"] == reasoning,
        "usage on record is {usage}, the provider counted {input} and {output}, {reasoning} beside it"
    );
    Ok(())
}

/// What a program printed, for a failure's message.
pub(crate) fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// All files under a directory.
pub(super) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}
