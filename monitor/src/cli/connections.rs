//! `weir connections`.

use std::io::Write;

use serde_json::Value;

use super::format::{ListFormat, list, number, place, program, text, thousands, user};
use super::table::{self, left, right, wide};
use super::{CliError, Target};
use crate::api::DEFAULT_LIMIT;

#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    #[command(flatten)]
    pub(super) target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: ListFormat,
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
    pub(super) last: usize,
}

pub(super) fn run(arguments: &Connections, out: &mut impl Write) -> Result<(), CliError> {
    let answer = arguments
        .target
        .client()?
        .get(&format!("/v1/connections?limit={}", arguments.last))?;
    let columns = [
        left("OPENED", |row| text(row, "/time")),
        left("STATE", |row| {
            if row["closed"].is_null() {
                "open".into()
            } else {
                "closed".into()
            }
        }),
        left("PROGRAM", |row| program(&row["workload"])),
        left("USER", |row| user(&row["workload"])),
        right("PID", |row| text(row, "/workload/pid")),
        left("WHERE", |row| match &row["workload"] {
            Value::Null => text(&Value::Null, ""),
            workload => place(workload, "/pod/namespace", "/pod/name"),
        }),
        left("ATTRIBUTION", |row| text(row, "/attribution")),
        left("DESTINATION", destination),
        left("OUTCOME", |row| text(row, "/outcome")),
        left("ALPN", |row| text(row, "/alpn")),
        right("UP", |row| thousands(number(row, "/bytes_up"))),
        right("DOWN", |row| thousands(number(row, "/bytes_down"))),
        right("EXCHANGES", |row| thousands(number(row, "/exchanges"))),
        wide("SERVICE ACCOUNT", |row| {
            text(row, "/workload/pod/service_account")
        }),
        wide("CONTAINER", |row| {
            match row["workload"]["container"]["name"].is_null() {
                true => text(row, "/workload/container/id"),
                false => text(row, "/workload/container/name"),
            }
        }),
        wide("UNIT", |row| text(row, "/workload/unit")),
        wide("SPIFFE ID", |row| text(row, "/workload/spiffe/id")),
        wide("CGROUP", |row| text(row, "/workload/cgroup")),
    ];
    let records = list(&answer, "connections");
    table::write(out, arguments.output, &answer, records, &columns, |row| {
        text(row, "/client")
    })
}

/// The server name with the port, else the address.
fn destination(row: &Value) -> String {
    let address = text(row, "/original_destination");
    match row["server_name"].as_str() {
        Some(_) => {
            let port = address.rsplit_once(':').map_or("?", |(_, port)| port);
            format!("{}:{port}", text(row, "/server_name"))
        }
        None => address,
    }
}
