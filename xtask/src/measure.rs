//! Measurements by examples of the crates.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::packages;
use crate::paths::{Paths, cargo};
use crate::step::{Failure, run, say};

/// Builds the example that measures decoders and readers, for the bench to run; returns its path.
pub(crate) fn throughput(paths: &Paths) -> Result<PathBuf, Failure> {
    say("building the measurement of decoders and readers");
    run(Command::new(cargo()).current_dir(&paths.root).args([
        "build",
        "--release",
        "--quiet",
        "--example",
        "throughput",
    ]))?;
    Ok(paths.target.join("release/examples/throughput"))
}

/// How far the estimates of other models' tokens are off: the same texts by Weir and by the publishers' vocabularies.
/// Installs the vocabularies under the target directory, counts with them, and compares.
pub(crate) fn tokens(paths: &Paths) -> Result<(), Failure> {
    packages::for_node()?;
    let source = paths.root.join("monitor-content/estimates");
    let directory = paths.target.join("estimates");
    let failed = |what: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", what.display()));
    fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), directory.join(file))
            .map_err(|error| failed(&directory.join(file), error))?;
    }
    say("installing the vocabularies of other models (some 700 MB)");
    run(Command::new("npm")
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(&directory))?;
    let counted = directory.join("tokens.jsonl");
    let out = File::create(&counted).map_err(|error| failed(&counted, error))?;
    run(Command::new("node")
        .arg(source.join("tokens.mjs"))
        .arg(&paths.root)
        .current_dir(&directory)
        .stdout(out))?;
    let input = File::open(&counted).map_err(|error| failed(&counted, error))?;
    run(Command::new(env!("CARGO"))
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "monitor-content",
            "--example",
            "estimates",
        ])
        .current_dir(&paths.root)
        .stdin(Stdio::from(input)))
}
