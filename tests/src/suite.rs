//! The end-to-end suites: real clients, the real agent, the real kernel.

mod attribution;
mod bad_input;
mod bad_upstream;
mod budget;
mod byte_identity;
mod content;
mod curl;
mod identity;
mod operate;
mod privacy;
mod restart;
mod runner;
mod sdk;
mod splice;
mod stage;
mod streams;

use anyhow::{Result, bail};
use clap::Args;

use runner::{Test, run_all};
pub(crate) use stage::clients;

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
        let (policies, tests) = match self.name.as_str() {
            "main" => (stage::policies(), main_tests()),
            "identity" => (identity::policies(), identity::tests()),
            other => bail!("no suite named {other}; there are: main, identity"),
        };
        run_all(&self.name, policies, tests, self.filter.as_deref()).await
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
