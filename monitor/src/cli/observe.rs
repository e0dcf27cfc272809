//! `weir observe`.

use std::io::Write;

use monitor_budget::MicroUsd;
use serde_json::Value;

use super::budget::amount::{counted, figure};
use super::format::{duration, number, program, text, thousands, user};
use super::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(super) struct Observe {
    #[command(flatten)]
    pub(super) target: Target,
    /// Go on with every new record
    #[arg(short, long)]
    pub(super) follow: bool,
    /// How many past records to show first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) last: usize,
    /// Only records of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    pub(super) kind: Option<Kind>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Requests to providers
    Exchange,
    /// What was LLM-bound and not intercepted
    Bypass,
    /// Budgets changed by hand
    Audit,
    /// Thresholds of budgets that were passed
    #[value(name = "budget_threshold")]
    BudgetThreshold,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// One short line each
    #[default]
    Compact,
    /// The record, one JSON line each
    Json,
    /// Columns
    Table,
}

pub(super) fn run(arguments: &Observe, out: &mut impl Write) -> Result<(), CliError> {
    let client = arguments.target.client()?;
    if arguments.output == Format::Table {
        writeln!(out, "{}", row(&HEADINGS.map(str::to_owned)))?;
    }
    let kind = match arguments.kind {
        None => "",
        Some(Kind::Exchange) => "&kind=exchange",
        Some(Kind::Bypass) => "&kind=bypass",
        Some(Kind::Audit) => "&kind=audit",
        Some(Kind::BudgetThreshold) => "&kind=budget_threshold",
    };
    let path = format!(
        "/v1/records?limit={}&follow={}{kind}",
        arguments.last, arguments.follow
    );
    client.lines(&path, |record| {
        match arguments.output {
            Format::Json => writeln!(out, "{record}")?,
            // The agent says once how many it had to leave out, not once for each.
            _ if record["kind"] == "lost" => {
                writeln!(
                    out,
                    "… {} records not shown: too many at once",
                    thousands(number(record, "/count"))
                )?;
            }
            Format::Compact if record["kind"] == "bypass" => writeln!(out, "{}", compact_bypass(record))?,
            Format::Compact if record["kind"] == "audit" => writeln!(out, "{}", compact_audit(record))?,
            Format::Compact if record["kind"] == "budget_threshold" => {
                writeln!(out, "{}", compact_threshold(record))?;
            }
            Format::Compact => writeln!(out, "{}", compact(record))?,
            Format::Table => writeln!(out, "{}", row(&cells(record)))?,
        }
        if arguments.follow {
            out.flush()?;
        }
        Ok(())
    })
}

const HEADINGS: [&str; 11] = [
    "TIME",
    "PROGRAM",
    "PID",
    "USER",
    "PROVIDER",
    "MODEL",
    "INPUT",
    "OUTPUT",
    "COST",
    "TIME TAKEN",
    "VERDICT",
];
/// Widths of the columns: fixed, because rows come one by one.
const WIDTHS: [usize; 11] = [24, 16, 8, 12, 12, 24, 9, 9, 12, 10, 0];
/// The columns of numbers.
const RIGHT: [usize; 5] = [2, 6, 7, 8, 9];

fn row(cells: &[String; 11]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        if RIGHT.contains(&index) {
            line.push_str(&format!("{cell:>width$}  "));
        } else {
            line.push_str(&format!("{cell:<width$}  "));
        }
    }
    line.trim_end().to_owned()
}

fn cells(record: &Value) -> [String; 11] {
    let workload = &record["workload"];
    if record["kind"] == "bypass" {
        let mut cells = [const { String::new() }; 11];
        cells[0] = text(record, "/time");
        cells[1] = program(workload);
        cells[2] = text(workload, "/pid");
        cells[3] = user(workload);
        cells[4] = destination(record);
        cells[10] = bypass(record);
        return cells;
    }
    if record["kind"] == "audit" {
        let mut cells = [const { String::new() }; 11];
        cells[0] = text(record, "/time");
        cells[1] = program(workload);
        cells[2] = text(record, "/pid");
        cells[3] = text(record, "/uid");
        cells[10] = audit(record);
        return cells;
    }
    if record["kind"] == "budget_threshold" {
        let mut cells = [const { String::new() }; 11];
        cells[0] = text(record, "/time");
        cells[10] = threshold(record);
        return cells;
    }
    [
        text(record, "/time"),
        program(workload),
        text(workload, "/pid"),
        user(workload),
        text(record, "/provider"),
        text(record, "/model"),
        tokens(record, "/usage/input"),
        tokens(record, "/usage/output"),
        cost(record).unwrap_or_else(|| "-".to_owned()),
        duration(number(record, "/duration_us")),
        verdict(record),
    ]
}

