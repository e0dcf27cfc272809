//! External guardrails, and which policies ask them.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::PartSet;
use super::content::{category, parts};
use super::error::Problems;
use super::quantity;
use super::spec::OneOrMany;
use super::validate::{absolute, ca_file, name};
use crate::event::{FindingAction, Owasp};

/// The longest that an exchange may wait for a guardrail.
pub const MAX_GUARDRAIL_TIMEOUT_MS: u64 = 10_000;
/// How long it waits where the configuration does not say.
pub const DEFAULT_GUARDRAIL_TIMEOUT_MS: u64 = 500;

/// A service that is asked about prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guardrail {
    /// Unique.
    pub name: String,
    /// Where it is asked, by POST.
    pub url: String,
    /// How long its answer is waited for, milliseconds.
    pub timeout_ms: u64,
    /// What counts where it cannot be asked.
    pub on_error: OnError,
    /// What its certificate is verified against; the system's roots where there is none.
    pub ca: Option<PathBuf>,
    /// Headers and the files that their values are in.
    pub headers: Vec<(String, PathBuf)>,
}

/// What becomes of an exchange that a guardrail cannot be asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on, on record.
    Allow,
}

/// A guardrail that a policy asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardrailRule {
    /// By its name.
    pub guardrail: String,
    /// The parts of the prompt that it is shown.
    pub parts: PartSet,
    /// What follows where it says `block`.
    pub action: FindingAction,
    /// The risk that it is against.
    pub owasp: Option<Owasp>,
}

/// A guardrail as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardrailSpec {
    name: Spanned<String>,
    url: Spanned<String>,
    #[serde(default)]
    timeout: Option<Spanned<String>>,
    #[serde(default)]
    on_error: OnError,
    #[serde(default)]
    ca: Option<Spanned<String>>,
    #[serde(default)]
    header_files: BTreeMap<String, Spanned<String>>,
}

/// A policy's rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardrailRuleSpec {
    name: Spanned<String>,
    #[serde(default, rename = "in")]
    parts: Option<OneOrMany>,
    #[serde(default)]
    action: RuleAction,
    #[serde(default)]
    owasp: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleAction {
    #[default]
    Block,
    Alert,
}

/// The guardrails of the file.
pub(super) fn guardrails(specs: Vec<GuardrailSpec>, problems: &mut Problems<'_>) -> Vec<Guardrail> {
    let mut seen = HashSet::new();
    let mut guardrails = Vec::new();
    for spec in specs {
        let at = spec.name.referenced;
        let Some(guardrail) = spec.check(problems) else {
            continue;
        };
        if !seen.insert(guardrail.name.clone()) {
            problems.add(
                at,
                format_args!("another guardrail above is called `{}`", guardrail.name),
            );
        }
        guardrails.push(guardrail);
    }
    guardrails
}

impl GuardrailSpec {
    fn check(self, problems: &mut Problems<'_>) -> Option<Guardrail> {
        let scheme = ["https://", "http://"]
            .iter()
            .find(|scheme| self.url.value.starts_with(**scheme));
        if scheme.is_none_or(|scheme| self.url.value.len() == scheme.len())
            || self
                .url
                .value
                .contains(|c: char| c.is_whitespace() || c.is_control())
        {
            problems.add(
                self.url.referenced,
                format_args!(
                    "`{}` is no address of a guardrail; write `https://host/path`",
                    self.url.value
                ),
            );
        }
        let timeout_ms = match self.timeout {
            None => DEFAULT_GUARDRAIL_TIMEOUT_MS,
            Some(timeout) => {
                let ms = problems.take(timeout.referenced, quantity::duration_ms(&timeout.value))?;
                if !(1..=MAX_GUARDRAIL_TIMEOUT_MS).contains(&ms) {
                    problems.add(
                        timeout.referenced,
                        format_args!(
                            "a timeout of `{}` is out of range; give 1ms to 10s",
                            timeout.value
                        ),
                    );
                }
                ms
            }
        };
        let headers = self.header_files.into_iter();
        let headers = headers.filter_map(|(header, file)| Some((header, absolute(file, problems)?)));
        let headers = headers.collect();
        Some(Guardrail {
            name: name(self.name, "guardrail", problems)?,
            url: self.url.value,
            timeout_ms,
            on_error: self.on_error,
            ca: self.ca.and_then(|file| ca_file(file, problems)),
            headers,
        })
    }
}

impl GuardrailRuleSpec {
    /// The rule, of one of the guardrails there are.
    pub(super) fn check(self, guardrails: &[Guardrail], problems: &mut Problems<'_>) -> GuardrailRule {
        if !guardrails.iter().any(|known| known.name == self.name.value) {
            problems.add(
                self.name.referenced,
                format_args!(
                    "no guardrail is called `{}`; define it under `guardrails`",
                    self.name.value
                ),
            );
        }
        let at = self.parts.as_ref().map(|list| list.at);
        let parts = self.parts.map_or(PartSet::prompt(), |list| parts(list, problems));
        if let Some(at) = at
            && parts.meets(PartSet::response())
        {
            problems.add(
                at,
                "a guardrail is asked about prompts; name `prompt` or parts of it",
            );
        }
        GuardrailRule {
            guardrail: self.name.value,
            parts,
            action: match self.action {
                RuleAction::Block => FindingAction::Block,
                RuleAction::Alert => FindingAction::Alert,
            },
            owasp: self.owasp.and_then(|owasp| category(&owasp, problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, crate::config::ConfigError> {
        Config::parse(text, Path::new("weir.yaml"))
    }

    #[test]
    fn a_policy_may_ask_one() {
        let config = parse(
            "guardrails:\n- {name: acme, url: 'https://guard.corp/check', timeout: 300ms, on_error: allow}\n\
             policies:\n- name: a\n  guardrails: [{name: acme, in: [user, document], owasp: LLM05}]",
        );
        let config = config.unwrap();
        assert_eq!(config.guardrails[0].timeout_ms, 300);
        assert_eq!(config.guardrails[0].on_error, OnError::Allow);
        let rule = &config.policies[0].guardrails[0];
        assert_eq!(
            (rule.guardrail.as_str(), rule.action, rule.owasp),
            ("acme", FindingAction::Block, Some(Owasp::Llm05))
        );
    }

    #[test]
    fn each_mistake_has_its_place() {
        for (text, place, message) in [
            ("guardrails: [{name: a, url: 'ftp://x'}]", "1:29", "no address"),
            (
                "guardrails: [{name: a, url: 'http://x/', timeout: 1h}]",
                "1:51",
                "out of range",
            ),
            (
                "guardrails: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]",
                "1:49",
                "another guardrail",
            ),
            (
                "policies: [{name: a, guardrails: [{name: acme}]}]",
                "1:42",
                "no guardrail is called",
            ),
            (
                "guardrails: [{name: a, url: 'http://x'}]\npolicies: [{name: a, guardrails: [{name: a, in: [response]}]}]",
                "2:49",
                "asked about prompts",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(&format!("weir.yaml:{place}")) && error.contains(message),
                "{error}"
            );
        }
    }
}
