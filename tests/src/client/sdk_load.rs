//! Load on a budget: a program around an SDK that makes many calls at once, and what came of them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::lab::Lab;
use crate::lab::workload::{Launch, Truth};
use crate::provider;
use crate::suite::{clients, shown};

/// What to call. The tag is in every prompt, and the name of the workload's cgroup.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    tag: String,
    arguments: Vec<String>,
    outside: bool,
    variables: Vec<(&'static str, OsString)>,
}

/// The SDK of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sdk {
    /// openai-python.
    OpenAi,
    /// anthropic-python.
    Anthropic,
}

impl Load {
    /// Calls of one kind, `parallel` of them at once.
    pub(crate) fn new(sdk: Sdk, tag: &str, parallel: usize) -> Self {
        let sdk = match sdk {
            Sdk::OpenAi => "openai",
            Sdk::Anthropic => "anthropic",
        };
        let parallel = parallel.to_string();
        let arguments = [sdk, "--tag", tag, "--parallel", &parallel].map(str::to_owned);
        Self {
            tag: tag.to_owned(),
            arguments: arguments.to_vec(),
            outside: false,
            variables: Vec::new(),
        }
    }

    /// Adds options of `budget_load.py`.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        self.arguments
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Runs it where no agent sees it.
    pub(crate) fn outside(mut self) -> Self {
        self.outside = true;
        self
    }

    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &'static str, value: OsString) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Starts it in a lab, as a workload that trusts `trust`.
    pub(crate) async fn start(self, lab: &Lab, trust: &Path) -> Result<Running> {
        let (python, programs) = clients()?;
        let mut launch = Launch::new(&self.tag, python)
            .args([programs.join("budget_load.py")])
            .args(self.arguments)
            .trust(trust);
        for (name, value) in self.variables {
            launch = launch.variable(name, value);
        }
        let launch = if self.outside { launch.outside() } else { launch };
        let workload = launch.start(lab).await?;
        let pid = i32::try_from(workload.truth.pid)?;
        // Read as it prints: a pipe that nobody reads is full after some hundred reports, and the load stands still.
        let mut finish = JoinSet::new();
        finish.spawn(workload.finish());
        Ok(Running {
            tag: self.tag,
            pid: Pid::from_raw(pid),
            finish,
        })
    }

    /// Runs it to its end, and until the providers know that it has ended.
    pub(crate) async fn run(self, lab: &Lab, trust: &Path) -> Result<Made> {
        let made = self.start(lab, trust).await?.finish().await?;
        lab.log.wait_for_ends(&made.tag).await?;
        Ok(made)
    }
}

/// A load that runs.
pub(crate) struct Running {
    tag: String,
    pid: Pid,
    finish: JoinSet<Result<(Truth, Output)>>,
}

impl Running {
    /// Tells one that repeats until it is told to make no further calls, and waits for its end.
    pub(crate) async fn stop(self) -> Result<Made> {
        kill(self.pid, Signal::SIGTERM).context("telling the load to stop")?;
        self.finish().await
    }

    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Result<Made> {
        let finished = self.finish.join_next().await.context("no load")?;
        let (_, output) = finished??;
        ensure!(output.status.success(), "{}: {}", self.tag, shown(&output));
        let calls = String::from_utf8(output.stdout)?
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not a report: {line}")))
            .collect::<Result<_>>()?;
        Ok(Made { tag: self.tag, calls })
    }
}

/// The calls that were made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The load's tag.
    pub(crate) tag: String,
    /// Each of them.
    pub(crate) calls: Vec<Call>,
}

/// What a program reports of a call.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    /// Whether the program left in mid-stream.
    pub(crate) aborted: bool,
    /// The answer as far as it came.
    pub(crate) text: String,
    /// Why it ended, as the provider says it.
    pub(crate) finish: Option<String>,
    /// Seconds from the call to the first piece.
    pub(crate) first: Option<f64>,
    /// Seconds from the call to the last piece.
    pub(crate) last: Option<f64>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// The exception.
    pub(crate) error: Option<Value>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// With the whole answer.
    Whole,
    /// The program left.
    Left,
    /// Refused: the SDK's exception of a rate limit.
    Refused,
    /// With an exception in mid-stream.
    Cut,
    /// With another exception.
    Failed,
}

impl Call {
    /// How it ended.
    pub(crate) fn end(&self) -> End {
        match &self.error {
            None if self.aborted => End::Left,
            None => End::Whole,
            Some(_) if !self.text.is_empty() => End::Cut,
            Some(error) if error["type"] == "RateLimitError" && error["status"] == 429 => End::Refused,
            Some(_) => End::Failed,
        }
    }

    /// Tokens of what it saw of the answer, as the provider counts them.
    pub(crate) fn seen(&self) -> u64 {
        provider::tokens(self.model.as_deref().unwrap_or_default(), &self.text)
    }
}

impl Made {
    /// How many ended so.
    pub(crate) fn count(&self, end: End) -> usize {
        self.calls.iter().filter(|call| call.end() == end).count()
    }

    /// Tokens of the answers as far as the program saw them, as the providers count them.
    pub(crate) fn seen(&self) -> u64 {
        self.calls.iter().map(Call::seen).sum()
    }

    /// Fails where a call ended with an exception that a budget is no reason for.
    pub(crate) fn check(&self) -> Result<()> {
        let failed = self.calls.iter().find(|call| call.end() == End::Failed);
        ensure!(
            failed.is_none(),
            "{} of {} calls failed: {failed:?}",
            self.count(End::Failed),
            self.calls.len()
        );
        Ok(())
    }
}
