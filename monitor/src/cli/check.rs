//! `weir check`.

use std::io::Write;
use std::path::PathBuf;

use super::CliError;
use crate::config::{Config, DEFAULT_CONFIG};

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(super) config: PathBuf,
}

pub(super) fn run(arguments: &Check, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load(&arguments.config)?;
    let count = |number: usize, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    writeln!(
        out,
        "{}: valid: {}, {}, {}",
        arguments.config.display(),
        count(config.policies.len(), "policy", "policies"),
        count(config.intercept.endpoints.len(), "endpoint", "endpoints"),
        count(config.events.sinks.len(), "sink", "sinks"),
    )?;
    Ok(())
}
