//! Where the lab's agents pin their programs: a directory for each on the machine's bpf file system, gone with the lab.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the agents mount a bpf file system if there is none.
const MOUNT: &str = "/sys/fs/bpf";

/// The directory of the agent whose files are in `agent`.
pub(super) fn dir(slot: &str, agent: &Path) -> PathBuf {
    // A bpf file system allows no dots in names.
    let name = agent
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('.', "-");
    Path::new(MOUNT).join(format!("{slot}-{name}"))
}

/// Removes what the agents of a slot have pinned: their programs are detached.
pub(super) fn remove_all(slot: &str) -> Result<()> {
    let Ok(entries) = fs::read_dir(MOUNT) else {
        return Ok(());
    };
    let prefix = format!("{slot}-");
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let path = entry.path();
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
