//! `weir-lab`: the lab, the demo, the bench and the end-to-end suites. `cargo xtask` builds and runs it.

mod lab;
mod provider;
mod screen;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "weir-lab", about = "The lab of Weir's end-to-end tests")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the lab up and wait for Ctrl-C.
    Up,
    /// Become a workload (used by the lab itself).
    #[command(hide = true)]
    Exec(lab::entry::Entry),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Exec(entry) => entry.run(),
        Command::Up => in_runtime(up()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::note(&format!("weir-lab: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn up() -> Result<()> {
    let lab = lab::Lab::up().await?;
    screen::line(&format!(
        "{} {}",
        lab.dir().display(),
        lab.cgroup.path().display()
    ));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
