//! The kernel object: built with the kernel compiler in its own target directory, put where the agent looks for it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::paths::Paths;
use crate::step::{Failure, run, say};
use crate::toolchain;

/// What the object is made of, below the workspace root.
const SOURCES: [&str; 4] = ["monitor-ebpf", "monitor-common", "Cargo.lock", "Cargo.toml"];
/// Separates arguments in `CARGO_ENCODED_RUSTFLAGS`, so that a path with a blank in it stays one argument.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// Builds the object unless it is newer than everything it is made of.
pub(crate) fn build(paths: &Paths) -> Result<(), Failure> {
    let (compiler, linker) = toolchain::ready(paths)?;
    let object = paths.kernel_object();
    let stamp = object.with_extension("stamp");
    let made_with = compiler.stamp();
    if fs::read_to_string(&stamp).is_ok_and(|recorded| recorded == made_with)
        && newer_than_sources(paths, &object)?
    {
        return Ok(());
    }
    say("building the kernel programs");
    let flags = [
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
        // The maps and the programs are described by the BTF that the linker makes of the debug information.
        "-Cdebuginfo=2".to_owned(),
    ];
    let mut cargo = Command::new(&compiler.cargo);
    cargo
        .current_dir(&paths.root)
        .env("RUSTC", &compiler.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join(FLAG_SEPARATOR))
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "2")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "monitor-ebpf",
            "--target",
            "bpfel-unknown-none",
        ])
        .args(["-Z", "build-std=core", "--target-dir"])
        .arg(paths.kernel_target());
    run(&mut cargo)?;
    let built = paths
        .kernel_target()
        .join("bpfel-unknown-none/release/monitor-ebpf");
    install(&built, &object).map_err(|error| {
        Failure::new(format!(
            "cannot copy {} to {}: {error}",
            built.display(),
            object.display()
        ))
    })?;
    fs::write(&stamp, made_with)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))
}

/// Copied under another name and renamed, so that a build script never reads half an object.
fn install(built: &Path, object: &Path) -> io::Result<()> {
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = object.with_extension("partial");
    fs::copy(built, &partial)?;
    fs::rename(&partial, object)
}

fn newer_than_sources(paths: &Paths, object: &Path) -> Result<bool, Failure> {
    let Ok(made) = fs::metadata(object).and_then(|found| found.modified()) else {
        return Ok(false);
    };
    for source in SOURCES {
        let source = paths.root.join(source);
        let changed = newest(&source)
            .map_err(|error| Failure::new(format!("cannot look through {}: {error}", source.display())))?;
        if changed > made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest(path: &Path) -> io::Result<SystemTime> {
    let found = fs::metadata(path)?;
    let mut newest_time = found.modified()?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            newest_time = newest_time.max(newest(&entry?.path())?);
        }
    }
    Ok(newest_time)
}
