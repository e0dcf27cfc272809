//! Load on a budget: a program around an SDK that makes many calls at once, and what came of them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::lab::Lab;
use crate::lab::workload::{Launch, Workload};
use crate::provider;
use crate::suite::stage::{clients, shown};

/// What to call. The tag is in every prompt, and the name of the workload's cgroup.
#[derive(Clone, Debug)]
pub(super) struct Load {
    tag: String,
    arguments: Vec<String>,
}

/// The SDK of a load.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sdk {
    /// openai-python.
    OpenAi,
    /// anthropic-python.
    Anthropic,
}

impl Load {
    /// Calls of one kind, `parallel` of them at once.
    pub(super) fn new(sdk: Sdk, tag: &str, parallel: usize) -> Self {
        let sdk = match sdk {
            Sdk::OpenAi => "openai",
            Sdk::Anthropic => "anthropic",
        };
        let parallel = parallel.to_string();
        let arguments = [sdk, "--tag", tag, "--parallel", &parallel].map(str::to_owned);
        Self {
            tag: tag.to_owned(),
            arguments: arguments.to_vec(),
        }
    }

    /// Adds options of `budget_load.py`.
    pub(super) fn with(mut self, options: &[&str]) -> Self {
        self.arguments
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Starts it in a lab, as a workload that trusts `trust`.
    pub(super) async fn start(self, lab: &Lab, trust: &Path) -> Result<Running> {
        let (python, programs) = clients()?;
        let workload = Launch::new(&self.tag, python)
            .args([programs.join("budget_load.py")])
            .args(self.arguments)
            .trust(trust)
            .start(lab)
            .await?;
        Ok(Running {
            tag: self.tag,
            workload,
        })
    }

    /// Runs it to its end, and until the providers know that it has ended.
    pub(super) async fn run(self, lab: &Lab, trust: &Path) -> Result<Made> {
        let made = self.start(lab, trust).await?.finish().await?;
        lab.log.wait_for_ends(&made.tag).await?;
        Ok(made)
    }
}

/// A load that runs.
pub(super) struct Running {
    tag: String,
    workload: Workload,
}

impl Running {
    /// Waits for its end.
    pub(super) async fn finish(self) -> Result<Made> {
        let (_, output) = self.workload.finish().await?;
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
pub(super) struct Made {
    /// The load's tag.
    pub(super) tag: String,
    /// Each of them.
    pub(super) calls: Vec<Call>,
}

/// What a program reports of a call.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    /// Whether the program left in mid-stream.
    pub(super) aborted: bool,
    /// The answer as far as it came.
    pub(super) text: String,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// The exception.
    pub(super) error: Option<Value>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
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
    pub(super) fn end(&self) -> End {
        match &self.error {
            None if self.aborted => End::Left,
            None => End::Whole,
            Some(_) if !self.text.is_empty() => End::Cut,
            Some(error) if error["type"] == "RateLimitError" && error["status"] == 429 => End::Refused,
            Some(_) => End::Failed,
        }
    }

    /// Tokens of what it saw of the answer, as the provider counts them.
    pub(super) fn seen(&self) -> u64 {
        provider::tokens(self.model.as_deref().unwrap_or_default(), &self.text)
    }
}

impl Made {
    /// How many ended so.
    pub(super) fn count(&self, end: End) -> usize {
        self.calls.iter().filter(|call| call.end() == end).count()
    }

    /// Tokens of the answers as far as the program saw them, as the providers count them.
    pub(super) fn seen(&self) -> u64 {
        self.calls.iter().map(Call::seen).sum()
    }

    /// Fails where a call ended with an exception that a budget is no reason for.
    pub(super) fn check(&self) -> Result<()> {
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
