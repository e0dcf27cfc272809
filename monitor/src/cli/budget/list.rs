//! `weir budget list`.

use std::io::Write;

use serde_json::Value;

use super::amount::{counted, figure, window};
use crate::cli::client::segment;
use crate::cli::format::{ListFormat, list, number, text, thousands};
use crate::cli::table::{self, left, right, wide, wide_right};
use crate::cli::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListBudgets {
    #[command(flatten)]
    target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: ListFormat,
    /// Only budgets of policies whose name matches; `*` and `?` stand for others
    #[arg(long, value_name = "GLOB")]
    policy: Option<String>,
    /// Only budgets of a namespace or of a service account of it whose name matches
    #[arg(long, value_name = "GLOB")]
    namespace: Option<String>,
    /// Only budgets of whose limit at least this share is settled, reserved or owed
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    over: Option<u64>,
}

/// Reads `80%` or `80`.
fn percent(text: &str) -> Result<u64, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    digits
        .parse()
        .map_err(|_| format!("`{text}` is no share; write for example `80%`"))
}

pub(super) fn run(arguments: &ListBudgets, out: &mut impl Write) -> Result<(), CliError> {
    let chosen = [
        ("policy", arguments.policy.clone()),
        ("namespace", arguments.namespace.clone()),
        ("over", arguments.over.map(|percent| percent.to_string())),
    ];
    let chosen: Vec<_> = chosen
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", segment(&value?))))
        .collect();
    let answer = arguments
        .target
        .client()?
        .get(&format!("/v1/budgets?{}", chosen.join("&")))?;
    let columns = [
        left("BUDGET", |row| text(row, "/key")),
        left("UNIT", |row| counted(&text(row, "/unit"))),
        right("WINDOW", |row| window(row, "/window")),
        right("LIMIT", limit),
        right("SETTLED", |row| figure(row, "/settled")),
        right("RESERVED", |row| figure(row, "/reserved")),
        right("DEBT", |row| figure(row, "/debt")),
        right("LEFT", |row| figure(row, "/left")),
        right("USED", |row| format!("{}%", number(row, "/used_percent"))),
        left("RESETS AT", |row| text(row, "/resets_at")),
        wide_right("PEAK", |row| figure(row, "/peak_outstanding")),
        wide_right("OPEN", |row| thousands(number(row, "/open_reservations"))),
        wide("NEXT FREE", |row| text(row, "/next_free")),
        wide("OWNER", |row| text(row, "/owner")),
        wide("OVERRIDE UNTIL", |row| text(row, "/override_until")),
    ];
    let records = list(&answer, "budgets");
    table::write(out, arguments.output, &answer, records, &columns, |row| {
        text(row, "/key")
    })?;
    let overridden = records.iter().any(|row| !row["override_until"].is_null());
    if overridden && matches!(arguments.output, ListFormat::Table | ListFormat::Wide) {
        writeln!(out, "* not the configured limit: see `weir budget history`")?;
    }
    Ok(())
}

/// The limit in force, with a star while it is an override.
fn limit(row: &Value) -> String {
    let star = if row["override_until"].is_null() { "" } else { "*" };
    format!("{}{star}", figure(row, "/limit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(percent("80%"), Ok(80));
        assert_eq!(percent("250"), Ok(250));
        for wrong in ["", "%", "most", "-1%", "0.5"] {
            assert!(percent(wrong).unwrap_err().contains("80%"), "{wrong}");
        }
    }
}
