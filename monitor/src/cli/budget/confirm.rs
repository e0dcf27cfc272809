//! The budget that a change is about, and whether it is meant.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::cli::CliError;
use crate::cli::client::{Client, segment};

/// The budget of a key, or of a part of one.
pub(super) fn chosen(client: &Client, key: &str) -> Result<Value, CliError> {
    client.get(&format!("/v1/budgets/{}", segment(key)))
}

/// Asks on the terminal, unless the answer was given before. Without a terminal nobody can say yes.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    let refused = || CliError::NotConfirmed(question.to_owned());
    if !io::stdin().is_terminal() {
        return Err(refused());
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}
