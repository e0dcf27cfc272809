//! What runs in the lab: the demo, the bench, the suites. Built and set up here, done by the `weir-lab` binary.

use std::process::Command;

use crate::paths::{Paths, cargo};
use crate::step::{Failure, run, say};
use crate::{clients, kernel, packages, root};

/// Makes ready all that the lab needs and returns the command to which a subcommand and its arguments are added.
pub(crate) fn ready(paths: &Paths, command: &str) -> Result<Command, Failure> {
    root::require(command)?;
    packages::for_lab()?;
    kernel::build(paths)?;
    let python = clients::ready(paths)?;
    build(paths)?;
    let mut lab = Command::new(paths.target.join("release/weir-lab"));
    lab.current_dir(std::env::current_dir().unwrap_or_else(|_| paths.root.clone()))
        .env("WEIR_LAB_AGENT", paths.target.join("release/weir"))
        .env("WEIR_LAB_PYTHON", python)
        .env("WEIR_LAB_CLIENTS", paths.root.join("tests/clients"));
    Ok(lab)
}

/// Builds the agent and the lab. All user-space members in one call, as the tests build them: with fewer, cargo would
/// choose other features for what they share and compile it anew.
pub(crate) fn build(paths: &Paths) -> Result<(), Failure> {
    let mut build = Command::new(cargo());
    build.current_dir(&paths.root).args(["build", "--release"]);
    if paths.target.join("release/weir-lab").exists() {
        build.arg("--quiet");
    } else {
        say("building the agent and the lab");
    }
    run(&mut build)
}
