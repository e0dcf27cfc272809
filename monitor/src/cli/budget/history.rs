//! `weir budget history`.

use std::io::Write;

use serde_json::Value;

use super::amount::{amount, counted};
use super::confirm::chosen;
use crate::cli::client::segment;
use crate::cli::format::{ListFormat, list, number, text};
use crate::cli::table::{self, left, wide_right};
use crate::cli::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BudgetHistory {
    #[command(flatten)]
    target: Target,
    /// Only of this budget: its key, or a part of it that fits no other
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Only changes since then: how long ago (`90m`, `24h`, `7d`), or a time (`2026-11-01T09:30:00Z`)
    #[arg(long, value_name = "MOMENT", value_parser = moment_ms)]
    since: Option<u64>,
    /// How many changes to show at most, the latest first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = crate::api::DEFAULT_LIMIT)]
    limit: usize,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: ListFormat,
}

/// Unix milliseconds of a time, or of so long ago.
fn moment_ms(text: &str) -> Result<u64, String> {
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    if let Ok(length_ms) = crate::config::duration_ms(text) {
        return Ok(now_ms.saturating_sub(length_ms));
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.ok()
        .and_then(|time| u64::try_from(time.as_millisecond()).ok())
        .ok_or_else(|| format!("`{text}` is no moment; write for example `24h` or `2026-11-01T09:30:00Z`"))
}

pub(super) fn run(arguments: &BudgetHistory, out: &mut impl Write) -> Result<(), CliError> {
    let client = arguments.target.client()?;
    let mut path = format!("/v1/budgets/history?limit={}", arguments.limit);
    if let Some(since_ms) = arguments.since {
        path.push_str(&format!("&since_ms={since_ms}"));
    }
    if let Some(part) = &arguments.key {
        // Changes of a budget that is gone are found by its whole key.
        let key = match chosen(&client, part) {
            Ok(budget) => budget["key"].as_str().unwrap_or(part).to_owned(),
            Err(CliError::Refused { status: 404, .. }) => part.clone(),
            Err(error) => return Err(error),
        };
        path.push_str(&format!("&key={}", segment(&key)));
    }
    let answer = client.get(&path)?;
    let columns = [
        left("TIME", |row| text(row, "/time")),
        left("BUDGET", |row| text(row, "/key")),
        left("CHANGE", |row| text(row, "/change").replace('_', " ")),
        left("BEFORE", |row| figures(row, "/before")),
        left("AFTER", |row| figures(row, "/after")),
        left("BY", |row| text(row, "/by")),
        wide_right("NUMBER", |row| text(row, "/number")),
    ];
    let records = list(&answer, "history");
    table::write(out, arguments.output, &answer, records, &columns, |row| {
        text(row, "/number")
    })
}

/// What a change of this kind has touched: the limit and its end, or what was settled and owed.
fn figures(row: &Value, side: &str) -> String {
    let unit = text(row, "/unit");
    let figure = |name: &str| amount(&unit, number(row, &format!("{side}/{name}")));
    if row["change"] == "reset" {
        return format!("{} settled, {} owed", figure("settled"), figure("debt"));
    }
    match row
        .pointer(&format!("{side}/override_until"))
        .and_then(Value::as_str)
    {
        Some(_) => format!(
            "{} {} until {}",
            figure("limit"),
            counted(&unit),
            text(row, &format!("{side}/override_until"))
        ),
        None => format!("{} {}", figure("limit"), counted(&unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(moment_ms("1970-01-01T00:00:01Z"), Ok(1_000));
        let hour_ago = moment_ms("1h").unwrap();
        assert!(moment_ms("2h").unwrap() < hour_ago && hour_ago < moment_ms("0s").unwrap());
        for wrong in ["", "yesterday", "-5h", "1900-01-01T00:00:00Z"] {
            assert!(moment_ms(wrong).unwrap_err().contains("24h"), "{wrong}");
        }
    }
}
