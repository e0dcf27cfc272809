//! `cargo xtask test`: everything that must hold before a change lands, cheapest first, and one sum at the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::end_to_end;
use crate::kernel;
use crate::llama;
use crate::machine;
use crate::node;
use crate::packages;
use crate::paths::{Paths, cargo};
use crate::root;
use crate::step::{Failure, run, say};

/// Suites that run when none is named, in this order.
const SUITES: [&str; 5] = ["main", "protocols", "budgets", "content", "identity"];

/// Tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Runs all tests, or one suite alone: `--suite NAME [FILTER]`.
pub(crate) fn test(paths: &Paths, arguments: &[String]) -> Result<(), Failure> {
    // Without root half of the tests cannot run: say so before ten minutes of building.
    root::require("test")?;
    let mut sum = Sum::default();
    let outcome = match arguments {
        [] => all(paths, &mut sum),
        [flag, name, filter @ ..] if flag == "--suite" => suite(paths, name, filter, &mut sum),
        _ => Err(Failure::new("usage: cargo xtask test [--suite NAME [FILTER]]")),
    };
    // Read by people and by continuous integration alike: alone on its line, and last.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{} passed, {} failed", sum.passed, sum.failed);
    match outcome {
        Ok(()) if sum.failed > 0 => Err(Failure::new("tests failed")),
        Ok(()) if sum.passed == 0 => Err(Failure::new("no test ran")),
        outcome => outcome,
    }
}

fn all(paths: &Paths, sum: &mut Sum) -> Result<(), Failure> {
    packages::for_lab()?;
    say("checking the format");
    run(cargo_in(paths).args(["fmt", "--all", "--check"]))?;
    run(cargo_in(paths).args(["fmt", "--all", "--check", "--manifest-path", "fuzz/Cargo.toml"]))?;
    // The agent embeds the kernel object: lints and tests see the agent as it is shipped.
    kernel::build(paths)?;
    say("linting");
    run(cargo_in(paths).args([
        "clippy",
        "--release",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    say("running the tests of every crate");
    // One crate's failure must not hide another's, nor the end-to-end suites.
    let unit = counted(cargo_in(paths).args(["test", "--release", "--no-fail-fast"]), sum);
    let mut outcome = unit;
    for name in SUITES {
        outcome = outcome.and(suite(paths, name, &[], sum));
    }
    outcome
}

fn suite(paths: &Paths, name: &str, filter: &[String], sum: &mut Sum) -> Result<(), Failure> {
    let mut lab = end_to_end::ready(paths, "test")?;
    if name == "protocols" {
        lab.env("WEIR_LAB_NODE_MODULES", node::ready(paths)?);
    }
    if name == "budgets" {
        packages::for_budgets()?;
    }
    if name == "identity" {
        packages::for_containers()?;
        lab.env("WEIR_LAB_MACHINE", machine::ready(paths)?);
    }
    if name == "real" {
        let llama = llama::ready(paths)?;
        lab.env("WEIR_LAB_LLAMA_SERVER", llama.server)
            .env("WEIR_LAB_LLAMA_MODEL", llama.model);
    }
    say(&format!("running the end-to-end suite {name}"));
    counted(lab.args(["suite", name]).args(filter), sum)
}

fn cargo_in(paths: &Paths) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(&paths.root);
    command
}

/// Runs a command, shows its output as it comes, and adds up its `test result:` lines.
fn counted(command: &mut Command, sum: &mut Sum) -> Result<(), Failure> {
    let program = command.get_program().display().to_string();
    let failure = |error: std::io::Error| Failure::new(format!("{program}: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failure)?;
    let before = *sum;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(failure)?;
            let line = String::from_utf8_lossy(&line);
            sum.add(&line);
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
    let status = child.wait().map_err(failure)?;
    // A failure that no test reported (a crash, a build error) must show in the sum as well.
    if !status.success() && sum.failed == before.failed {
        sum.failed += 1;
    }
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{program}: {status}")))
    }
}

impl Sum {
    /// Reads a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn add(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            let mut words = count.split(' ');
            let number = words
                .next()
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_result_lines() {
        let mut sum = Sum::default();
        sum.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        sum.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        sum.add("test a::b ... ok");
        assert_eq!(
            sum,
            Sum {
                passed: 15,
                failed: 2
            }
        );
    }
}
