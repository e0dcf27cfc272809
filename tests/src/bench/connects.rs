//! What the kernel programs cost a connection, by the kernel's own statistics, with few and many addresses marked.
//!
//! The kernel adds up calls and time, so a single call's time cannot be told: the figures are of short series, the
//! median and the worst of them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, Map, MapData};
use aya::programs::loaded_programs;
use serde::Serialize;

use super::load::percentile;
use crate::lab::Lab;
use crate::lab::address::{BENCH, ORDINARY_ALONE};
use crate::lab::workload::Launch;

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Connections of one series.
const CONNECTS: u64 = 1_000;
const SERIES: usize = 10;
/// Addresses that are marked beside those of the lab's hosts.
const MARKED: [u32; 3] = [0, 100, 10_000];

/// What every program did during some series of connects.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Connects {
    /// `redirected` or `untouched`.
    pub(super) what: &'static str,
    /// Addresses marked beside those of the lab's hosts.
    pub(super) marked: u32,
    /// Connections opened in all.
    pub(super) connections: u64,
    /// Programs that ran.
    pub(super) programs: Vec<Program>,
}

/// One program's share.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Program {
    pub(super) name: String,
    /// Calls a connection.
    pub(super) calls: f64,
    /// Nanoseconds a call: the median of the series.
    pub(super) ns_p50: f64,
    /// Nanoseconds a call: the worst series.
    pub(super) ns_worst: f64,
}

/// Measures connections that are redirected and connections that are not. `addresses` is the pinned map of marked ones.
pub(super) async fn measure(lab: &Lab, addresses: &Path) -> Result<Vec<Connects>> {
    let map = MapData::from_pin(addresses).context("the agent pinned no map of addresses")?;
    let mut map: HashMap<_, [u8; 16], u64> = HashMap::try_from(Map::HashMap(map))?;
    let before = fs::read_to_string(STATISTICS).context("no program statistics in this kernel")?;
    fs::write(STATISTICS, "1").context("switching program statistics on")?;
    let outcome = async {
        let mut all = Vec::new();
        for marked in MARKED {
            for number in 0..marked {
                // Of the block for documentation, 2001:db8::/32: no host has one.
                let address = Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(number));
                map.insert(address.octets(), u64::MAX, 0)?;
            }
            all.push(series(lab, "redirected", marked, BENCH.name).await?);
            all.push(series(lab, "untouched", marked, ORDINARY_ALONE.name).await?);
        }
        anyhow::Ok(all)
    }
    .await;
    fs::write(STATISTICS, before.trim())?;
    outcome
}

async fn series(lab: &Lab, what: &'static str, marked: u32, host: &str) -> Result<Connects> {
    let mut figures: BTreeMap<(u32, String), (u64, Vec<f64>)> = BTreeMap::new();
    for _ in 0..SERIES {
        let before = statistics();
        let launch = Launch::new("connects", env::current_exe()?).args([
            "connects",
            "--target",
            &format!("{host}:443"),
            "--count",
            &CONNECTS.to_string(),
            "--threads",
            "2",
        ]);
        let output = launch.output(lab).await?;
        ensure!(
            output.status.success(),
            "connects: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        for (program, (calls, ns)) in statistics() {
            let (calls_before, ns_before) = before.get(&program).copied().unwrap_or_default();
            let (calls, ns) = (calls - calls_before, ns - ns_before);
            // Programs of anything else on this machine run too, but not thousands of times.
            if calls >= CONNECTS / 10 {
                let (all, per_call) = figures.entry(program).or_default();
                *all += calls;
                per_call.push(ns as f64 / calls as f64);
            }
        }
    }
    let connections = CONNECTS * SERIES as u64;
    let programs = figures
        .into_iter()
        .filter(|(_, (_, per_call))| per_call.len() == SERIES)
        .map(|((_, name), (calls, mut per_call))| {
            per_call.sort_by(f64::total_cmp);
            Program {
                name,
                calls: calls as f64 / connections as f64,
                ns_p50: percentile(&per_call, 0.5),
                ns_worst: per_call.last().copied().unwrap_or_default(),
            }
        })
        .collect();
    Ok(Connects {
        what,
        marked,
        connections,
        programs,
    })
}

/// Calls and nanoseconds of every loaded program.
fn statistics() -> BTreeMap<(u32, String), (u64, u64)> {
    loaded_programs()
        .flatten()
        .map(|program| {
            let name = program.name_as_str().unwrap_or_default().to_owned();
            let ns = u64::try_from(program.run_time().as_nanos()).unwrap_or(u64::MAX);
            ((program.id(), name), (program.run_count(), ns))
        })
        .collect()
}
