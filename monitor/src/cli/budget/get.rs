//! `weir budget get`.

use std::io::Write;

use serde_json::Value;

use super::amount::{counted, figure, window};
use crate::cli::client::segment;
use crate::cli::format::{clean, number, text, thousands};
use crate::cli::table::{self, DocumentFormat};
use crate::cli::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct GetBudget {
    #[command(flatten)]
    target: Target,
    /// The budget's key, or a part of it that fits no other
    #[arg(value_name = "KEY")]
    key: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

pub(super) fn run(arguments: &GetBudget, out: &mut impl Write) -> Result<(), CliError> {
    let path = format!("/v1/budgets/{}", segment(&arguments.key));
    let answer = arguments.target.client()?.get(&path)?;
    table::write_document(out, arguments.output, &answer, |out| write(out, &answer))
}

fn write(out: &mut impl Write, budget: &Value) -> Result<(), CliError> {
    let mut lines = vec![
        ("budget", text(budget, "/key")),
        ("unit", counted(&text(budget, "/unit"))),
        ("window", window(budget, "/window")),
        ("limit", figure(budget, "/limit")),
        ("settled", figure(budget, "/settled")),
        ("reserved", figure(budget, "/reserved")),
        ("debt", figure(budget, "/debt")),
        ("left", figure(budget, "/left")),
        ("used", format!("{}%", number(budget, "/used_percent"))),
        (
            "open reservations",
            thousands(number(budget, "/open_reservations")),
        ),
        ("peak", figure(budget, "/peak_outstanding")),
        ("next free", text(budget, "/next_free")),
        ("resets at", text(budget, "/resets_at")),
    ];
    if budget["override_until"].is_string() {
        let until = format!(
            "until {}, then {} again",
            text(budget, "/override_until"),
            figure(budget, "/defined_limit")
        );
        lines.insert(4, ("override", until));
    }
    if budget["opened"] == false {
        lines.push(("state", "not used yet, or nothing is left in it".to_owned()));
    }
    match &budget["definition"] {
        Value::Null => lines.push(("definition", "none: no policy asks for it any more".to_owned())),
        definition => lines.push(("definition", defined(budget, definition))),
    }
    for (name, value) in lines {
        writeln!(out, "{name:<18}{value}")?;
    }
    Ok(())
}

/// `1,000 tokens in 1h, alerts at 50% 80%, of this node, by policy billing-bots`.
fn defined(budget: &Value, definition: &Value) -> String {
    let unit = text(definition, "/unit");
    let mut words = format!(
        "{} {} in {}",
        figure(definition, "/limit"),
        counted(&unit),
        window(definition, "/window")
    );
    let alerts: Vec<_> = definition["alert_at_percent"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|percent| format!("{percent}%"))
        .collect();
    if !alerts.is_empty() {
        words.push_str(&format!(", alerts at {}", alerts.join(" ")));
    }
    let scope = text(definition, "/scope");
    words.push_str(&format!(
        ", of the {}, by policy {}",
        clean(&scope),
        text(budget, "/policy")
    ));
    words
}