fn compact(record: &Value) -> String {
    let workload = &record["workload"];
    format!(
        "{} {}[{}] {} → {} {} {} {}→{} tokens{} {} {}",
        text(record, "/time"),
        program(workload),
        text(workload, "/pid"),
        user(workload),
        text(record, "/provider"),
        text(record, "/operation"),
        text(record, "/model"),
        tokens(record, "/usage/input"),
        tokens(record, "/usage/output"),
        cost(record).map_or_else(String::new, |cost| format!(" {cost}")),
        duration(number(record, "/duration_us")),
        verdict(record),
    )
}

fn compact_bypass(record: &Value) -> String {
    let workload = &record["workload"];
    // Without a process there is at least its cgroup.
    let who = if workload.is_null() {
        text(record, "/placement/cgroup")
    } else {
        format!(
            "{}[{}] {}",
            program(workload),
            text(workload, "/pid"),
            user(workload)
        )
    };
    let (time, to) = (text(record, "/time"), destination(record));
    format!(
        "{time} {who} → {to} {} {}",
        text(record, "/transport"),
        bypass(record)
    )
}

fn compact_audit(record: &Value) -> String {
    let (time, uid) = (text(record, "/time"), text(record, "/uid"));
    let program = program(&record["workload"]);
    format!(
        "{time} {program}[{}] {uid} → {}",
        text(record, "/pid"),
        audit(record)
    )
}

/// What was done to a budget by hand: `override of bots/0/all done`.
fn audit(record: &Value) -> String {
    let mut what = format!(
        "{} of {} {}",
        text(record, "/change"),
        text(record, "/budget"),
        text(record, "/outcome")
    );
    if !record["reason"].is_null() {
        what.push_str(&format!(" ({})", text(record, "/reason")));
    }
    what
}

fn compact_threshold(record: &Value) -> String {
    format!("{} {}", text(record, "/time"), threshold(record))
}

/// The threshold that was passed: `bots/0/all passed 80% of its limit: 815 of 1,000 tokens`.
fn threshold(record: &Value) -> String {
    format!(
        "{} passed {}% of its limit: {} of {} {}",
        text(record, "/key"),
        text(record, "/percent"),
        figure(record, "/settled"),
        figure(record, "/limit"),
        counted(&text(record, "/unit")),
    )
}

/// The server name, else the address.
fn destination(record: &Value) -> String {
    match record["server_name"].as_str() {
        Some(_) => text(record, "/server_name"),
        None => text(record, "/destination"),
    }
}

/// What became of a bypass: `passed unseen (quic), and 3 more`.
fn bypass(record: &Value) -> String {
    let mut what = match record["verdict"].as_str() {
        Some("refused") => format!("refused, not intercepted ({})", text(record, "/reason")),
        _ => format!("passed unseen ({})", text(record, "/reason")),
    };
    let more = number(record, "/unreported");
    if more > 0 {
        what.push_str(&format!(", and {} more", thousands(more)));
    }
    what
}

fn tokens(record: &Value, pointer: &str) -> String {
    record
        .pointer(pointer)
        .and_then(Value::as_u64)
        .map_or_else(|| "-".to_owned(), thousands)
}

/// The money: `0.000194 USD`. `None` where nothing was spent, or the model has no price.
fn cost(record: &Value) -> Option<String> {
    let micro_usd = record["cost_micro_usd"].as_u64()?;
    Some(MicroUsd(micro_usd).to_string())
}

/// The verdict, and why: `cut (budget, billing-bots)`.
fn verdict(record: &Value) -> String {
    let why: Vec<_> = ["reason", "policy", "error"]
        .into_iter()
        .filter(|key| !record[key].is_null())
        .map(|key| text(record, &format!("/{key}")))
        .collect();
    let mut verdict = text(record, "/verdict");
    if !record["observed"].is_null() {
        verdict.push_str(&format!(", would be {}", text(record, "/observed")));
    }
    if why.is_empty() {
        verdict
    } else {
        format!("{verdict} ({})", why.join(", "))
    }
}
