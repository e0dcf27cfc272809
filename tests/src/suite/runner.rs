//! Runs tests on one stage, one after the other or several at once, and reports as `cargo test` does.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::task::JoinSet;

use super::stage::Stage;
use crate::lab::agent::AgentConfig;
use crate::screen;

/// How long one test may take, on a machine that is busy building.
const TEST_WITHIN: Duration = Duration::from_secs(240);

type Outcome = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A test: its name and what it does on the stage.
pub(super) struct Test {
    name: String,
    run: Box<dyn Fn(Arc<Stage>) -> Outcome + Send + Sync>,
}

impl Test {
    /// A test from an async function.
    pub(super) fn new<F>(
        name: impl Into<String>,
        run: impl Fn(Arc<Stage>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Box::new(move |stage| Box::pin(run(stage))),
        }
    }
}

/// A suite: the policies of its agent, and its tests.
pub(super) struct Plan {
    /// Its name.
    pub(super) suite: &'static str,
    /// The policies of the stage's agent.
    pub(super) policies: AgentConfig,
    /// The tests, in order.
    pub(super) tests: Vec<Test>,
    /// How many may run at once: one, where a test looks at what the whole lab did.
    pub(super) at_once: usize,
}

impl Plan {
    /// Brings the stage up, runs the tests whose name contains `filter`, takes it down.
    pub(super) async fn run(self, filter: Option<&str>) -> Result<()> {
        let mut chosen = self.tests;
        chosen.retain(|test| filter.is_none_or(|filter| test.name.contains(filter)));
        screen::line(&format!("\nrunning {} tests", chosen.len()));
        let started = Instant::now();
        let stage = Arc::new(Stage::set(self.policies).await?);
        let mut waiting = chosen.into_iter();
        let mut running = JoinSet::new();
        let (mut passed, mut failures) = (0_usize, Vec::new());
        loop {
            while running.len() < self.at_once
                && let Some(test) = waiting.next()
            {
                running.spawn(test.outcome(Arc::clone(&stage)));
            }
            let Some(ended) = running.join_next().await else {
                break;
            };
            let (name, outcome, seconds) = ended?;
            let name = format!("{}::{name}", self.suite);
            match outcome {
                Ok(()) => {
                    passed += 1;
                    screen::line(&format!("test {name} ... ok ({seconds:.1} s)"));
                }
                Err(error) => {
                    screen::line(&format!("test {name} ... FAILED ({seconds:.1} s)\n    {error:#}"));
                    failures.push(name.clone());
                }
            }
            if let Err(error) = stage.recover().await {
                screen::line(&format!("    the agent is gone after {name}: {error:#}"));
                failures.push(name);
                break;
            }
        }
        if !failures.is_empty() {
            screen::line(&format!(
                "\nthe agent's log ends with:\n{}",
                stage.agent().await.log_tail()
            ));
            screen::line(&format!("\nfailures:\n    {}", failures.join("\n    ")));
        }
        let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
        screen::line(&format!(
            "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s",
            failures.len(),
            started.elapsed().as_secs_f32()
        ));
        if failures.is_empty() {
            Ok(())
        } else {
            bail!("{} of suite {}'s tests failed", failures.len(), self.suite)
        }
    }
}

impl Test {
    /// Runs it: its name, how it went, and the seconds it took.
    async fn outcome(self, stage: Arc<Stage>) -> (String, Result<()>, f32) {
        let began = Instant::now();
        let task = tokio::spawn(tokio::time::timeout(TEST_WITHIN, (self.run)(stage)));
        let outcome = match task.await {
            Err(join) => Err(anyhow!("panicked: {join}")),
            Ok(Err(_)) => Err(anyhow!("not done within {TEST_WITHIN:?}")),
            Ok(Ok(outcome)) => outcome,
        };
        (self.name, outcome, began.elapsed().as_secs_f32())
    }
}
