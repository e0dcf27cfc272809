//! What the kernel programs cost a connection, by the kernel's own statistics.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use anyhow::{Context, Result, ensure};
use aya::programs::loaded_programs;
use serde::Serialize;

use crate::lab::Lab;
use crate::lab::address::{BENCH, ORDINARY_ALONE};
use crate::lab::workload::Launch;

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";
const CONNECTS: u64 = 10_000;

/// Calls and time of every program during one series of connects.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Connects {
    /// `redirected` or `untouched`.
    pub(super) what: &'static str,
    /// Connections opened.
    pub(super) connections: u64,
    /// Programs that ran.
    pub(super) programs: Vec<Program>,
}

/// One program's share.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) calls: u64,
    pub(super) ns_per_call: f64,
    pub(super) ns_per_connection: f64,
}

/// Measures connections that are redirected and connections that are not.
pub(super) async fn measure(lab: &Lab) -> Result<Vec<Connects>> {
    let before = fs::read_to_string(STATISTICS).context("no program statistics in this kernel")?;
    fs::write(STATISTICS, "1").context("switching program statistics on")?;
    let outcome = async {
        let redirected = series(lab, "redirected", BENCH.name).await?;
        let untouched = series(lab, "untouched", ORDINARY_ALONE.name).await?;
        anyhow::Ok(vec![redirected, untouched])
    }
    .await;
    fs::write(STATISTICS, before.trim())?;
    outcome
}

async fn series(lab: &Lab, what: &'static str, host: &str) -> Result<Connects> {
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
    let (_, output) = launch.run(lab).await?;
    ensure!(
        output.status.success(),
        "connects: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut programs = Vec::new();
    for ((id, name), (calls, ns)) in statistics() {
        let (calls_before, ns_before) = before.get(&(id, name.clone())).copied().unwrap_or_default();
        let (calls, ns) = (calls - calls_before, ns - ns_before);
        // Programs of anything else on this machine run too, but not thousands of times.
        if calls >= CONNECTS / 10 {
            programs.push(Program {
                name,
                calls,
                ns_per_call: ns as f64 / calls as f64,
                ns_per_connection: ns as f64 / CONNECTS as f64,
            });
        }
    }
    Ok(Connects {
        what,
        connections: CONNECTS,
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
