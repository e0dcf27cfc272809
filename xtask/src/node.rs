//! The Node modules of the end-to-end clients: the SDKs at pinned versions, each held to the hash of its lock file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::packages;
use crate::paths::Paths;
use crate::step::{Failure, capture, say};

/// What npm reads.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs the modules if they are missing or out of date, and returns their directory.
pub(crate) fn ready(paths: &Paths) -> Result<PathBuf, Failure> {
    packages::for_node()?;
    let clients = paths.root.join("tests/clients/node");
    let directory = paths.target.join("clients-node");
    let modules = directory.join("node_modules");
    let lock = fs::read_to_string(clients.join("package-lock.json")).map_err(|error| {
        Failure::new(format!(
            "cannot read the lock file of {}: {error}",
            clients.display()
        ))
    })?;
    // The lock file itself is the stamp: written last, so that a half-made directory never counts.
    let stamp = directory.join("installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(modules);
    }
    say("installing the Node modules of the end-to-end clients");
    let failure = |error| Failure::new(format!("cannot write {}: {error}", directory.display()));
    fs::create_dir_all(&directory).map_err(failure)?;
    for file in FILES {
        fs::copy(clients.join(file), directory.join(file)).map_err(failure)?;
    }
    capture(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&directory),
    )?;
    fs::write(&stamp, lock).map_err(failure)?;
    Ok(modules)
}
