//! `weir detach`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::CliError;
use crate::config::{Config, DEFAULT_CONFIG};
use crate::kernel;

#[derive(Debug, clap::Args)]
pub(super) struct Detach {
    /// The agent's configuration, which names node.pin_dir
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Also while an agent runs: it intercepts nothing any more
    #[arg(long)]
    force: bool,
}

/// Removes the programs of every version, so that nothing is intercepted or refused any more.
pub(super) fn run(arguments: &Detach, out: &mut impl Write) -> Result<(), CliError> {
    let node = Config::load(&arguments.config)?.node;
    if !arguments.force && (kernel::is_agent_alive(&node.pin_dir)? || is_locked(&node.socket())) {
        return Err(CliError::AgentAlive {
            pin_dir: node.pin_dir,
        });
    }
    let removed = kernel::remove_pins(&node.pin_dir)?;
    if removed.is_empty() {
        writeln!(out, "nothing is pinned in {}", node.pin_dir.display())?;
    }
    for version in removed {
        writeln!(out, "removed {}", version.display())?;
    }
    Ok(())
}

/// Whether an agent of any version holds the lock beside its local API's socket.
fn is_locked(socket: &Path) -> bool {
    File::open(socket.with_extension("lock"))
        .is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}
