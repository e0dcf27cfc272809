//! `weir budget set`.

use std::io::Write;

use hyper::Method;
use serde_json::{Value, json};

use super::amount::{Amount, counted, figure};
use super::confirm::{chosen, confirm};
use crate::cli::client::segment;
use crate::cli::format::text;
use crate::cli::{CliError, Target};
use crate::event::native::rfc3339;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["limit", "clear"]))]
pub(in crate::cli) struct SetBudget {
    #[command(flatten)]
    target: Target,
    /// The budget's key, or a part of it that fits no other
    #[arg(value_name = "KEY")]
    key: String,
    /// The limit meanwhile, in the budget's unit: `300k tokens`, `12.50 USD`, `20 requests`, `5 concurrent`
    #[arg(long, value_name = "AMOUNT")]
    limit: Option<Amount>,
    /// How long: `30m`, `2h`, `7d`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_ms, conflicts_with_all = ["until", "clear"])]
    length_ms: Option<u64>,
    /// Until when: `2026-12-01T00:00:00Z`
    #[arg(long, value_name = "TIME", conflicts_with = "clear")]
    until: Option<jiff::Timestamp>,
    /// Put the limit of the configuration back into force at once
    #[arg(long)]
    clear: bool,
    /// Do not ask when KEY is only a part of the budget's key
    #[arg(short, long)]
    yes: bool,
}

fn duration_ms(text: &str) -> Result<u64, String> {
    match crate::config::duration_ms(text) {
        Ok(0) => Err("the override would end at once; write for example `2h`".to_owned()),
        read => read.map_err(|error| error.to_string()),
    }
}

pub(super) fn run(arguments: &SetBudget, out: &mut impl Write) -> Result<(), CliError> {
    let end = match (&arguments.limit, arguments.length_ms, arguments.until) {
        (None, ..) => None,
        (Some(_), Some(length_ms), _) => Some(rfc3339(now_ms().saturating_add(length_ms))),
        (Some(_), None, Some(until)) => Some(until.to_string()),
        (Some(_), None, None) => return Err(CliError::NoEnd),
    };
    let client = arguments.target.client()?;
    let budget = chosen(&client, &arguments.key)?;
    let key = text(&budget, "/key");
    if key != arguments.key {
        confirm(&format!("Change the limit of {key}?"), arguments.yes)?;
    }
    let path = format!(
        "/v1/budgets/{}/override",
        segment(budget["key"].as_str().unwrap_or_default())
    );
    let answer = match (&arguments.limit, end) {
        (Some(limit), Some(until)) => {
            let wanted = json!({"limit": limit.figure, "unit": limit.unit.name(), "until": until});
            client.ask_for(Method::PUT, &path, Some(&wanted))?
        }
        _ => client.ask_for(Method::DELETE, &path, None)?,
    };
    write(out, &answer["budget"])
}

fn write(out: &mut impl Write, budget: &Value) -> Result<(), CliError> {
    let until = match budget["override_until"].as_str() {
        Some(_) => format!(
            " until {}, then {} again",
            text(budget, "/override_until"),
            figure(budget, "/defined_limit")
        ),
        None => ", as configured".to_owned(),
    };
    writeln!(
        out,
        "{}: limit {} {}{until}; {} left",
        text(budget, "/key"),
        figure(budget, "/limit"),
        counted(&text(budget, "/unit")),
        figure(budget, "/left")
    )?;
    Ok(())
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}
