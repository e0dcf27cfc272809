//! `weir run`.

use std::io::IsTerminal;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::CliError;
use crate::agent;
use crate::config::{Config, DEFAULT_CONFIG};

/// The variable that sets what is logged, in `tracing_subscriber`'s filter syntax; `info` without it.
const LOG_VARIABLE: &str = "WEIR_LOG";

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

pub(super) fn run(arguments: &Run) -> Result<(), CliError> {
    let config = Config::load(&arguments.config)?;
    let filter = EnvFilter::builder()
        .with_env_var(LOG_VARIABLE)
        .with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter.from_env_lossy())
        .init();
    agent::run(config, arguments.config.clone())?;
    Ok(())
}
