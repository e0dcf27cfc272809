//! The bench: what inspection costs, beside what the same bytes cost without it. Every lane in one run.
//!
//! | lane | between the client and the upstream |
//! |---|---|
//! | upstream | nothing: the rig's own floor |
//! | relay | a bare rustls byte relay: the floor |
//! | nginx | nginx as TLS relay, one worker, where it is installed |
//! | weir | the agent, over a connection the kernel redirected: prompts scanned, tokens counted and budgeted |
//! | weir, answers too | the same, with a rule that scans answers |
//!
//! The exchanges of every protocol follow, through upstream, relay and agent; then the decoders and readers by
//! themselves, bulk data, and the kernel programs.
//!
//! Client, relay or agent, and upstream are processes or threads of their own; the CPU time of a lane is what the
//! process in the middle used. A window in which a request failed is void.

mod budgets;
pub(crate) mod bulk;
mod connects;
mod delay;
mod exchange;
mod lane;
pub(crate) mod load;
mod middle;
mod nginx;
mod protocols;
mod readers;
pub(crate) mod relay;
mod report;
mod upstream;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::lab::Lab;
use crate::lab::address::BENCH;
use crate::lab::agent::{Agent, AgentConfig};
use crate::screen;
use lane::{Lane, Plan};
use middle::Middle;
use report::Report;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Write the figures to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Windows per lane.
    #[arg(long, default_value_t = 5)]
    windows: usize,
    /// Length of a window, in milliseconds.
    #[arg(long, default_value_t = 3000)]
    window_ms: u64,
    /// Measure only the lanes without the agent.
    #[arg(long)]
    floor_only: bool,
    /// Streams held at once in the streamed lanes.
    #[arg(long, default_value_t = 50)]
    streams: usize,
    /// Measure only how far limits are passed, beside the peers.
    #[arg(long)]
    budgets: bool,
    /// Measure only what scanning adds to the pieces of a stream.
    #[arg(long)]
    content: bool,
}

/// Policies that find nothing: the whole inspected path, and nothing to do about it. `load` is counted, budgeted and its
/// prompts scanned; `load-answers` has its answers scanned as well, which holds back the last word of a stream.
fn policies() -> AgentConfig {
    let rules = |parts: &str| {
        format!(
            "budgets: [{{limit: 1000G tokens, window: 1h, per: workload}}], \
             content: [{{detect: [\"pii.*\", \"secret.*\"], in: {parts}, action: redact}}]"
        )
    };
    AgentConfig::new()
        .policy("prompts", "load", &rules("[prompt]"))
        .policy(
            "prompts-and-answers",
            "load-answers",
            &rules("[prompt, response]"),
        )
        .policy("exchanges", protocols::CGROUPS, &rules("[prompt]"))
        .policy("bulk", bulk::SPLICED, "match: all-tls")
}

impl Bench {
    /// Runs every lane and reports.
    pub(crate) async fn run(self) -> Result<()> {
        let lab = Lab::up().await.context("bringing the lab up")?;
        if self.budgets {
            let rows = budgets::measure(&lab).await?;
            screen::line(&budgets::table(&rows));
            return self.write(&serde_json::to_string_pretty(&rows)?);
        }
        if self.content {
            let rows = delay::measure(&lab).await?;
            screen::line(&delay::table(&rows));
            return self.write(&serde_json::to_string_pretty(&rows)?);
        }
        upstream::serve(&lab)?;
        let plan = Plan {
            windows: self.windows,
            window_ms: self.window_ms,
            streams: self.streams,
        };
        let mut report = Report::default();
        let direct = lab.plan.v4(BENCH).to_string();

        screen::note("bench: decoders and readers");
        report.readings = readers::measure()?;
        if report.readings.is_none() {
            screen::note("bench: not started by cargo xtask, decoders and readers are left out");
        }

        screen::note("bench: the upstream alone");
        let lane = Lane::new("upstream", &direct, lab.lab_bundle());
        lane.measure(&lab, &plan, None, &mut report).await?;

        screen::note("bench: a bare rustls relay");
        let relay = Middle::relay(&lab).await?;
        let lane = Lane::new("relay", &relay.address(), lab.lab_bundle());
        lane.measure(&lab, &plan, Some(&relay), &mut report).await?;
        drop(relay);

        if let Some(nginx) = Middle::nginx(&lab).await? {
            screen::note("bench: nginx");
            let lane = Lane::new("nginx", &nginx.address(), lab.lab_bundle());
            lane.measure(&lab, &plan, Some(&nginx), &mut report).await?;
        } else {
            screen::note("bench: nginx is not installed, its lane is left out");
        }

        if self.floor_only {
            return self.tell(&report);
        }
        screen::note("bench: weir");
        let agent = Agent::start(&lab, "agent", policies()).await?;
        let weir = Middle::agent(&agent)?;
        report.idle_rss_kib = Some(weir.rss_kib()?);
        // By name: the answer of the lab's DNS is what marks the address.
        let lane = Lane::new("weir", BENCH.name, agent.trust(&lab)?);
        lane.measure(&lab, &plan, Some(&weir), &mut report).await?;
        screen::note("bench: weir, answers scanned as well");
        let lane = Lane::new("weir, answers too", BENCH.name, agent.trust(&lab)?).workload("load-answers");
        lane.measure(&lab, &plan, Some(&weir), &mut report).await?;
        report.check_inspected(&agent).await?;

        screen::note("bench: the exchanges of every protocol");
        report.protocols = protocols::measure(&lab, &agent).await?;

        screen::note("bench: bulk data, direct and spliced");
        report.throughput = bulk::measure(&lab, &weir).await?;
        report.check_spliced(&agent)?;

        screen::note("bench: the connect hook");
        report.connects = connects::measure(&lab, &lab.pinned_map(agent.dir(), "ADDRESSES")?).await?;
        drop(agent);

        self.tell(&report)
    }

    fn tell(&self, report: &Report) -> Result<()> {
        screen::line(&report.table());
        self.write(&report.json()?)
    }

    fn write(&self, json: &str) -> Result<()> {
        if let Some(path) = &self.json {
            std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
            screen::line(&format!("figures written to {}", path.display()));
        }
        Ok(())
    }
}
