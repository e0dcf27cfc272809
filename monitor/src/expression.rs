//! Conditions that operators write in CEL (the Common Expression Language).
//!
//! An expression is compiled when the configuration is read. What can be known to be wrong then is a problem of the
//! configuration: the syntax, a variable or one of its members that does not exist, an unknown function. What goes wrong when it is
//! evaluated (a label that is not there, a value that is no boolean) is for the caller to decide about.
//!
//! CEL has no loops but the macros over lists. Their cost is bounded by the length of an expression ([`MAX_BYTES`]), by how
//! deep macros may stand in each other ([`MAX_NESTING`]), and by the lists that are handed in ([`MAX_TOOLS`],
//! [`MAX_FINDINGS`]).

mod facts;
mod names;

use std::fmt;
use std::sync::Arc;

use cel::{Context, Program, Value};
use serde::{Serialize, Serializer};

pub use facts::{FindingFacts, RequestFacts};
pub(crate) use facts::{findings_value, request_value, workload_value};
pub use names::Scope;

/// Bytes of an expression. One that a person can review is far shorter.
pub const MAX_BYTES: usize = 2_048;
/// Macros over lists inside one another: two of them over full lists of tools are 65,536 steps.
pub const MAX_NESTING: usize = 2;
/// Names of tools that are handed to an expression; more of them are an error of its evaluation.
pub const MAX_TOOLS: usize = 256;
/// Findings that are handed to an expression, one for each detector and part; more are an error of its evaluation.
pub const MAX_FINDINGS: usize = 256;

/// A condition, compiled.
#[derive(Clone)]
pub struct Expression {
    source: Box<str>,
    program: Arc<Program>,
    reads: Reads,
}

/// Which variables an expression reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) request: bool,
    pub(crate) tools: bool,
    pub(crate) workload: bool,
    pub(crate) findings: bool,
}

/// Why an expression was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExpressionError {
    /// Longer than [`MAX_BYTES`].
    #[error(
        "the expression has {0} bytes, and {MAX_BYTES} at most are taken; split it into several rules or policies"
    )]
    TooLong(usize),
    /// It is not CEL.
    #[error("the expression is not CEL, at its line {line}, column {column}: {message}")]
    Syntax {
        /// Line of the expression, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A variable that there is not.
    #[error("the expression reads `{name}`, which there is not; it may read {known}")]
    Unknown {
        /// The variable or member.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A function that there is not.
    #[error(
        "the expression calls `{0}`, which there is not; CEL has size, contains, startsWith, endsWith, matches, has, all, exists, exists_one, filter, map and conversions"
    )]
    Function(String),
    /// Macros inside macros.
    #[error(
        "the expression has macros over lists more than {MAX_NESTING} deep inside one another; take it apart"
    )]
    Nested,
    /// It is no condition.
    #[error("the expression is no condition: its value is {0}, and must be true or false")]
    NotBoolean(&'static str),
}

/// Why an expression has no value. The cause stays unsaid: it may quote what the workload has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the expression could not be evaluated")]
pub struct NotEvaluated;

impl Expression {
    /// Compiles an expression that may read what `scope` has.
    ///
    /// # Errors
    /// [`ExpressionError`] where it can never be evaluated.
    pub fn compile(source: &str, scope: Scope) -> Result<Self, ExpressionError> {
        if source.len() > MAX_BYTES {
            return Err(ExpressionError::TooLong(source.len()));
        }
        let program = Program::compile(source).map_err(|errors| {
            let first = errors.errors.first();
            let at = |position: isize| usize::try_from(position).unwrap_or(0).max(1);
            let (line, column) = first.map_or((1, 1), |error| (at(error.pos.0), at(error.pos.1)));
            ExpressionError::Syntax {
                line,
                column,
                message: first.map_or_else(String::new, |error| error.msg.clone()),
            }
        })?;
        let reads = names::check(&program, scope)?;
        if let Some(kind) = names::constant_kind(&program) {
            return Err(ExpressionError::NotBoolean(kind));
        }
        Ok(Self {
            source: source.into(),
            program: Arc::new(program),
            reads,
        })
    }

    pub(crate) const fn reads(&self) -> Reads {
        self.reads
    }

