//! `cargo xtask fuzz [TARGET] [--runs N]`: hostile bytes for the readers of monitor-protocol, and hostile text for
//! monitor-content, by libFuzzer.
//!
//! 1. The seeds are made of the fixtures, by a program without instrumentation.
//! 2. The targets are built with the coverage that the pinned, stable compiler can give: an LLVM pass, no sanitizer. There
//!    is no unsafe code that a sanitizer could watch; what is looked for is a broken promise, which panics.
//! 3. Each target runs on its own corpus, which is kept under the target directory and grows from run to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths::{Paths, cargo};
use crate::step::{Failure, capture, run, say};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET] [--runs N]";
/// Inputs each target is given: some minutes.
const RUNS: u64 = 1_000_000;
/// Longest input, in bytes: some frames. Longer ones find no more and cost more.
const MAX_STREAM_BYTES: u32 = 512;
/// Longest input of the targets that read documents, in bytes: most fixtures whole, which cut short would be no documents.
const MAX_DOCUMENT_BYTES: u32 = 4096;
/// Longest input of the targets that read text, in bytes, each of which may stand for a word: some lines.
const MAX_TEXT_BYTES: u32 = 96;
/// How the targets that read text are called.
const OF_TEXT: &str = "content_";
/// The targets that read documents.
const OF_DOCUMENTS: [&str; 5] = ["edit", "event", "json", "request", "response"];
/// Memory of a target, corpus included. What reading itself may hold is measured inside.
const MAX_MEMORY_MIB: u32 = 1024;
/// An input that takes longer than this, in seconds, is a finding.
const TIMEOUT_S: u32 = 5;
/// What cargo-fuzz sets for `--sanitizer none`, and the checks of a debug build.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// Runs one target, or all.
pub(crate) fn fuzz(paths: &Paths, arguments: &[String]) -> Result<(), Failure> {
    let (chosen, runs) = choice(arguments)?;
    let known = targets(paths)?;
    let targets = match chosen {
        None => known,
        Some(target) if known.contains(&target) => vec![target],
        Some(target) => {
            let known = known.join(", ");
            return Err(Failure::new(format!(
                "no such target: {target}; there are {known}"
            )));
        }
    };
    let work = paths.target.join("fuzz");
    let corpora = work.join("corpora");
    say("making seeds of the fixtures");
    run(in_fuzz(paths, &work)
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "monitor-fuzz-seeds",
            "--",
        ])
        .arg(paths.root.join("monitor-protocol/fixtures"))
        .arg(&corpora))?;
    say("building the targets with coverage (minutes the first time)");
    let host = host()?;
    // With a named host, the flags are not for build scripts, which nothing could link.
    run(in_fuzz(paths, &work)
        .env("RUSTFLAGS", FLAGS)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "monitor-fuzz",
            "--bins",
        ])
        .args(["--target", &host]))?;
    let programs = work.join(host).join("release");
    for target in &targets {
        say(&format!("{target}: {runs} inputs"));
        run_target(paths, &programs, &corpora, target, runs)?;
    }
    Ok(())
}

fn choice(arguments: &[String]) -> Result<(Option<String>, u64), Failure> {
    let usage = || Failure::new(USAGE);
    let (mut target, mut runs) = (None, RUNS);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--runs" {
            runs = rest
                .next()
                .and_then(|number| number.parse().ok())
                .ok_or_else(usage)?;
        } else if argument.starts_with('-') || target.replace(argument.clone()).is_some() {
            return Err(usage());
        }
    }
    Ok((target, runs))
}

/// The names of the targets: one file each.
fn targets(paths: &Paths) -> Result<Vec<String>, Failure> {
    let folder = paths.root.join("fuzz/targets");
    let failure = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn run_target(
    paths: &Paths,
    programs: &Path,
    corpora: &Path,
    target: &str,
    runs: u64,
) -> Result<(), Failure> {
    let corpus = corpora.join(target);
    let findings = paths.target.join("fuzz/findings").join(target);
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))?;
    }
    let max_bytes = if OF_DOCUMENTS.contains(&target) {
        MAX_DOCUMENT_BYTES
    } else if target.starts_with(OF_TEXT) {
        MAX_TEXT_BYTES
    } else {
        MAX_STREAM_BYTES
    };
    run(Command::new(programs.join(target))
        .arg(&corpus)
        .arg(format!("-runs={runs}"))
        .arg(format!("-max_len={max_bytes}"))
        .arg(format!("-dict={}", dictionary(paths).display()))
        .arg(format!("-rss_limit_mb={MAX_MEMORY_MIB}"))
        .arg(format!("-timeout={TIMEOUT_S}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg("-print_final_stats=1"))
}

fn dictionary(paths: &Paths) -> PathBuf {
    paths.root.join("fuzz/words.dict")
}

fn in_fuzz(paths: &Paths, work: &Path) -> Command {
    let mut command = Command::new(cargo());
    command
        .current_dir(paths.root.join("fuzz"))
        .env("CARGO_TARGET_DIR", work)
        // What cargo sets for xtask names this workspace's toolchain and manifest; the flags are set by each step.
        .env_remove("RUSTFLAGS");
    command
}

/// The machine's own target triple, as the pinned compiler calls it.
fn host() -> Result<String, Failure> {
    let said = capture(Command::new(cargo()).arg("-vV"))?;
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("`cargo -vV` names no host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_in_any_order() {
        let choice = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            choice(&words).ok()
        };
        assert_eq!(choice(&[]), Some((None, RUNS)));
        assert_eq!(choice(&["sse", "--runs", "5"]), Some((Some("sse".into()), 5)));
        assert_eq!(choice(&["--runs", "5", "sse"]), Some((Some("sse".into()), 5)));
        assert_eq!(choice(&["--runs"]), None);
        assert_eq!(choice(&["--runs", "many"]), None);
        assert_eq!(choice(&["sse", "json"]), None);
        assert_eq!(choice(&["--help"]), None);
    }
}
