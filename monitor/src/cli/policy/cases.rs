//! The file of cases that `weir policy test` runs.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::{CliError, Part};
use crate::config::{Config, ConfigError, Problem, parse_problem};

/// Largest file of cases that is read: a thousand cases of long documents.
const MAX_CASES_BYTES: u64 = 64 << 20;

/// What the rules shall do about a text, in the order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expected {
    /// No rule finds anything.
    Allow,
    /// It is put on record.
    Alert,
    /// What was found is replaced.
    Redact,
    /// The text does not pass.
    Block,
}

impl Expected {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Alert => "alert",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

/// A text and what shall become of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// Where it stands in the file, from 1.
    pub(super) line: u64,
    pub(super) policy: Option<String>,
    pub(super) part: Part,
    pub(super) text: String,
    pub(super) expected: Expected,
    /// Patterns of detectors: each has a finding, and each finding has one of them.
    pub(super) findings: Option<Vec<String>>,
}

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseSpec {
    name: Spanned<String>,
    #[serde(default)]
    policy: Option<Spanned<String>>,
    #[serde(default)]
    part: Option<Spanned<String>>,
    text: String,
    expect: Expected,
    #[serde(default)]
    findings: Option<Vec<String>>,
}

/// Reads the cases against a configuration.
pub(super) fn load(path: &Path, config: &Config) -> Result<Vec<Case>, CliError> {
    let read = |source| CliError::Cases {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_CASES_BYTES {
        let limit = format!("it has {bytes} bytes, more than {MAX_CASES_BYTES}");
        return Err(read(std::io::Error::other(limit)));
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    Ok(parse(&text, path, config)?)
}

/// Reads the text of such a file; `path` is its name in errors.
pub(super) fn parse(text: &str, path: &Path, config: &Config) -> Result<Vec<Case>, ConfigError> {
    let options = serde_saphyr::options! { with_snippet: false };
    let specs = serde_saphyr::from_str_with_options::<Vec<CaseSpec>>(text, options)
        .map_err(|error| parse_problem(path, &error))?;
    let mut problems = Vec::new();
    let mut problem = |at: Location, message: String| {
        problems.push(Problem {
            path: path.to_owned(),
            line: at.line().max(1),
            column: at.column().max(1),
            message,
        });
    };
    if specs.is_empty() {
        problem(Location::UNKNOWN, "there is no case in it".to_owned());
    }
    let mut cases = Vec::new();
    for spec in specs {
        if let Some(policy) = &spec.policy
            && !config.policies.iter().any(|known| known.name == policy.value)
        {
            let message = format!("the configuration has no policy `{}`", policy.value);
            problem(policy.referenced, message);
        }
        let part = spec.part.as_ref().map_or(Some(Part::User), |written| {
            Part::ALL
                .iter()
                .copied()
                .find(|part| part.name() == written.value)
        });
        let Some(part) = part else {
            let at = spec.part.map_or(Location::UNKNOWN, |part| part.referenced);
            let names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
            problem(at, format!("no such part; write one of {}", names.join(", ")));
            continue;
        };
        cases.push(Case {
            line: spec.name.referenced.line(),
            name: spec.name.value,
            policy: spec.policy.map(|policy| policy.value),
            part,
            text: spec.text,
            expected: spec.expect,
            findings: spec.findings,
        });
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(ConfigError::Invalid(problems))
    }
}
