//! `weir policy`: what the agent follows, an operator's own cases against a configuration, and a policy to start from.

mod cases;
mod list;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use monitor_content::{Finding, Scanned, UnknownDetector};
use serde_json::json;

use self::cases::{Case, Expected};
use super::CliError;
use super::format::{self, ListFormat};
use super::table::{self, Column, left};
use crate::config::{self, Config, DEFAULT_CONFIG, Selector};
use crate::event::{FindingAction, Part};
use crate::policy::{Applied, Known, Policies};

/// The policy that `weir policy example` prints.
const EXAMPLE: &str = include_str!("policy/example.yaml");

/// Arguments of `weir policy`.
#[derive(Debug, clap::Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the policies in force
    List(list::ListPolicies),
    /// Show one policy as it is in force
    Get(list::GetPolicy),
    /// Run cases against the content rules of a configuration, whether they are enforced or observe; exit 1 if any fails
    #[command(after_help = CASES)]
    Test(Test),
    /// Print a policy to start from
    Example,
}

/// Help text on the file of cases.
const CASES: &str = "The file is a list in YAML or JSON:

  - name: a card does not leave            # what a failure is told by
    text: 'Charge 4111 1111 1111 1111'
    part: user                             # user where it is left out; a part as in a rule's `in`
    policy: billing                        # every policy of the configuration where it is left out
    expect: redact                         # allow, alert, redact or block: the strictest action of the rules
    findings: [pii.credit_card]            # optional: these and no others; names or families such as pii.*";

#[derive(Debug, clap::Args)]
struct Test {
    /// The cases
    #[arg(value_name = "FILE")]
    cases: PathBuf,
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

/// What is told of a case that failed.
const COLUMNS: [Column; 5] = [
    left("CASE", |case| format::text(case, "/name")),
    left("LINE", |case| format::text(case, "/line")),
    left("EXPECTED", |case| format::text(case, "/expected")),
    left("GOT", |case| format::text(case, "/got")),
    left("FOUND", |case| format::text(case, "/found")),
];

pub(super) fn run(arguments: &Policy, out: &mut impl Write) -> Result<(), CliError> {
    match &arguments.command {
        Command::List(arguments) => list::run_list(arguments, out),
        Command::Get(arguments) => list::run_get(arguments, out),
        Command::Test(arguments) => test(arguments, out),
        Command::Example => Ok(out.write_all(EXAMPLE.as_bytes())?),
    }
}

fn test(arguments: &Test, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load(&arguments.config)?;
    let cases = cases::load(&arguments.cases, &config)?;
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = decide(&config, case)?;
        if !outcome.is_expected(case) {
            failed.push(json!({
                "name": case.name,
                "line": case.line,
                "expected": expectation(case),
                "got": outcome.verdict.name(),
                "found": outcome.found(),
            }));
        }
    }
    if !failed.is_empty() {
        table::write(
            out,
            ListFormat::Table,
            &json!(failed),
            &failed,
            &COLUMNS,
            |case| format::text(case, "/name"),
        )?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "{} passed, {} failed",
        cases.len() - failed.len(),
        failed.len()
    )?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(CliError::CasesFailed {
        failed: failed.len(),
        cases: cases.len(),
    })
}

fn expectation(case: &Case) -> String {
    match &case.findings {
        None => case.expected.name().to_owned(),
        Some(findings) if findings.is_empty() => format!("{} without a finding", case.expected.name()),
        Some(findings) => format!("{} of {}", case.expected.name(), findings.join(", ")),
    }
}

/// What the rules make of a text.
struct Outcome {
    verdict: Expected,
    /// Each finding of each rule: the detector, and the policy and rule that saw it.
    found: Vec<(&'static str, String)>,
}

impl Outcome {
    fn is_expected(&self, case: &Case) -> bool {
        let matches = |findings: &Vec<String>| {
            let selects = |pattern: &String, detector: &str| monitor_content::selects(pattern, detector);
            findings
                .iter()
                .all(|pattern| self.found.iter().any(|(detector, _)| selects(pattern, detector)))
                && self
                    .found
                    .iter()
                    .all(|(detector, _)| findings.iter().any(|pattern| selects(pattern, detector)))
        };
        self.verdict == case.expected && case.findings.as_ref().is_none_or(matches)
    }

    /// Each detector once for each rule that saw it.
    fn found(&self) -> String {
        let mut found: Vec<String> = Vec::new();
        for (detector, by) in &self.found {
            let line = format!("{detector} ({by})");
            if !found.contains(&line) {
                found.push(line);
            }
        }
        if found.is_empty() {
            return "nothing".to_owned();
        }
        found.join(", ")
    }
}

/// Runs the content rules over a case's text in the order of the configuration, as an exchange does: the first rule that
/// blocks ends it.
fn decide(config: &Config, case: &Case) -> Result<Outcome, UnknownDetector> {
    let applied = applied(config, case.policy.as_deref())?;
    let scans = if case.part.is_prompt() {
        &applied.prompt
    } else {
        &applied.response
    };
    let mut outcome = Outcome {
        verdict: Expected::Allow,
        found: Vec::new(),
    };
    let mut findings: Vec<Finding> = Vec::new();
    for scan in scans.iter().filter(|scan| scan.parts.has(case.part)) {
        let scanned = scan.find(&case.text, case.part, &mut findings);
        if scanned == Scanned::Limited && scan.denies_limit(case.part) {
            outcome.verdict = Expected::Block;
            break;
        }
        if findings.is_empty() {
            continue;
        }
        let by = format!("{}/{}", scan.policy, scan.rule);
        outcome
            .found
            .extend(findings.iter().map(|finding| (finding.detector, by.clone())));
        let verdict = match scan.action {
            FindingAction::Alert => Expected::Alert,
            FindingAction::Redact => Expected::Redact,
            FindingAction::Block => Expected::Block,
        };
        outcome.verdict = outcome.verdict.max(verdict);
        if verdict == Expected::Block {
            break;
        }
    }
    Ok(outcome)
}

/// The rules of one policy or of all, whatever workloads they are for.
fn applied(config: &Config, policy: Option<&str>) -> Result<Applied, UnknownDetector> {
    let policies: Vec<config::Policy> = config
        .policies
        .iter()
        .filter(|each| policy.is_none_or(|name| each.name == name))
        .map(|each| config::Policy {
            workloads: Selector::default(),
            ..each.clone()
        })
        .collect();
    // Offline, no guardrail is asked.
    let known = Known {
        detectors: &config.detectors.catalog,
        guardrails: &[],
    };
    Ok(Policies::compile(&policies, &known, &config.node.name)?.select(None))
}
