//! `weir budget reset`.

use std::io::Write;

use hyper::Method;

use super::amount::{counted, figure};
use super::confirm::{chosen, confirm};
use crate::cli::client::segment;
use crate::cli::format::text;
use crate::cli::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResetBudget {
    #[command(flatten)]
    target: Target,
    /// The budget's key, or a part of it that fits no other
    #[arg(value_name = "KEY")]
    key: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(arguments: &ResetBudget, out: &mut impl Write) -> Result<(), CliError> {
    let client = arguments.target.client()?;
    let budget = chosen(&client, &arguments.key)?;
    let unit = counted(&text(&budget, "/unit"));
    let question = format!(
        "Forget {} {unit} settled and {} owed of {}?",
        figure(&budget, "/settled"),
        figure(&budget, "/debt"),
        text(&budget, "/key")
    );
    confirm(&question, arguments.yes)?;
    let path = format!(
        "/v1/budgets/{}/reset",
        segment(budget["key"].as_str().unwrap_or_default())
    );
    let answer = client.ask_for(Method::POST, &path, None)?;
    let (budget, before) = (&answer["budget"], &answer["change"]);
    writeln!(
        out,
        "{}: reset, {} {unit} left; {} settled and {} owed are forgotten",
        text(budget, "/key"),
        figure(budget, "/left"),
        figure(before, "/before/settled"),
        figure(before, "/before/debt")
    )?;
    Ok(())
}
