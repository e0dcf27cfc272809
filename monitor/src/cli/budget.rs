//! `weir budget`: one file per subcommand.

mod amount;
mod get;
mod list;

use std::io::Write;

use super::CliError;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Budget {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: list::ListBudgets,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List budgets and what is left of them
    List(list::ListBudgets),
    /// Show one budget in full
    Get(get::GetBudget),
}

pub(super) fn run(arguments: &Budget, out: &mut impl Write) -> Result<(), CliError> {
    match &arguments.command {
        None => list::run(&arguments.list, out),
        Some(Command::List(arguments)) => list::run(arguments, out),
        Some(Command::Get(arguments)) => get::run(arguments, out),
    }
}
