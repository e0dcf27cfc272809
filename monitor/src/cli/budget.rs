//! `weir budget`.

use std::io::Write;

use serde_json::Value;

use super::format::{list, number, text, thousands, window};
use super::table::{self, left, right};
use super::{CliError, List};

pub(super) fn run(arguments: &List, out: &mut impl Write) -> Result<(), CliError> {
    let answer = arguments.target.client()?.get("/v1/budgets")?;
    let columns = [
        left("BUDGET", |row| text(row, "/key")),
        left("UNIT", |row| text(row, "/unit")),
        right("WINDOW", |row| window(&text(row, "/window"))),
        right("LIMIT", |row| thousands(number(row, "/limit"))),
        right("SETTLED", |row| thousands(number(row, "/settled"))),
        right("RESERVED", |row| thousands(number(row, "/reserved"))),
        right("DEBT", |row| thousands(number(row, "/debt"))),
        right("LEFT", |row| thousands(remaining(row))),
        left("RESETS AT", |row| text(row, "/resets_at")),
    ];
    let records = list(&answer, "budgets");
    table::write(out, arguments.output, &answer, records, &columns, |row| {
        text(row, "/key")
    })
}

/// What a request could still reserve: nothing while there is debt.
fn remaining(row: &Value) -> u64 {
    let taken = ["/settled", "/reserved", "/debt"].map(|field| number(row, field));
    taken
        .iter()
        .fold(number(row, "/limit"), |left, taken| left.saturating_sub(*taken))
}
