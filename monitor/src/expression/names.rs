//! What an expression may name: variables, their members, functions.

use std::collections::HashSet;

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

use super::{ExpressionError, MAX_NESTING, Reads};

/// What is known when an expression is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A request has been read: `request`, `workload`.
    Exchange,
    /// It has been scanned, too: `findings`.
    Findings,
}

/// The members of `request`.
pub(super) const REQUEST: [&str; 10] = [
    "api",
    "host",
    "max_output_tokens",
    "messages",
    "model",
    "operation",
    "prompt_bytes",
    "provider",
    "stream",
    "tools",
];
/// The members of `workload`.
pub(super) const WORKLOAD: [&str; 11] = [
    "cgroup",
    "container",
    "exe",
    "image",
    "labels",
    "namespace",
    "pod",
    "service_account",
    "spiffe",
    "unit",
    "user",
];
/// Functions of CEL's standard library that need no feature that is left out (times).
const FUNCTIONS: [&str; 16] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "has",
    "int",
    "max",
    "min",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// Checks every name of a program: which variables it reads.
pub(super) fn check(program: &Program, scope: Scope) -> Result<Reads, ExpressionError> {
    let mut walk = Walk {
        scope,
        bound: Vec::new(),
        reads: Reads::default(),
    };
    walk.expression(program.expression(), 0)?;
    let references = program.references();
    let mut functions = references.functions();
    functions.sort_unstable();
    let known: HashSet<&str> = FUNCTIONS.into();
    // Operators have names that begin with no letter.
    let is_name = |name: &&&str| name.starts_with(|c: char| c.is_ascii_alphabetic());
    match functions
        .iter()
        .filter(is_name)
        .find(|name| !known.contains(**name))
    {
        Some(name) => Err(ExpressionError::Function((*name).to_owned())),
        None => Ok(walk.reads),
    }
}

/// What kind of value an expression has that is no condition, where that is plain to see.
pub(super) fn constant_kind(program: &Program) -> Option<&'static str> {
    match &program.expression().expr {
        Expr::Literal(LiteralValue::Boolean(_)) => None,
        Expr::Literal(LiteralValue::String(_)) => Some("a string"),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => {
            Some("a number")
        }
        Expr::Literal(_) => Some("a constant"),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) | Expr::Struct(_) => Some("a map"),
        _ => None,
    }
}

struct Walk<'e> {
    scope: Scope,
    /// Variables of the macros around.
    bound: Vec<&'e str>,
    reads: Reads,
}

impl<'e> Walk<'e> {
    fn expression(&mut self, at: &'e IdedExpr, depth: usize) -> Result<(), ExpressionError> {
        match &at.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name, None),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) => self.variable(name, Some(&select.field)),
                _ => self.expression(&select.operand, depth),
            },
            Expr::Call(call) => {
                // `request["model"]` is `request.model`.
                if let ("_[_]", [of, by]) = (call.func_name.as_str(), call.args.as_slice())
                    && let (Expr::Ident(name), Expr::Literal(LiteralValue::String(member))) =
                        (&of.expr, &by.expr)
                {
                    return self.variable(name, Some(member.inner()));
                }
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.expression(part, depth)?;
                }
                Ok(())
            }
            Expr::List(list) => list
                .elements
                .iter()
                .try_for_each(|part| self.expression(part, depth)),
            Expr::Map(map) => map
                .entries
                .iter()
                .try_for_each(|entry| self.entry(&entry.expr, depth)),
            Expr::Struct(of) => of
                .entries
                .iter()
                .try_for_each(|entry| self.entry(&entry.expr, depth)),
            Expr::Comprehension(of) => {
                self.expression(&of.iter_range, depth)?;
                if depth == MAX_NESTING {
                    return Err(ExpressionError::Nested);
                }
                let before = self.bound.len();
                self.bound.extend([of.iter_var.as_str(), of.accu_var.as_str()]);
                self.bound.extend(of.iter_var2.as_deref());
                for part in [&of.accu_init, &of.loop_cond, &of.loop_step, &of.result] {
                    self.expression(part, depth + 1)?;
                }
                self.bound.truncate(before);
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr, depth: usize) -> Result<(), ExpressionError> {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value, depth),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key, depth)?;
                self.expression(&entry.value, depth)
            }
        }
    }

    fn variable(&mut self, name: &str, member: Option<&str>) -> Result<(), ExpressionError> {
        if self.bound.contains(&name) {
            return Ok(());
        }
        let members: &[&str] = match name {
            "request" => {
                self.reads.request = true;
                self.reads.tools |= member.is_none_or(|member| member == "tools");
                &REQUEST
            }
            "workload" => {
                self.reads.workload = true;
                &WORKLOAD
            }
            "findings" if self.scope == Scope::Findings => {
                self.reads.findings = true;
                return Ok(());
            }
            _ => {
                let findings = if self.scope == Scope::Findings {
                    ", `findings`"
                } else {
                    ""
                };
                return Err(ExpressionError::Unknown {
                    name: name.to_owned(),
                    known: format!("`request`, `workload`{findings}"),
                });
            }
        };
        match member {
            Some(member) if !members.contains(&member) => Err(ExpressionError::Unknown {
                name: format!("{name}.{member}"),
                known: members
                    .iter()
                    .map(|member| format!("`{name}.{member}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
            _ => Ok(()),
        }
    }
}
