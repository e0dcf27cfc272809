//! `weir workloads`.

use std::io::Write;

use super::format::{list, number, place, program, text, thousands, time, user};
use super::table::{self, left, right, wide};
use super::{CliError, List};

pub(super) fn run(arguments: &List, out: &mut impl Write) -> Result<(), CliError> {
    let answer = arguments.target.client()?.get("/v1/workloads")?;
    let columns = [
        left("PROGRAM", program),
        left("USER", user),
        right("PID", |row| text(row, "/last_pid")),
        right("EXCHANGES", |row| thousands(number(row, "/exchanges"))),
        right("DENIED", |row| thousands(number(row, "/denied"))),
        right("CUT", |row| thousands(number(row, "/cut"))),
        right("REDACTED", |row| thousands(number(row, "/redacted"))),
        right("INPUT", |row| thousands(number(row, "/input"))),
        right("OUTPUT", |row| thousands(number(row, "/output"))),
        left("LAST SEEN", |row| time(number(row, "/last_seen_ms"))),
        left("WHERE", |row| place(row, "/namespace", "/pod")),
        wide("SERVICE ACCOUNT", |row| text(row, "/service_account")),
        wide("CONTAINER", |row| match row["container_name"].is_null() {
            true => text(row, "/container"),
            false => text(row, "/container_name"),
        }),
        wide("UNIT", |row| text(row, "/unit")),
        wide("SPIFFE ID", |row| text(row, "/spiffe")),
        wide("CGROUP", |row| text(row, "/cgroup")),
    ];
    let records = list(&answer, "workloads");
    table::write(out, arguments.output, &answer, records, &columns, |row| {
        format!("{} {} {}", text(row, "/exe"), user(row), text(row, "/cgroup"))
    })
}
