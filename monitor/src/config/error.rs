//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::Location;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {path}: {source}; give the right file with `-c`")]
    Read {
        /// The file as it was named.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is larger than any real configuration.
    #[error(
        "the configuration {path} has {bytes} bytes, more than the {limit} allowed; is it the right file?"
    )]
    TooLarge {
        /// The file as it was named.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// [`super::MAX_CONFIG_BYTES`].
        limit: u64,
    },
    /// The text is not a valid configuration; every problem that could be found, in the order of the file.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    /// The problems found in the text; empty when the file could not be read at all.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) => problems,
            Self::Read { .. } | Self::TooLarge { .. } => &[],
        }
    }
}

/// One thing that is wrong, at one place. Displays as `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.path.display(),
            self.line,
            self.column,
            self.message
        )
    }
}

/// One problem a line.
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Gathers problems while a specification is validated, so that an operator sees all of them at once.
pub(super) struct Problems<'a> {
    path: &'a Path,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            found: Vec::new(),
        }
    }

    /// Notes a problem. A value whose place is unknown is put at the file's start.
    pub(super) fn add(&mut self, at: Location, message: impl fmt::Display) {
        self.found.push(Problem {
            path: self.path.to_owned(),
            line: at.line().max(1),
            column: at.column().max(1),
            message: message.to_string(),
        });
    }

    /// The value of a result; its error is noted.
    pub(super) fn take<T, E: fmt::Display>(&mut self, at: Location, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(at, error)).ok()
    }

    /// `value` if nothing was wrong.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, ConfigError> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        Err(ConfigError::Invalid(self.found))
    }
}

/// The parser's own error as a problem: its message without the place, which the problem carries already.
pub(crate) fn from_parser(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let at = error.location().unwrap_or(Location::UNKNOWN);
    let mut message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let place = format!(" at line {}, column {}", at.line(), at.column());
    if let Some(start) = message.find(&place) {
        message.replace_range(start..start + place.len(), "");
    }
    if message.contains("reference to unknown value") {
        message.push_str("; a value that begins with `*` must be quoted, as in `exe: \"*/python3\"`");
    }
    let mut problems = Problems::new(path);
    problems.add(at, message);
    ConfigError::Invalid(problems.found)
}
