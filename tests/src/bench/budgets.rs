//! Overspend: the same load on a limit of the same size, through the agent and through each peer, against what the provider
//! bills. `cargo xtask bench --budgets`.
//!
//! The program of the load is an ordinary SDK and knows nothing of limits; retries are off. What counts is the provider's own
//! figure: prompts by its tokenizer, answers as far as it made them until it saw the other side go.

mod litellm;

use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;

use litellm::Litellm;

use crate::client::sdk_load::{End, Load, Sdk};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::screen;

/// The limit of every run in tokens, a small part of what its calls would cost.
const LIMIT: u64 = 4_000;

/// Runs of each load through each gateway.
const RUNS: usize = 3;

/// A load: its name, its calls at once, and further options of the program.
const LOADS: [(&str, usize, &[&str]); 3] = [
    (
        "500 answers at once",
        500,
        &["--max-tokens", "64", "--header", "x-lab-delay-ms=200"],
    ),
    (
        "500 streams at once, no limit given",
        500,
        &[
            "--stream",
            "--words",
            "200",
            "400",
            "--abort",
            "0.2",
            "--header",
            "x-lab-delay-ms=10",
        ],
    ),
    (
        "25 times 20 streams, each left half-way",
        20,
        &[
            "--repeat",
            "25",
            "--stream",
            "--words",
            "200",
            "400",
            "--abort",
            "1",
            "--header",
            "x-lab-delay-ms=3",
        ],
    ),
];

/// The runs of one load through one gateway.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    load: &'static str,
    gateway: String,
    runs: Vec<Run>,
}

/// One run.
#[derive(Debug, Serialize)]
struct Run {
    limit_tokens: u64,
    billed_tokens: u64,
    whole: usize,
    left: usize,
    cut: usize,
    refused: usize,
    failed: usize,
    seconds: f64,
}

/// How calls reach a gateway.
enum Way<'a> {
    /// They do not know of it.
    Agent,
    /// By its base URL.
    Litellm(&'a Litellm, litellm::Limit),
}

/// Every load through every gateway.
pub(super) async fn measure(lab: &Lab) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let budget =
        |more: &str| format!("budgets: [{{limit: {LIMIT} tokens, window: 1h, per: workload{more}}}]");
    // The second reserves all that a stream may produce, and tells the provider so.
    let config = AgentConfig::new().policy("weir", "weir-*", &budget("")).policy(
        "weir-full",
        "weirfull-*",
        &budget(", reserve: full, clamp: true"),
    );
    let mut agent = Agent::start(lab, "agent", config).await?;
    let trust = agent.trust(lab)?;
    for (number, _) in LOADS.iter().enumerate() {
        for gateway in ["weir", "weir full"] {
            rows.push(row(lab, &trust, number, gateway, &Way::Agent).await?);
        }
    }
    agent.stop().await?;
    match Litellm::start(lab, LIMIT).await? {
        Some(proxy) => {
            for (number, _) in LOADS.iter().enumerate() {
                for (gateway, limit) in litellm::LIMITS {
                    let way = Way::Litellm(&proxy, limit);
                    rows.push(row(lab, &lab.lab_bundle(), number, gateway, &way).await?);
                }
            }
        }
        None => screen::note("bench: LiteLLM is not installed, its lane is left out"),
    }
    rows.sort_by_key(|row| LOADS.iter().position(|(name, ..)| *name == row.load));
    Ok(rows)
}

async fn row(
    lab: &Lab,
    trust: &std::path::Path,
    load_number: usize,
    gateway: &str,
    way: &Way<'_>,
) -> Result<Row> {
    let (name, parallel, options) = LOADS[load_number];
    screen::note(&format!("bench: {name} through {gateway}"));
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let tag = format!("{}-{load_number}-{number}", gateway.replace([' ', ','], ""));
        let seed = number.to_string();
        let load =
            Load::new(Sdk::OpenAi, &tag, parallel)
                .with(options)
                .with(&["--seed", &seed, "--retries", "0"]);
        let load = match way {
            Way::Agent => load,
            Way::Litellm(proxy, limit) => {
                let key = limit.key(LIMIT, &tag);
                let model = limit.model(load_number * RUNS + number);
                load.with(&["--base-url", &proxy.base_url(), "--key", &key, "--model", &model])
                    .outside()
            }
        };
        let began = std::time::Instant::now();
        let made = load.run(lab, trust).await?;
        let bill = lab.log.bill(&tag);
        if let Some(failed) = made.calls.iter().find(|call| call.end() == End::Failed) {
            screen::note(&format!("bench: {tag}: {:?}", failed.error));
        }
        runs.push(Run {
            limit_tokens: LIMIT,
            billed_tokens: bill.tokens(),
            whole: made.count(End::Whole),
            left: made.count(End::Left),
            cut: made.count(End::Cut),
            refused: made.count(End::Refused),
            failed: made.count(End::Failed),
            seconds: began.elapsed().as_secs_f64(),
        });
    }
    Ok(Row {
        load: name,
        gateway: gateway.to_owned(),
        runs,
    })
}

/// The table.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "load",
        "gateway",
        "limit",
        "billed (runs)",
        "over the limit",
        "whole",
        "left",
        "cut",
        "refused",
        "failed",
    ]);
    for row in rows {
        let listed = |figure: fn(&Run) -> String| row.runs.iter().map(figure).collect::<Vec<_>>().join(" ");
        let most = row
            .runs
            .iter()
            .map(|run| run.billed_tokens)
            .max()
            .unwrap_or_default();
        let over = most.saturating_sub(LIMIT);
        table.add_row([
            row.load.to_owned(),
            row.gateway.clone(),
            LIMIT.to_string(),
            listed(|run| run.billed_tokens.to_string()),
            format!("{over} ({:.1} %)", over as f64 * 100.0 / LIMIT as f64),
            listed(|run| run.whole.to_string()),
            listed(|run| run.left.to_string()),
            listed(|run| run.cut.to_string()),
            listed(|run| run.refused.to_string()),
            listed(|run| run.failed.to_string()),
        ]);
    }
    table.to_string()
}
