//! An SDK and its cases. To start an interpreter takes longer than a call, so one process makes all the calls of one way.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::OnceCell;

use super::case::Case;
use crate::lab::workload::{Launch, Truth};
use crate::suite::runner::Test;
use crate::suite::stage::{Report, Stage};

/// An SDK and the calls made with it.
pub(super) struct Sdk {
    /// Its name: the first part of its tests' names.
    pub(super) name: &'static str,
    /// The program that uses it.
    pub(super) program: Program,
    /// The calls.
    pub(super) cases: Vec<Case>,
}

/// A program of the clients' directory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Program {
    /// In the clients' Python environment.
    Python(&'static str),
    /// With the clients' Node modules.
    Node(&'static str),
    /// One of the lab's own.
    Own(&'static str),
}

/// A way in which every call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Where no agent sees it.
    Direct,
    /// Through the agent, with no policy.
    Allowed,
    /// With nothing left of a budget.
    Spent,
    /// With a card number in the prompt, where policy blocks those.
    Blocked,
}

/// All calls of one way, by one process.
#[derive(Debug)]
pub(super) struct Run {
    /// The credential of this run, by which the stand-ins' log tells runs apart.
    pub(super) key: String,
    /// What the launcher knows of the process.
    pub(super) truth: Truth,
    reports: Vec<(&'static str, Report)>,
}

/// The runs of an SDK.
#[derive(Debug)]
struct Runs {
    direct: Run,
    allowed: Run,
    spent: Run,
    blocked: Run,
}

impl Sdk {
    /// A test for each case whose name contains `filter`. The first one makes the runs, and all wait for them.
    pub(super) fn tests(mut self, filter: Option<&str>) -> Vec<Test> {
        let test_name = |case: &Case| format!("{}::{}", self.name, case.name);
        self.cases
            .retain(|case| filter.is_none_or(|filter| test_name(case).contains(filter)));
        let names: Vec<(String, Case)> = self.cases.iter().map(|case| (test_name(case), *case)).collect();
        let sdk = Arc::new(self);
        let runs: Arc<OnceCell<Result<Runs, String>>> = Arc::default();
        names
            .into_iter()
            .map(|(name, case)| {
                let (sdk, runs) = (Arc::clone(&sdk), Arc::clone(&runs));
                Test::new(name, move |stage| {
                    let (sdk, runs) = (Arc::clone(&sdk), Arc::clone(&runs));
                    async move {
                        let runs = runs
                            .get_or_init(|| async {
                                sdk.runs(&stage).await.map_err(|error| format!("{error:#}"))
                            })
                            .await;
                        let runs = runs.as_ref().map_err(|error| anyhow!("{error}"))?;
                        sdk.check(&stage, runs, &case).await
                    }
                })
            })
            .collect()
    }

    async fn check(&self, stage: &Stage, runs: &Runs, case: &Case) -> Result<()> {
        case.check_allowed(self.name, stage, &runs.direct, &runs.allowed)
            .await?;
        if let Some(raised) = case.over_budget {
            case.check_refused(self.name, stage, &runs.spent, raised, "budget")
                .await
                .context("with nothing left of the budget")?;
        }
        if let Some(raised) = case.blocked {
            case.check_refused(self.name, stage, &runs.blocked, raised, "content")
                .await
                .context("where policy blocks the prompt")?;
        }
        Ok(())
    }

    async fn runs(&self, stage: &Stage) -> Result<Runs> {
        let (direct, allowed, spent, blocked) = tokio::try_join!(
            self.run(stage, Way::Direct),
            self.run(stage, Way::Allowed),
            self.run(stage, Way::Spent),
            self.run(stage, Way::Blocked),
        )?;
        Ok(Runs {
            direct,
            allowed,
            spent,
            blocked,
        })
    }

    /// Makes all the calls that go this way, one after the other in one process.
    async fn run(&self, stage: &Stage, way: Way) -> Result<Run> {
        let name = format!("{}-{}", way.name(), self.name);
        let key = format!("lab-key-{name}");
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.goes(way)).collect();
        let calls: Vec<Vec<String>> = cases.iter().map(|case| case.arguments(self.name, way)).collect();
        let plan = stage.lab.dir().join(format!("{name}.json"));
        fs::write(&plan, serde_json::to_vec(&calls)?)?;
        let plan = plan.to_string_lossy();
        let arguments = ["--plan", &*plan, "--key", &key];
        let launch = self.program.launch(stage, &name, &arguments)?;
        let launch = match way {
            // It does not trust the node's CA: a connection that an agent took would fail.
            Way::Direct => launch.outside().trust(&stage.lab.lab_bundle()),
            _ => launch,
        };
        let (truth, reports) = stage.reports(launch).await?;
        ensure!(
            reports.len() == cases.len(),
            "{name}: {} reports of {} calls",
            reports.len(),
            cases.len()
        );
        let names = cases.iter().map(|case| case.name);
        Ok(Run {
            key,
            truth,
            reports: names.zip(reports).collect(),
        })
    }
}

impl Program {
    fn launch(self, stage: &Stage, name: &str, arguments: &[&str]) -> Result<Launch> {
        match self {
            Self::Python(program) => stage.python(name, program, arguments),
            Self::Node(program) => stage.node(name, program, arguments),
            Self::Own(client) => stage.own(name, client, arguments),
        }
    }
}

impl Way {
    /// The first part of the cgroup's name, by which policies choose.
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Allowed => "allowed",
            Self::Spent => "spent",
            Self::Blocked => "block",
        }
    }
}

impl Run {
    /// What the program reported of a case.
    pub(super) fn report(&self, case: &Case) -> Result<&Report> {
        let mut reports = self.reports.iter();
        let found = reports.find(|(name, _)| *name == case.name);
        found
            .map(|(_, report)| report)
            .with_context(|| format!("no report of {}", case.name))
    }
}
