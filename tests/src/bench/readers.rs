//! How fast the decoders and readers are by themselves, on one core: an example of the crate that has them, which
//! `cargo xtask` builds.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};

/// Set by `cargo xtask bench`.
const VARIABLE: &str = "WEIR_LAB_THROUGHPUT";

/// What one decoder or reader does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    what: String,
    mb_per_s: f64,
    /// Nanoseconds for each event, message or request.
    ns_each: f64,
}

/// Runs the example; `None` when the bench was not started with it.
pub(super) fn measure() -> Result<Option<Vec<Reading>>> {
    let Some(program) = env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let output = Command::new(&program)
        .arg("--json")
        .output()
        .with_context(|| format!("running {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let readings = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let readings = readings
        .map(serde_json::from_slice)
        .collect::<Result<Vec<_>, _>>();
    Ok(Some(readings.context("no figures")?))
}

/// A row a decoder or reader.
pub(super) fn table(readings: &[Reading]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["decoder or reader, one core", "MB/s", "ns each"]);
    for reading in readings {
        table.add_row([
            reading.what.clone(),
            format!("{:.0}", reading.mb_per_s),
            format!("{:.0}", reading.ns_each),
        ]);
    }
    table
}
