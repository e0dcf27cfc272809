//! `weir usage`.

use std::io::Write;

use monitor_budget::MicroUsd;
use serde_json::Value;

use super::client::query;
use super::format::{ListFormat, list, number, program, text, thousands, user};
use super::table::{self, Column, left, right, wide, wide_right};
use super::{CliError, Target};
use crate::history::Moment;

#[derive(Debug, clap::Args)]
pub(super) struct Usage {
    #[command(flatten)]
    pub(super) target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: ListFormat,
    /// What to split by
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["workload", "provider", "model"])]
    pub(super) by: Vec<By>,
    /// From when on: how long ago (90m, 24h, 30d), a day (2026-11-01) or a time (2026-11-01T09:30:00Z), UTC
    #[arg(long, value_name = "MOMENT", default_value = "24h")]
    since: Moment,
    /// Until when; otherwise until now
    #[arg(long, value_name = "MOMENT")]
    until: Option<Moment>,
    /// One row for each minute, hour or day (of UTC) with usage
    #[arg(long, value_enum)]
    step: Option<Step>,
    #[command(flatten)]
    only: Only,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// Show this many combinations only
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// What is counted: patterns with `*` and `?`.
#[derive(Debug, clap::Args)]
struct Only {
    /// Only workloads whose executable or cgroup matches
    #[arg(long, value_name = "GLOB")]
    workload: Option<String>,
    /// Only namespaces that match
    #[arg(long, value_name = "GLOB")]
    namespace: Option<String>,
    /// Only service accounts that match
    #[arg(long, value_name = "GLOB")]
    service_account: Option<String>,
    /// Only pods that match
    #[arg(long, value_name = "GLOB")]
    pod: Option<String>,
    /// Only systemd units that match
    #[arg(long, value_name = "GLOB")]
    unit: Option<String>,
    /// Only users that match
    #[arg(long, value_name = "GLOB")]
    user: Option<String>,
    /// Only providers that match
    #[arg(long, value_name = "GLOB")]
    provider: Option<String>,
    /// Only models that match
    #[arg(long, value_name = "GLOB")]
    model: Option<String>,
    /// Only operations that match
    #[arg(long, value_name = "GLOB")]
    operation: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum By {
    Workload,
    Namespace,
    ServiceAccount,
    Pod,
    Unit,
    User,
    Provider,
    Model,
    Operation,
    Minute,
    Hour,
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    Minute,
    Hour,
    Day,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// Most prompt and completion tokens
    #[default]
    Tokens,
    /// Most exchanges
    Exchanges,
    /// Most money
    Cost,
}

fn name_of(value: &impl clap::ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

pub(super) fn run(arguments: &Usage, out: &mut impl Write) -> Result<(), CliError> {
    let by: Vec<_> = arguments.by.iter().map(name_of).collect();
    let only = &arguments.only;
    let path = query(
        "/v1/usage",
        &[
            ("by", Some(by.join(","))),
            ("since", Some(arguments.since.to_string())),
            ("until", arguments.until.map(|until| until.to_string())),
            ("step", arguments.step.as_ref().map(name_of)),
            ("sort", Some(name_of(&arguments.sort))),
            ("limit", arguments.limit.map(|limit| limit.to_string())),
            ("workload", only.workload.clone()),
            ("namespace", only.namespace.clone()),
            ("service_account", only.service_account.clone()),
            ("pod", only.pod.clone()),
            ("unit", only.unit.clone()),
            ("user", only.user.clone()),
            ("provider", only.provider.clone()),
            ("model", only.model.clone()),
            ("operation", only.operation.clone()),
        ],
    );
    let answer = arguments.target.client()?.get(&path)?;
    table::write(
        out,
        arguments.output,
        &answer,
        list(&answer, "usage"),
        &columns(&answer),
        name,
    )?;
    if matches!(arguments.output, ListFormat::Table | ListFormat::Wide) {
        notes(out, &answer)?;
    }
    Ok(())
}

fn columns(answer: &Value) -> Vec<Column> {
    let mut columns = Vec::new();
    if !answer["step"].is_null() {
        columns.push(left("TIME", |row| text(row, "/time").replace(".000Z", "Z")));
    }
    for by in list(answer, "by").iter().filter_map(Value::as_str) {
        match by {
            "workload" => columns.extend([
                left("PROGRAM", |row| program(&row["workload"])),
                left("UID", |row| text(row, "/workload/uid")),
                left("CGROUP", |row| text(row, "/workload/cgroup")),
                wide("CONTAINER", |row| text(row, "/workload/container")),
            ]),
            "namespace" => columns.push(left("NAMESPACE", |row| text(row, "/namespace"))),
            "service_account" => columns.push(left("SERVICE ACCOUNT", |row| text(row, "/service_account"))),
            "pod" => columns.push(left("POD", |row| text(row, "/pod"))),
            "unit" => columns.push(left("UNIT", |row| text(row, "/unit"))),
            "user" => columns.push(left("USER", |row| text(row, "/user"))),
            "provider" => columns.push(left("PROVIDER", |row| text(row, "/provider"))),
            "model" => columns.push(left("MODEL", |row| text(row, "/model"))),
            "operation" => columns.push(left("OPERATION", |row| text(row, "/operation"))),
            _ => {}
        }
    }
    columns.extend([
        right("EXCHANGES", |row| thousands(number(row, "/exchanges"))),
        wide_right("DENIED", |row| thousands(number(row, "/denied"))),
        wide_right("CUT", |row| thousands(number(row, "/cut"))),
        wide_right("REDACTED", |row| thousands(number(row, "/redacted"))),
        wide_right("ESTIMATED", |row| {
            thousands(number(row, "/estimated").saturating_add(number(row, "/under_estimate")))
        }),
        right("INPUT", |row| thousands(number(row, "/input"))),
        right("CACHE READ", |row| thousands(number(row, "/cache_read"))),
        right("CACHE WRITE", |row| thousands(number(row, "/cache_write"))),
        right("OUTPUT", |row| thousands(number(row, "/output"))),
        right("REASONING", |row| thousands(number(row, "/reasoning"))),
        right("COST", |row| MicroUsd(number(row, "/micro_usd")).to_string()),
    ]);
    columns
}

/// What a table does not say by itself.
fn notes(out: &mut impl Write, answer: &Value) -> Result<(), CliError> {
    let left_out = number(answer, "/left_out");
    if left_out > 0 {
        writeln!(out, "{} more are not shown", thousands(left_out))?;
    }
    if answer["complete"] == false {
        writeln!(
            out,
            "note: of this time, some has been deleted (`usage` in the configuration)"
        )?;
    }
    if !answer["note"].is_null() {
        writeln!(out, "note: {}", text(answer, "/note"))?;
    }
    Ok(())
}

/// The parts that the total was split by.
fn name(row: &Value) -> String {
    let mut parts = Vec::new();
    for key in [
        "time",
        "workload",
        "namespace",
        "service_account",
        "pod",
        "unit",
        "user",
        "provider",
        "model",
        "operation",
    ] {
        let value = &row[key];
        if value.is_object() {
            parts.push(format!(
                "{} {} {}",
                text(value, "/exe"),
                user(value),
                text(value, "/cgroup")
            ));
        } else if !value.is_null() {
            parts.push(text(row, &format!("/{key}")));
        }
    }
    parts.join(" ")
}