    /// Whether it holds, with the variables that [`Expression::reads`] asks for in `context`.
    ///
    /// # Errors
    /// A member that is not there, an operation that its values do not have, or a value that is no boolean.
    pub(crate) fn holds(&self, context: &Context<'_, '_>) -> Result<bool, NotEvaluated> {
        match self.program.execute(context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) | Err(_) => Err(NotEvaluated),
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.reads == other.reads
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Part, samples};

    fn facts<'a>(tools: &'a [std::borrow::Cow<'a, str>]) -> RequestFacts<'a> {
        RequestFacts {
            operation: "chat_completions",
            model: "gpt-4o",
            provider: "openai",
            api: "openai",
            host: "api.openai.com",
            stream: true,
            messages: 2,
            prompt_bytes: 100,
            tools,
            max_output_tokens: 20,
        }
    }

    fn holds(source: &str) -> Result<bool, NotEvaluated> {
        let expression = Expression::compile(source, Scope::Findings).unwrap();
        let mut context = Context::default();
        let tools = ["search".into(), "shell".into()];
        let request = request_value(&facts(&tools)).unwrap();
        context.add_variable_from_value("request", request);
        let workload = samples::exchange().workload.unwrap();
        context.add_variable_from_value("workload", workload_value(Some(&workload)));
        let findings = findings_value(&[FindingFacts {
            detector: "prompt_injection",
            part: Part::ToolResult,
            confidence: 80,
            count: 1,
        }])
        .unwrap();
        context.add_variable_from_value("findings", findings);
        expression.holds(&context)
    }

    #[test]
    fn conditions_over_everything_there_is() {
        for (source, value) in [
            (
                r#"request.operation == "chat_completions" && request.stream"#,
                Ok(true),
            ),
            (
                r#"request.model.startsWith("gpt-") && !request.model.matches("mini$")"#,
                Ok(true),
            ),
            (r#""shell" in request.tools"#, Ok(true)),
            (r#"request.tools.exists(t, t.startsWith("del"))"#, Ok(false)),
            (
                "request.prompt_bytes > 1000 || request.max_output_tokens > 10",
                Ok(true),
            ),
            (
                r#"has(workload.labels.tier) && workload.labels["tier"] == "gold""#,
                Ok(false),
            ),
            (r#"workload.labels["no-such-label"] != "gold""#, Err(NotEvaluated)),
            (
                r#"findings.exists(f, f.detector == "prompt_injection" && f.part == "tool_result" && f.confidence >= 70) && size(request.tools) > 0"#,
                Ok(true),
            ),
            ("size(request.tools)", Err(NotEvaluated)),
        ] {
            assert_eq!(holds(source), value, "{source}");
        }
    }

    #[test]
    fn what_can_never_be_evaluated_is_refused() {
        let refused = |source: &str| Expression::compile(source, Scope::Exchange).unwrap_err();
        assert!(matches!(
            refused("request.operation == && true"),
            ExpressionError::Syntax { line: 1, .. }
        ));
        assert!(matches!(
            refused(&"a".repeat(MAX_BYTES + 1)),
            ExpressionError::TooLong(_)
        ));
        for (source, unknown) in [
            ("requst.model == 'x'", "requst"),
            ("request.modle == 'x'", "request.modle"),
            (
                "workload.labels.tier == 'x' && workload.name == 'y'",
                "workload.name",
            ),
            ("request['modle'] == 'x'", "request.modle"),
            ("size(findings) > 0", "findings"),
            ("request.tools.exists(t, u == t)", "u"),
        ] {
            let error = refused(source);
            assert!(
                matches!(&error, ExpressionError::Unknown { name, .. } if name == unknown),
                "{source}: {error}"
            );
        }
        assert_eq!(
            refused("request.model.lower() == 'x'"),
            ExpressionError::Function("lower".into())
        );
        assert_eq!(refused("'yes'"), ExpressionError::NotBoolean("a string"));
        let nested = "request.tools.all(a, request.tools.all(b, request.tools.all(c, a == b && b == c)))";
        assert_eq!(refused(nested), ExpressionError::Nested);
        assert!(
            Expression::compile(
                "request.tools.all(a, request.tools.all(b, a == b))",
                Scope::Exchange
            )
            .is_ok()
        );
    }

    #[test]
    fn more_than_is_handed_in_is_no_value() {
        let tools = vec![std::borrow::Cow::Borrowed("t"); MAX_TOOLS + 1];
        assert_eq!(request_value(&facts(&tools)).unwrap_err(), NotEvaluated);
        assert!(request_value(&facts(&tools[1..])).is_ok());
    }
}
