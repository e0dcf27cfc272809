//! What scanning a stream adds to each of its pieces: one SDK reads an answer of 50 tokens a second. `cargo xtask bench
//! --content`.
//!
//! The provider and the program note when each piece is sent and when it is handed out, by the same clock. A piece of a word is
//! held until it is known that it is not the beginning of something a rule forbids, which takes the next piece: at this pace
//! some 20 ms for those, and nothing for the others.

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::load::percentile;
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;
use crate::screen;
use crate::suite::clients;

/// Pieces of the answer: ten seconds.
const PIECES: usize = 500;

/// What is between program and provider.
const LANES: [(&str, &str); 4] = [
    ("no agent", ""),
    ("weir, no rule on answers", "plain"),
    ("weir, secrets and PII in answers redacted", "scanned"),
    ("weir, every detector on answers", "every"),
];

/// The delays of one lane.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    lane: &'static str,
    pieces: usize,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// Every lane.
pub(super) async fn measure(lab: &Lab) -> Result<Vec<Row>> {
    let rule = |detect: &str, action: &str| {
        format!("content: [{{detect: {detect}, in: [response], action: {action}}}]")
    };
    let config = AgentConfig::new()
        .policy(
            "plain",
            "plain",
            &rule("[pii.credit_card]", "redact").replace("response", "prompt"),
        )
        .policy("scanned", "scanned", &rule("[\"pii.*\", \"secret.*\"]", "redact"))
        .policy("every", "every", &rule("[\"*\"]", "alert"));
    let agent = Agent::start(lab, "agent", config).await?;
    let trust = agent.trust(lab)?;
    let mut rows = Vec::new();
    for (lane, cgroup) in LANES {
        screen::note(&format!("bench: a stream of 50 tokens a second, {lane}"));
        let (python, programs) = clients()?;
        let tag = format!("delay {lane}");
        let prompt = format!("Write {PIECES} words ({tag})");
        let launch = Launch::new(if cgroup.is_empty() { "direct" } else { cgroup }, python)
            .args([programs.join("openai_client.py")])
            .args([
                "chat",
                "--stream",
                "--times",
                "--header",
                "x-lab-delay-ms=20",
                "--prompt",
                &prompt,
            ])
            .trust(&trust);
        let launch = if cgroup.is_empty() {
            launch.outside()
        } else {
            launch
        };
        let output = launch.output(lab).await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("the program's report")?;
        ensure!(report["error"].is_null(), "{report}");
        let handed: Vec<f64> = serde_json::from_value(report["answer"]["times"].clone())?;
        let served = lab.log.containing(&tag);
        let sent = served.first().context("nothing reached the provider")?.times();
        ensure!(
            handed.len() == sent.len() && handed.len() == PIECES,
            "{} pieces sent, {} handed out",
            sent.len(),
            handed.len()
        );
        let mut delays: Vec<f64> = handed
            .iter()
            .zip(&sent)
            .map(|(handed, sent)| (handed - sent) * 1e6)
            .collect();
        delays.sort_by(f64::total_cmp);
        rows.push(Row {
            lane,
            pieces: delays.len(),
            p50_us: percentile(&delays, 0.5),
            p90_us: percentile(&delays, 0.9),
            p99_us: percentile(&delays, 0.99),
            max_us: percentile(&delays, 1.0),
        });
    }
    Ok(rows)
}

/// The table.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["lane", "pieces", "p50 ms", "p90 ms", "p99 ms", "max ms"]);
    for row in rows {
        let ms = |us: f64| format!("{:.2}", us / 1e3);
        table.add_row([
            row.lane.to_owned(),
            row.pieces.to_string(),
            ms(row.p50_us),
            ms(row.p90_us),
            ms(row.p99_us),
            ms(row.max_us),
        ]);
    }
    table.to_string()
}
