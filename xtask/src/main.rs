//! Set-up, build, demo, test and bench of Weir:
//! `cargo xtask build | demo | test | vm-test | fuzz | bench | measure-tokens | train-injection | score | lab`.
//!
//! Only the standard library, so that it compiles in seconds on a machine that has nothing else yet.

mod clients;
mod end_to_end;
mod fuzz;
mod injection;
mod kernel;
mod llama;
mod machine;
mod measure;
mod node;
mod packages;
mod paths;
mod root;
mod score;
mod step;
mod test;
mod toolchain;
mod vm;

use std::process::ExitCode;

use paths::Paths;
use step::{Failure, run, say};

const USAGE: &str = "usage: cargo xtask COMMAND [ARGUMENTS]

  build    find or install what the kernel programs need, build them and the agent
  demo     build what is missing and run the demo: [--json FILE]
  test     run the tests, the end-to-end ones on the real kernel included: [--suite NAME [FILTER]]
  vm-test  run the kernel tests on Debian's kernels, each in a virtual machine: [FILTER]
  fuzz     give hostile bytes to the protocol readers, hostile text to the detectors: [TARGET] [--runs N]
  bench    measure the agent against its floor, or how far limits are passed: [--json FILE] [--budgets | --content]
  measure-tokens  compare the estimates of other models' tokens with their own vocabularies
  train-injection  train the model of prompt injections from its corpora: [--leave-out] [--show N]
  score    precision and recall of the detectors beside peers: [--json FILE] [--only FAMILY…] [--examples N] [--no-peers]
  lab      set up the lab and an agent, and leave them running until Ctrl-C";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    match dispatch(command.as_deref(), &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// One arm per subcommand; each gets the arguments after its name.
fn dispatch(command: Option<&str>, arguments: &[String]) -> Result<(), Failure> {
    let paths = Paths::find()?;
    match command {
        Some("build") => {
            no_arguments("build", arguments)?;
            build(&paths)
        }
        Some("test") => test::test(&paths, arguments),
        Some("fuzz") => fuzz::fuzz(&paths, arguments),
        Some("vm-test") => {
            root::require("vm-test")?;
            vm::test(&paths, arguments)
        }
        Some("train-injection") => injection::train(&paths, arguments),
        Some("measure-tokens") => {
            no_arguments("measure-tokens", arguments)?;
            measure::tokens(&paths)
        }
        Some("score") => score::score(&paths, arguments),
        Some(command @ ("demo" | "lab")) => {
            run(end_to_end::ready(&paths, command)?.arg(command).args(arguments))
        }
        Some("bench") => {
            root::require("bench")?;
            if arguments.iter().any(|argument| argument == "--budgets") {
                let mut bench = end_to_end::ready(&paths, "bench")?;
                if let Some(litellm) = clients::litellm(&paths) {
                    bench.env("WEIR_LAB_LITELLM", litellm);
                }
                return run(bench.arg("bench").args(arguments));
            }
            if arguments.iter().any(|argument| argument == "--content") {
                return run(end_to_end::ready(&paths, "bench")?.arg("bench").args(arguments));
            }
            packages::for_bench();
            let mut bench = end_to_end::ready(&paths, "bench")?;
            let throughput = measure::throughput(&paths)?;
            run(bench
                .env("WEIR_LAB_THROUGHPUT", throughput)
                .arg("bench")
                .args(arguments))
        }
        Some(other) => Err(Failure::new(format!("no such command here: {other}\n\n{USAGE}"))),
        None => Err(Failure::new(USAGE)),
    }
}

/// The kernel object first, because the agent embeds it; then the agent and the lab.
fn build(paths: &Paths) -> Result<(), Failure> {
    kernel::build(paths)?;
    end_to_end::build(paths)
}

fn no_arguments(command: &str, arguments: &[String]) -> Result<(), Failure> {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!(
            "cargo xtask {command} takes no argument, but was given {first}"
        ))),
    }
}
