//! `weir-lab`: the lab, the demo, the bench and the end-to-end suites. `cargo xtask` builds and runs it.

mod bench;
mod chunked;
mod client;
mod demo;
mod kubernetes;
mod lab;
mod playground;
mod provider;
mod screen;
mod suite;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "weir-lab", about = "The lab of Weir's end-to-end tests")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the lab up without an agent (a part of the suites).
    #[command(hide = true)]
    Up,
    /// Run an end-to-end suite.
    Suite(suite::Suite),
    /// Run the demo.
    Demo(demo::Demo),
    /// Bring the lab and an agent up, and wait for Ctrl-C.
    Lab,
    /// Measure the agent against its floor.
    Bench(bench::Bench),
    /// Relay bytes between two TLS connections (a lane of the bench).
    #[command(hide = true)]
    Relay(bench::relay::Relay),
    /// Send load (the client of the bench).
    #[command(hide = true)]
    Load(bench::load::Load),
    /// Move bulk data (the client of a lane of the bench).
    #[command(hide = true)]
    Bulk(bench::bulk::Bulk),
    /// Open many connections (a workload of the suites).
    #[command(hide = true)]
    Connects(client::connects::Connects),
    /// Be hard to attribute (a workload of the suites).
    #[command(hide = true)]
    Stress(client::stress::Stress),
    /// Send laid-down bytes (a workload of the suites).
    #[command(hide = true)]
    Replay(client::replay::Replay),
    /// Converse over WebSocket over HTTP/2 (a workload of the suites).
    #[command(hide = true)]
    Converse(client::converse::Converse),
    /// Become a workload (used by the lab itself).
    #[command(hide = true)]
    Exec(lab::entry::Entry),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Exec(entry) => entry.run(),
        Command::Connects(connects) => connects.run(),
        Command::Stress(stress) => stress.run(),
        Command::Replay(replay) => in_runtime(replay.run()),
        Command::Converse(converse) => in_runtime(converse.run()),
        Command::Demo(demo) => in_runtime(until_ended(demo.run())),
        Command::Lab => in_runtime(until_ended(playground::run())),
        Command::Relay(relay) => relay.run(),
        Command::Load(load) => load.run(),
        Command::Bulk(bulk) => bulk.run(),
        Command::Bench(bench) => in_runtime(until_ended(bench.run())),
        Command::Suite(suite) => in_runtime(until_ended(suite.run())),
        Command::Up => in_runtime(until_ended(up())),
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

/// Does the work until it is done or the process is asked to end; either way all that was made is dropped, and with it
/// the lab removed.
async fn until_ended(work: impl Future<Output = Result<()>>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate, mut hangup) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
        _ = hangup.recv() => bail!("hung up"),
    }
}

async fn up() -> Result<()> {
    let lab = lab::Lab::up().await?;
    screen::line(&format!(
        "{} {}",
        lab.dir().display(),
        lab.cgroup.path().display()
    ));
    std::future::pending().await
}
