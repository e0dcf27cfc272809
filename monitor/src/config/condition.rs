//! What of a policy depends on the request as a whole: conditions, the size of the prompt, its languages.

use std::collections::HashSet;

use monitor_content::LANGUAGES;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::content::{category, check_name};
use super::error::Problems;
use super::quantity;
use super::spec::OneOrMany;
use crate::event::Owasp;
use crate::expression::{Expression, Scope};
use monitor_budget::Unit;

/// A condition under which a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DenyRule {
    /// On record with its decisions; unique in its policy.
    pub name: String,
    /// When it refuses.
    pub when: Expression,
    /// The risk that it is against.
    pub owasp: Option<Owasp>,
}

/// How long a prompt may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptLimit {
    /// In tokens, as they are counted for budgets.
    Tokens(u64),
    /// In bytes of its texts, as they are written.
    Bytes(u64),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DenySpec {
    name: Spanned<String>,
    when: Spanned<String>,
    #[serde(default)]
    owasp: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguagesSpec {
    allow: OneOrMany,
}

/// Compiles an expression. One on a single line begins where its value does; elsewhere the message says where in it.
pub(super) fn expression(
    spec: &Spanned<String>,
    scope: Scope,
    problems: &mut Problems<'_>,
) -> Option<Expression> {
    problems.take(spec.referenced, Expression::compile(&spec.value, scope))
}

pub(super) fn denials(specs: Vec<DenySpec>, problems: &mut Problems<'_>) -> Vec<DenyRule> {
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(specs.len());
    for spec in specs {
        let at = spec.name.referenced;
        let name = check_name(spec.name, problems).unwrap_or_default();
        if !name.is_empty() && !seen.insert(name.clone()) {
            problems.add(
                at,
                format_args!("the policy has a rule `{name}` already; records tell rules apart by name: give this one another"),
            );
        }
        let owasp = spec.owasp.and_then(|owasp| category(&owasp, problems));
        if let Some(when) = expression(&spec.when, Scope::Findings, problems) {
            rules.push(DenyRule { name, when, owasp });
        }
    }
    rules
}

pub(super) fn prompt_limit(spec: &Spanned<String>, problems: &mut Problems<'_>) -> Option<PromptLimit> {
    let limit = match quantity::limit(&spec.value) {
        Ok((tokens, Unit::Tokens)) => Some(PromptLimit::Tokens(tokens)),
        _ if spec.value.trim_end().ends_with('B') => {
            quantity::bytes(&spec.value).ok().map(PromptLimit::Bytes)
        }
        _ => None,
    };
    let limit = limit.filter(|limit| !matches!(limit, PromptLimit::Tokens(0) | PromptLimit::Bytes(0)));
    if limit.is_none() {
        problems.add(
            spec.referenced,
            format_args!(
                "`{}` is not the size of a prompt; write for example `32k tokens` or `256 KiB`",
                spec.value
            ),
        );
    }
    limit
}

pub(super) fn languages(spec: LanguagesSpec, problems: &mut Problems<'_>) -> Vec<&'static str> {
    if spec.allow.values.is_empty() {
        problems.add(
            spec.allow.at,
            "allows no language; name the allowed ones, as in `languages: {allow: [en, de]}`, or remove `languages`",
        );
    }
    let mut codes = Vec::with_capacity(spec.allow.values.len());
    for written in spec.allow.values {
        match LANGUAGES.iter().find(|code| **code == written.value) {
            Some(code) => codes.push(*code),
            None => problems.add(
                written.referenced,
                format_args!(
                    "`{}` is not the ISO 639-1 code of a language that is told apart; write one of {}",
                    written.value,
                    LANGUAGES.join(", ")
                ),
            ),
        }
    }
    codes
}
