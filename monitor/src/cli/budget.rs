//! `weir budget`: one file per subcommand.

pub(super) mod amount;
mod confirm;
mod get;
mod history;
mod list;
mod reset;
mod set;

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
    /// Put another limit into force for a time, or the configured one back
    Set(set::SetBudget),
    /// Forget what is settled and owed; what is reserved stays reserved
    Reset(reset::ResetBudget),
    /// Show who changed which budget, the latest first
    History(history::BudgetHistory),
}

pub(super) fn run(arguments: &Budget, out: &mut impl Write) -> Result<(), CliError> {
    match &arguments.command {
        None => list::run(&arguments.list, out),
        Some(Command::List(arguments)) => list::run(arguments, out),
        Some(Command::Get(arguments)) => get::run(arguments, out),
        Some(Command::Set(arguments)) => set::run(arguments, out),
        Some(Command::Reset(arguments)) => reset::run(arguments, out),
        Some(Command::History(arguments)) => history::run(arguments, out),
    }
}
