//! Runs tests one after the other on one stage, and reports as `cargo test` does.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::stage::Stage;
use crate::lab::agent::AgentConfig;
use crate::screen;

/// How long one test may take, on a machine that is busy building.
const TEST_WITHIN: Duration = Duration::from_secs(240);

type Outcome = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A test: its name and what it does on the stage.
pub(super) struct Test {
    name: &'static str,
    run: Box<dyn Fn(Arc<Stage>) -> Outcome + Send + Sync>,
}

impl Test {
    /// A test from an async function.
    pub(super) fn new<F>(name: &'static str, run: impl Fn(Arc<Stage>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            name,
            run: Box::new(move |stage| Box::pin(run(stage))),
        }
    }
}

/// Brings the stage up with the suite's policies, runs the tests, takes it down.
pub(super) async fn run_all(
    suite: &str,
    policies: AgentConfig,
    tests: Vec<Test>,
    filter: Option<&str>,
) -> Result<()> {
    let chosen: Vec<Test> = tests
        .into_iter()
        .filter(|test| filter.is_none_or(|filter| test.name.contains(filter)))
        .collect();
    screen::line(&format!("\nrunning {} tests", chosen.len()));
    let started = Instant::now();
    let stage = Arc::new(Stage::set(policies).await?);
    let (mut passed, mut failures) = (0_usize, Vec::new());
    for test in &chosen {
        let began = Instant::now();
        let task = tokio::spawn(tokio::time::timeout(TEST_WITHIN, (test.run)(Arc::clone(&stage))));
        let outcome = match task.await {
            Err(join) => Err(anyhow!("panicked: {join}")),
            Ok(Err(_)) => Err(anyhow!("not done within {TEST_WITHIN:?}")),
            Ok(Ok(outcome)) => outcome,
        };
        let seconds = began.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                passed += 1;
                screen::line(&format!("test {suite}::{} ... ok ({seconds:.1} s)", test.name));
            }
            Err(error) => {
                screen::line(&format!(
                    "test {suite}::{} ... FAILED ({seconds:.1} s)\n    {error:#}",
                    test.name
                ));
                failures.push(test.name);
            }
        }
        if let Err(error) = stage.recover().await {
            screen::line(&format!("    the agent is gone after {}: {error:#}", test.name));
            failures.push(test.name);
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
        bail!("{} of suite {suite}'s tests failed", failures.len())
    }
}
