//! The figures of a run: a table for the terminal, JSON for everything else.

use std::time::Duration;

use anyhow::{Result, ensure};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;

use super::bulk::{SPLICED, Throughput};
use super::connects::Connects;
use super::load::{Streams, Window, percentile};
use super::protocols::{self, Protocol};
use super::readers::{self, Reading};
use crate::lab::address::BENCH;
use crate::lab::agent::Agent;

/// Everything a run measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) lanes: Vec<Figures>,
    pub(super) streams: Vec<StreamFigures>,
    pub(super) protocols: Vec<Protocol>,
    pub(super) readings: Option<Vec<Reading>>,
    pub(super) throughput: Vec<Throughput>,
    pub(super) connects: Vec<Connects>,
    pub(super) idle_rss_kib: Option<u64>,
}

/// Median, least and greatest of the windows that count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// A lane of requests, one after the other.
#[derive(Debug, Default)]
pub(super) struct Figures {
    name: &'static str,
    void: usize,
    per_s: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    cpu_us: Vec<f64>,
    pub(super) rss_loaded_kib: Option<u64>,
    pub(super) rss_after_kib: Option<u64>,
}

/// A lane of streams.
#[derive(Debug)]
pub(super) struct StreamFigures {
    name: &'static str,
    streams: Streams,
    cpu_us_per_stream: Option<f64>,
}

impl Figures {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Adds a window; one with a failed request is void.
    pub(super) fn add(&mut self, window: &Window, cpu: Option<Duration>) {
        if window.failed > 0 || window.requests == 0 {
            self.void += 1;
            return;
        }
        let requests = window.requests as f64;
        self.per_s.push(requests / window.seconds);
        self.p50_us.push(window.p50_us);
        self.p99_us.push(window.p99_us);
        self.cpu_us
            .extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / requests));
    }

    /// Windows so far, void ones included.
    pub(super) fn windows(&self) -> usize {
        self.per_s.len() + self.void
    }

    /// Windows that do not count.
    pub(super) fn void(&self) -> usize {
        self.void
    }

    /// Medians of the windows.
    pub(super) fn p50_us(&self) -> Spread {
        spread(&self.p50_us)
    }

    /// 99th percentiles of the windows.
    pub(super) fn p99_us(&self) -> Spread {
        spread(&self.p99_us)
    }

    /// CPU time a request of what is in the middle.
    pub(super) fn cpu_us(&self) -> Spread {
        spread(&self.cpu_us)
    }

    /// The lane as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "lane": self.name, "windows": self.per_s.len(), "void_windows": self.void,
            "requests_per_s": spread(&self.per_s), "p50_us": spread(&self.p50_us), "p99_us": spread(&self.p99_us),
            "cpu_us_per_request": (!self.cpu_us.is_empty()).then(|| spread(&self.cpu_us)),
            "rss_loaded_kib": self.rss_loaded_kib, "rss_after_kib": self.rss_after_kib,
        })
    }
}

impl StreamFigures {
    pub(super) fn new(name: &'static str, streams: Streams, cpu: Option<Duration>) -> Self {
        let cpu_us_per_stream = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / (streams.whole.max(1) as f64));
        Self {
            name,
            streams,
            cpu_us_per_stream,
        }
    }
}

