//! The command line. One file per subcommand; each writes to a given writer, so that it can be tested.

mod budget;
mod check;
mod client;
mod connections;
mod detach;
mod error;
mod format;
mod inspect;
mod observe;
mod policy;
mod run;
mod status;
mod table;
mod target;
mod usage;
mod workloads;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::error::{CliError, Exit};
use self::format::ListFormat;
use self::target::Target;

/// Arguments of `weir`.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about = "Host-level monitor of LLM traffic", after_help = error::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent
    Run(run::Run),
    /// Make the agent's self-test connection; the agent itself starts this
    #[command(name = crate::selftest::SUBCOMMAND, hide = true)]
    SelfTestConnect,
    /// Validate a configuration and say what is wrong in it, with line and column
    Check(check::Check),
    /// Remove the programs that stay when the agent has ended: nothing is intercepted or refused any more
    Detach(detach::Detach),
    /// Show whether the agent works, and what keeps it from it
    Status(status::Status),
    /// List the workloads that were seen
    Workloads(List),
    /// List open connections and the last closed ones
    Connections(connections::Connections),
    /// Show tokens spent: in the last 24 hours, or at any time that the node keeps
    Usage(usage::Usage),
    /// Show budgets and what is left of them; alone, as `list`
    Budget(budget::Budget),
    /// Find personal data, secrets and prompt injections in texts: JSON lines in, JSON lines out
    Inspect(inspect::Inspect),
    /// Try content rules on cases of your own, or print a policy to start from
    Policy(policy::Policy),
    /// Show exchanges: the last ones, and with -f every new one
    Observe(observe::Observe),
}

/// Arguments of a command that lists.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: ListFormat,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let result = run(&arguments.command, &mut out).and_then(|()| out.flush().map_err(CliError::Output));
    match result {
        Ok(()) => Exit::Success.into(),
        // Whoever read our output has seen enough, as in `weir observe | head`.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success.into(),
        Err(error) => {
            // Nothing can be said where standard error is closed; the exit code still tells.
            let _closed = match &error {
                // Each line begins with `file:line:column:`, which editors and CI look for.
                CliError::Config(_) => writeln!(io::stderr(), "{error}"),
                _ => writeln!(io::stderr(), "weir: {error}"),
            };
            error.exit().into()
        }
    }
}

fn run(command: &Command, out: &mut impl Write) -> Result<(), CliError> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::SelfTestConnect => crate::selftest::connect().map_err(CliError::SelfTest),
        Command::Check(arguments) => check::run(arguments, out),
        Command::Detach(arguments) => detach::run(arguments, out),
        Command::Status(arguments) => status::run(arguments, out),
        Command::Workloads(arguments) => workloads::run(arguments, out),
        Command::Connections(arguments) => connections::run(arguments, out),
        Command::Usage(arguments) => usage::run(arguments, out),
        Command::Budget(arguments) => budget::run(arguments, out),
        Command::Inspect(arguments) => inspect::run(arguments, out),
        Command::Policy(arguments) => policy::run(arguments, out),
        Command::Observe(arguments) => observe::run(arguments, out),
    }
}

#[cfg(test)]
mod tests;
