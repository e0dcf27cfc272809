//! The end-to-end suites: real clients, the real agent, the real kernel.

mod attribution;
mod bad_input;
mod bad_upstream;
mod budget;
mod budgets;
mod byte_identity;
mod content;
mod curl;
mod identity;
mod operate;
mod privacy;
mod protocols;
mod real;
mod restart;
mod runner;
mod sdk;
mod splice;
mod stage;
mod streams;

use anyhow::{Result, bail};
use clap::Args;

use runner::{Plan, Test};
pub(crate) use stage::{clients, shown};

/// A suite to run.
#[derive(Debug, Args)]
pub(crate) struct Suite {
    /// The suite's name.
    name: String,
    /// Run only the tests whose name contains this.
    filter: Option<String>,
}

impl Suite {
    /// Runs it; an error when a test failed.
    pub(crate) async fn run(self) -> Result<()> {
        let plan = match self.name.as_str() {
            "main" => Plan {
                suite: "main",
                policies: stage::policies(),
                tests: main_tests(),
                at_once: 1,
            },
            "identity" => Plan {
                suite: "identity",
                policies: identity::policies(),
                tests: identity::tests(),
                at_once: 1,
            },
            "protocols" => protocols::plan(self.filter.as_deref()),
            "budgets" => budgets::plan(),
            "content" => content::plan(),
            "real" => real::plan(),
            other => {
                bail!("no suite named {other}; there are: main, protocols, budgets, content, identity, real")
            }
        };
        plan.run(self.filter.as_deref()).await
    }
}

/// The path of one exchange, end to end, in the order a reader would ask.
fn main_tests() -> Vec<Test> {
    let groups = [
        sdk::tests(),
        curl::tests(),
        attribution::tests(),
        splice::tests(),
        byte_identity::tests(),
        content::tests(),
        budget::tests(),
        streams::tests(),
        bad_input::tests(),
        bad_upstream::tests(),
        operate::tests(),
        restart::tests(),
        // Last: it looks for secrets in all that the others left behind.
        privacy::tests(),
    ];
    groups.into_iter().flatten().collect()
}