impl Report {
    /// Fails when the requests of the weir lane are not on record: a lane that bypassed the agent measures nothing.
    pub(super) async fn check_inspected(&self, agent: &Agent) -> Result<()> {
        let (_, metrics) = agent.page("/metrics").await?;
        let recorded: f64 = metrics
            .lines()
            .filter(|line| line.starts_with("weir_exchanges_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        ensure!(
            recorded > 1000.0,
            "the agent has only {recorded} exchanges to {} on record",
            BENCH.name
        );
        Ok(())
    }

    /// Fails when the connections of the spliced lane are not on record as that.
    pub(super) fn check_spliced(&self, agent: &Agent) -> Result<()> {
        let spliced = agent.records().all()?.into_iter().any(|record| {
            record["outcome"] == "spliced_not_listed"
                && record["workload"]["cgroup"]
                    .as_str()
                    .is_some_and(|cgroup| cgroup.ends_with(SPLICED))
        });
        ensure!(spliced, "no connection of the spliced lane is on record");
        Ok(())
    }

    /// The table, with each lane's CPU beside the floor's.
    pub(super) fn table(&self) -> String {
        let floor = self
            .lanes
            .iter()
            .find(|lane| lane.name == "relay")
            .map(|lane| spread(&lane.cpu_us).median);
        let mut plain = Table::new();
        plain.load_style(presets::UTF8_HORIZONTAL_ONLY);
        plain.set_header([
            "lane",
            "requests/s (min-max)",
            "p50 µs",
            "p99 µs",
            "CPU µs/request (min-max)",
            "× floor",
            "RSS MiB loaded",
            "after",
            "void",
        ]);
        for lane in &self.lanes {
            let (rate, cpu) = (spread(&lane.per_s), spread(&lane.cpu_us));
            let none = lane.cpu_us.is_empty();
            plain.add_row([
                lane.name.to_owned(),
                format!("{:.0} ({:.0}-{:.0})", rate.median, rate.min, rate.max),
                format!("{:.0}", spread(&lane.p50_us).median),
                format!("{:.0}", spread(&lane.p99_us).median),
                if none {
                    "-".to_owned()
                } else {
                    format!("{:.1} ({:.1}-{:.1})", cpu.median, cpu.min, cpu.max)
                },
                floor
                    .filter(|_| !none)
                    .map_or_else(|| "-".to_owned(), |floor| format!("{:.2}", cpu.median / floor)),
                mib(lane.rss_loaded_kib),
                mib(lane.rss_after_kib),
                lane.void.to_string(),
            ]);
        }
        let base = self
            .streams
            .iter()
            .find(|lane| lane.name == "upstream")
            .map(|lane| lane.streams.first_p50_us)
            .unwrap_or_default();
        let mut streams = Table::new();
        streams.load_style(presets::UTF8_HORIZONTAL_ONLY);
        streams.set_header([
            "lane (64 deltas, 20 ms apart)",
            "streams",
            "failed",
            "first delta µs p50",
            "added",
            "p99",
            "gap µs p50",
            "p99",
            "CPU µs/stream",
        ]);
        for lane in &self.streams {
            let figures = &lane.streams;
            streams.add_row([
                lane.name.to_owned(),
                figures.whole.to_string(),
                figures.failed.to_string(),
                format!("{:.0}", figures.first_p50_us),
                format!("{:+.0}", figures.first_p50_us - base),
                format!("{:.0}", figures.first_p99_us),
                format!("{:.0}", figures.gap_p50_us),
                format!("{:.0}", figures.gap_p99_us),
                lane.cpu_us_per_stream
                    .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0}")),
            ]);
        }
        let direct = self.throughput.first();
        let mut bulk = Table::new();
        bulk.load_style(presets::UTF8_HORIZONTAL_ONLY);
        bulk.set_header([
            "bulk data",
            "up MiB/s (min-max)",
            "× direct",
            "down MiB/s (min-max)",
            "× direct",
            "agent CPU ms/GiB",
        ]);
        for lane in &self.throughput {
            let (up, down) = (spread(&lane.up_mib_per_s), spread(&lane.down_mib_per_s));
            let against = |figure: f64, direct: Option<f64>| {
                direct.map_or_else(|| "-".to_owned(), |direct| format!("{:.2}", figure / direct))
            };
            bulk.add_row([
                lane.lane.to_owned(),
                format!("{:.0} ({:.0}-{:.0})", up.median, up.min, up.max),
                against(up.median, direct.map(|lane| spread(&lane.up_mib_per_s).median)),
                format!("{:.0} ({:.0}-{:.0})", down.median, down.min, down.max),
                against(
                    down.median,
                    direct.map(|lane| spread(&lane.down_mib_per_s).median),
                ),
                format!("{:.0}", spread(&lane.agent_cpu_ms_per_gib).median),
            ]);
        }
        let mut kernel = Table::new();
        kernel.load_style(presets::UTF8_HORIZONTAL_ONLY);
        kernel.set_header([
            "connections",
            "addresses marked",
            "kernel program",
            "calls/connection",
            "ns/call p50",
            "worst",
        ]);
        for series in &self.connects {
            for program in &series.programs {
                kernel.add_row([
                    format!("{} {}", series.connections, series.what),
                    series.marked.to_string(),
                    program.name.clone(),
                    format!("{:.1}", program.calls),
                    format!("{:.0}", program.ns_p50),
                    format!("{:.0}", program.ns_worst),
                ]);
            }
        }
        let protocols = protocols::table(&self.protocols);
        let readers = readers::table(self.readings.as_deref().unwrap_or_default());
        format!(
            "{plain}\n\n{streams}\n\n{protocols}\n\n{readers}\n\n{bulk}\n\n{kernel}\n\nagent idle: {} MiB resident",
            mib(self.idle_rss_kib)
        )
    }

    /// The same as JSON.
    pub(super) fn json(&self) -> Result<String> {
        let streams: Vec<_> = self
            .streams
            .iter()
            .map(|lane| json!({"lane": lane.name, "figures": lane.streams, "cpu_us_per_stream": lane.cpu_us_per_stream}))
            .collect();
        let lanes: Vec<_> = self.lanes.iter().map(Figures::json).collect();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let cores = std::thread::available_parallelism()?.get();
        Ok(serde_json::to_string_pretty(&json!({
            "machine": {"cores": cores, "kernel": kernel.trim()},
            "plain": lanes, "streamed": streams, "exchanges": protocols::json(&self.protocols),
            "readers": self.readings, "bulk": self.throughput, "connect_hook": self.connects, "agent_idle_rss_kib": self.idle_rss_kib,
        }))?)
    }
}

fn spread(values: &[f64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Spread {
        median: percentile(&sorted, 0.5),
        min: sorted.first().copied().unwrap_or_default(),
        max: sorted.last().copied().unwrap_or_default(),
    }
}

fn mib(kib: Option<u64>) -> String {
    kib.map_or_else(|| "-".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0))
}
