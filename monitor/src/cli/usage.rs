//! `weir usage`.

use std::io::Write;

use serde_json::Value;

use super::format::{ListFormat, list, number, program, text, thousands, user};
use super::table::{self, left, right, wide};
use super::{CliError, Target};

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    Workload,
    Provider,
    Model,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Provider => "provider",
            Self::Model => "model",
        }
    }
}

pub(super) fn run(arguments: &Usage, out: &mut impl Write) -> Result<(), CliError> {
    let by: Vec<_> = arguments.by.iter().map(|by| by.name()).collect();
    let answer = arguments
        .target
        .client()?
        .get(&format!("/v1/usage?by={}", by.join(",")))?;
    let mut columns = Vec::new();
    if arguments.by.contains(&By::Workload) {
        columns.push(left("PROGRAM", |row| program(&row["workload"])));
        columns.push(left("UID", |row| text(row, "/workload/uid")));
        columns.push(left("CGROUP", |row| text(row, "/workload/cgroup")));
        columns.push(wide("CONTAINER", |row| text(row, "/workload/container")));
    }
    if arguments.by.contains(&By::Provider) {
        columns.push(left("PROVIDER", |row| text(row, "/provider")));
    }
    if arguments.by.contains(&By::Model) {
        columns.push(left("MODEL", |row| text(row, "/model")));
    }
    columns.extend([
        right("EXCHANGES", |row| thousands(number(row, "/exchanges"))),
        right("INPUT", |row| thousands(number(row, "/input"))),
        right("CACHE READ", |row| thousands(number(row, "/cache_read"))),
        right("CACHE WRITE", |row| thousands(number(row, "/cache_write"))),
        right("OUTPUT", |row| thousands(number(row, "/output"))),
        right("REASONING", |row| thousands(number(row, "/reasoning"))),
    ]);
    table::write(
        out,
        arguments.output,
        &answer,
        list(&answer, "usage"),
        &columns,
        name,
    )
}

/// The parts that the total was split by.
fn name(row: &Value) -> String {
    let workload = &row["workload"];
    let mut parts = Vec::new();
    if workload.is_object() {
        parts.push(format!(
            "{} {} {}",
            text(workload, "/exe"),
            user(workload),
            text(workload, "/cgroup")
        ));
    }
    parts.extend(
        ["provider", "model"]
            .into_iter()
            .filter(|key| !row[key].is_null())
            .map(|key| text(row, &format!("/{key}"))),
    );
    parts.join(" ")
}
