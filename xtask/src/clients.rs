//! The Python environment of the end-to-end clients: the SDKs at pinned versions with pinned hashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::paths::Paths;
use crate::step::{Failure, capture, run, say};

/// Oldest Python the SDKs run on: their `httpx2` and `jiter` ask for it.
const PYTHON_MINOR_AT_LEAST: u32 = 11;
/// Newest Python whose name is tried; `python3` itself is tried first.
const PYTHON_MINOR_AT_MOST: u32 = 15;

/// What the end-to-end clients import, of the packages in `requirements.txt`.
const SDKS: [&str; 2] = ["openai", "anthropic"];

/// Makes the clients' environment if it is missing or out of date, and returns its Python.
pub(crate) fn ready(paths: &Paths) -> Result<PathBuf, Failure> {
    environment(
        paths,
        "clients",
        "tests/clients/requirements.txt",
        &SDKS,
        &["--only-binary", ":all:"],
    )
}

/// Installs LiteLLM's proxy for its lane of the bench, and returns its program. The lane is left out where that fails: it is a
/// comparison, no requirement.
pub(crate) fn litellm(paths: &Paths) -> Option<PathBuf> {
    let python = environment(
        paths,
        "litellm",
        "tests/clients/litellm.txt",
        &["litellm"],
        &["--only-binary", ":all:"],
    );
    match python {
        Ok(python) => Some(python.with_file_name("litellm")),
        Err(failure) => {
            say(&format!("no LiteLLM, its lane will be left out: {failure}"));
            None
        }
    }
}

/// Makes the environment `name` of the packages in a lock file, by its path from the workspace's root, if it is missing, out of date or does
/// not import `modules`, and returns its Python. `pip_options` are for its installation.
pub(crate) fn environment(
    paths: &Paths,
    name: &str,
    lock_file: &str,
    modules: &[&str],
    pip_options: &[&str],
) -> Result<PathBuf, Failure> {
    let lock_file = paths.root.join(lock_file);
    let lock = fs::read_to_string(&lock_file)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", lock_file.display())))?;
    let environment = paths.target.join(name);
    let python = environment.join("bin/python");
    // The lock file itself is the stamp: written last, so that a half-made environment never counts.
    let stamp = environment.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) && imports(&python, modules) {
        return Ok(python);
    }
    let base = base_python()?;
    say(&format!("making the Python environment `{name}`"));
    if environment.exists() {
        fs::remove_dir_all(&environment)
            .map_err(|error| Failure::new(format!("cannot remove {}: {error}", environment.display())))?;
    }
    if capture(Command::new(&base).args(["-m", "venv"]).arg(&environment)).is_err() {
        // Debian ships Python without the part that makes environments.
        packages::install(&["python3-venv"])?;
        run(Command::new(&base).args(["-m", "venv"]).arg(&environment))?;
    }
    capture(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--require-hashes"])
            .args(pip_options)
            .arg("-r")
            .arg(&lock_file),
    )?;
    fs::write(&stamp, lock)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))?;
    Ok(python)
}

fn base_python() -> Result<PathBuf, Failure> {
    let names = std::iter::once("python3".to_owned()).chain(
        (PYTHON_MINOR_AT_LEAST..=PYTHON_MINOR_AT_MOST)
            .rev()
            .map(|minor| format!("python3.{minor}")),
    );
    for name in names {
        let check = format!("import sys; sys.exit(sys.version_info < (3, {PYTHON_MINOR_AT_LEAST}))");
        if capture(Command::new(&name).args(["-c", &check])).is_ok() {
            return Ok(PathBuf::from(name));
        }
    }
    Err(Failure::new(format!(
        "the end-to-end clients need Python 3.{PYTHON_MINOR_AT_LEAST} or later; install it (Debian and Ubuntu: apt-get install python3 python3-venv)"
    )))
}

fn imports(python: &Path, modules: &[&str]) -> bool {
    let line = format!("import {}", modules.join(", "));
    capture(Command::new(python).args(["-c", &line])).is_ok()
}
