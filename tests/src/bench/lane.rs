//! One lane: its windows, with what the process in the middle used in each.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;

use super::exchange::Exchange;
use super::load::{Streams, Window};
use super::middle::Middle;
use super::report::{Figures, Report, StreamFigures};
use crate::lab::Lab;
use crate::lab::address::BENCH;
use crate::lab::workload::Launch;

/// How long the memory of a lane may take to fall back after the load.
const SETTLE: Duration = Duration::from_millis(1500);

/// Windows of one exchange, and how long they are: short, for there are many exchanges and three lanes each.
const EXCHANGE_WINDOWS: usize = 3;
const EXCHANGE_WINDOW_MS: u64 = 400;
const EXCHANGE_WARM_UP_MS: u64 = 300;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) windows: usize,
    pub(super) window_ms: u64,
    pub(super) streams: usize,
}

/// A lane and how its client reaches it.
#[derive(Debug)]
pub(super) struct Lane {
    name: &'static str,
    target: String,
    trust: PathBuf,
    workload: String,
    outside: bool,
}

impl Lane {
    /// A lane whose client connects to `target`: an address with port, an address, or a name.
    pub(super) fn new(name: &'static str, target: &str, trust: PathBuf) -> Self {
        let target = if target.parse::<std::net::IpAddr>().is_ok() {
            format!("{target}:443")
        } else {
            target.to_owned()
        };
        Self {
            name,
            target,
            trust,
            workload: "load".to_owned(),
            outside: false,
        }
    }

    /// Runs the load as another workload, for which other policies hold.
    pub(super) fn workload(mut self, name: impl Into<String>) -> Self {
        self.workload = name.into();
        self
    }

    /// Runs the load where no agent sees it: for a lane without the agent while one runs.
    pub(super) fn outside(mut self) -> Self {
        self.outside = true;
        self
    }

    /// Measures plain requests, then streams.
    pub(super) async fn measure(
        &self,
        lab: &Lab,
        plan: &Plan,
        middle: Option<&Middle>,
        report: &mut Report,
    ) -> Result<()> {
        report.lanes.push(
            self.plain(lab, plan, middle)
                .await
                .with_context(|| format!("lane {}", self.name))?,
        );
        report.streams.push(
            self.streamed(lab, plan, middle)
                .await
                .with_context(|| format!("streams of lane {}", self.name))?,
        );
        Ok(())
    }

    /// Measures one exchange, repeated.
    pub(super) async fn exchange(
        &self,
        lab: &Lab,
        exchange: &Exchange,
        middle: Option<&Middle>,
    ) -> Result<Figures> {
        let (windows, window_ms) = (EXCHANGE_WINDOWS.to_string(), EXCHANGE_WINDOW_MS.to_string());
        let warm_up_ms = EXCHANGE_WARM_UP_MS.to_string();
        let load = [
            ["--exchange", exchange.name],
            // One: with more, the answers of 64 pieces queue for the upstream, and that is what would be timed.
            ["--connections", "1"],
            ["--windows", &windows],
            ["--window-ms", &window_ms],
            ["--warm-up-ms", &warm_up_ms],
        ];
        self.windows(lab, EXCHANGE_WINDOWS, &load.concat(), middle)
            .await
            .with_context(|| format!("{} of lane {}", exchange.name, self.name))
    }

    async fn plain(&self, lab: &Lab, plan: &Plan, middle: Option<&Middle>) -> Result<Figures> {
        let (windows, window_ms) = (plan.windows.to_string(), plan.window_ms.to_string());
        let load = ["--windows", &windows, "--window-ms", &window_ms];
        let mut figures = self.windows(lab, plan.windows, &load, middle).await?;
        tokio::time::sleep(SETTLE).await;
        figures.rss_after_kib = middle.map(Middle::rss_kib).transpose()?;
        Ok(figures)
    }

    async fn windows(
        &self,
        lab: &Lab,
        windows: usize,
        load: &[&str],
        middle: Option<&Middle>,
    ) -> Result<Figures> {
        let mut load = self.load(load)?.start(lab).await?;
        let mut lines = lines(&mut load.child)?;
        if lines.next_line().await?.is_none() {
            let (_, output) = load.finish().await?;
            bail!(
                "the load did not begin: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let mut figures = Figures::new(self.name);
        let cpu = |middle: Option<&Middle>| middle.map(Middle::cpu).transpose();
        let mut before = cpu(middle)?;
        while let Some(line) = lines.next_line().await? {
            let window: Window = serde_json::from_str(&line)?;
            let after = cpu(middle)?;
            figures.add(
                &window,
                after
                    .zip(before)
                    .map(|(after, before)| after.saturating_sub(before)),
            );
            before = after;
            if figures.windows() == windows {
                figures.rss_loaded_kib = middle.map(Middle::rss_kib).transpose()?;
            }
        }
        let (_, output) = load.finish().await?;
        ensure!(
            output.status.success(),
            "the load failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(figures)
    }

    async fn streamed(&self, lab: &Lab, plan: &Plan, middle: Option<&Middle>) -> Result<StreamFigures> {
        let before = middle.map(Middle::cpu).transpose()?;
        let streams = plan.streams.to_string();
        let output = self.load(&["--streams", &streams])?.output(lab).await?;
        ensure!(
            output.status.success(),
            "the load failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let after = middle.map(Middle::cpu).transpose()?;
        let streams: Streams = serde_json::from_slice(&output.stdout)?;
        ensure!(
            streams.failed == 0,
            "{} of {} streams failed",
            streams.failed,
            plan.streams
        );
        Ok(StreamFigures::new(
            self.name,
            streams,
            after
                .zip(before)
                .map(|(after, before)| after.saturating_sub(before)),
        ))
    }

    fn load(&self, more: &[&str]) -> Result<Launch> {
        let launch = Launch::new(&self.workload, std::env::current_exe()?).args([
            "load",
            "--target",
            &self.target,
            "--name",
            BENCH.name,
        ]);
        let launch = if self.outside { launch.outside() } else { launch };
        Ok(launch.args(["--trust"]).args([&self.trust]).args(more))
    }
}

fn lines(child: &mut tokio::process::Child) -> Result<Lines<BufReader<ChildStdout>>> {
    Ok(BufReader::new(child.stdout.take().context("no output")?).lines())
}
