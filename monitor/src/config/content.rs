//! Content rules: what to look for, in which parts, and what follows.

use monitor_content::{DetectorCatalog, Judgement};
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::Spanned;

use super::error::Problems;
use super::percent::percent;
use super::spec::OneOrMany;
use crate::event::{Owasp, Part};

/// Most bytes of a rule's name.
const MAX_NAME_BYTES: usize = 63;

/// What to do about text that detectors find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContentRule {
    /// On record with its findings; its place in the policy where the configuration gives none.
    pub name: String,
    /// Names of detectors, or families of them such as `secret.*`; at least one, each known.
    pub detect: Vec<String>,
    /// The parts of an exchange that are scanned; at least one.
    pub parts: PartSet,
    /// Findings of less confidence are none; `None` for each detector's own threshold.
    pub min_confidence_percent: Option<u8>,
    /// What follows a finding.
    pub action: Action,
    /// What stands in a finding's place.
    pub redaction: Redaction,
    /// The risk that it is against; `None` for what each detector's findings are a sign of.
    pub owasp: Option<Owasp>,
}

/// What follows a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing, and the later rules of the policy do not see it: an exception.
    Allow,
    /// It is put on record.
    Alert,
    /// The found text is replaced.
    Redact,
    /// The request is refused, or the response cut.
    Block,
}

/// What stands in the place of a finding that is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// The detector's name: `[REDACTED:email]`.
    #[default]
    Placeholder,
    /// What is customary to show of such a text, or `****`.
    Mask,
    /// The detector's name and a keyed hash: `[email:3fa9c2d1]`. Equal texts have equal ones.
    Hash,
    /// A pseudonym: a text of the same kind that is nobody's, which the answer has replaced by the found text again.
    Reversible,
}

impl Redaction {
    /// Whether a hash of the text is shown.
    #[must_use]
    pub const fn shows_hash(self) -> bool {
        matches!(self, Self::Hash)
    }

    /// Whether the answer has the text put back.
    #[must_use]
    pub const fn is_reversible(self) -> bool {
        matches!(self, Self::Reversible)
    }
}

/// A set of parts of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartSet(u16);

impl PartSet {
    /// Every part.
    pub const ALL: Self = Self(u16::MAX);

    /// The parts of the request.
    #[must_use]
    pub fn prompt() -> Self {
        Part::ALL
            .iter()
            .filter(|part| part.is_prompt())
            .copied()
            .collect()
    }

    /// The parts of the response.
    #[must_use]
    pub fn response() -> Self {
        Part::ALL
            .iter()
            .filter(|part| !part.is_prompt())
            .copied()
            .collect()
    }

    /// Whether it has this part.
    #[must_use]
    pub const fn has(self, part: Part) -> bool {
        self.0 & (1 << part as u16) != 0
    }

    /// Whether it has one of these.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// With these, too.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Part> for PartSet {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(parts.into_iter().fold(0, |set, part| set | 1 << part as u16))
    }
}

impl Serialize for PartSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(Part::ALL.iter().filter(|part| self.has(**part)))
    }
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentSpec {
    #[serde(default)]
    name: Option<Spanned<String>>,
    detect: OneOrMany,
    #[serde(default, rename = "in")]
    parts: Option<OneOrMany>,
    #[serde(default)]
    min_confidence: Option<Spanned<String>>,
    action: ActionSpec,
    #[serde(default)]
    owasp: Option<Spanned<String>>,
}

/// An action as it is written: a word, or how to redact.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionWord {
    Allow,
    Alert,
    Redact,
    Block,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedactSpec {
    redact: Redaction,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "an action: allow, alert, redact, block, or {redact: placeholder | mask | hash | reversible}"
)]
enum ActionSpec {
    Word(ActionWord),
    Redact(RedactSpec),
}

impl ActionSpec {
    fn action(&self) -> (Action, Redaction) {
        match self {
            Self::Word(ActionWord::Allow) => (Action::Allow, Redaction::default()),
            Self::Word(ActionWord::Alert) => (Action::Alert, Redaction::default()),
            Self::Word(ActionWord::Redact) => (Action::Redact, Redaction::default()),
            Self::Word(ActionWord::Block) => (Action::Block, Redaction::default()),
            Self::Redact(spec) => (Action::Redact, spec.redact),
        }
    }
}

impl ContentSpec {
    /// The rule at `index` of its policy.
    pub(super) fn check(
        self,
        index: usize,
        catalog: &DetectorCatalog,
        problems: &mut Problems<'_>,
    ) -> ContentRule {
        if self.detect.values.is_empty() {
            problems.add(
                self.detect.at,
                "the rule names no detector; name at least one, as in `detect: [pii.credit_card]`",
            );
        }
        for name in &self.detect.values {
            let compiled = catalog.compile(&[name.value.as_str()], Judgement::default());
            problems.take(name.referenced, compiled);
        }
        let (action, redaction) = self.action.action();
        let name = self.name.and_then(|name| check_name(name, problems));
        let least = self.min_confidence;
        let min_confidence_percent = least.and_then(|least| percent(&least, problems));
        ContentRule {
            name: name.unwrap_or_else(|| index.to_string()),
            detect: self.detect.values.into_iter().map(|name| name.value).collect(),
            parts: looks_in(self.parts, redaction, problems),
            min_confidence_percent,
            action,
            redaction,
            owasp: self.owasp.and_then(|owasp| category(&owasp, problems)),
        }
    }
}

/// Where a rule looks. What is reversible is a finding in the prompt.
fn looks_in(written: Option<OneOrMany>, redaction: Redaction, problems: &mut Problems<'_>) -> PartSet {
    let reversible = redaction.is_reversible();
    let Some(list) = written else {
        return if reversible {
            PartSet::prompt()
        } else {
            PartSet::ALL
        };
    };
    let at = list.at;
    let set = parts(list, problems);
    if reversible && set.meets(PartSet::response()) {
        problems.add(
            at,
            "only what is found in the prompt can be put back; write `in: [prompt]`, and another rule for the response",
        );
    }
    set
}

pub(super) fn check_name(name: Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=MAX_NAME_BYTES).contains(&name.value.len()) && name.value.bytes().all(allowed) {
        return Some(name.value);
    }
    problems.add(
        name.referenced,
        format_args!(
            "`{}` is no name of a rule; write 1 to {MAX_NAME_BYTES} letters, digits, `-`, `_` or `.`",
            name.value
        ),
    );
    None
}

pub(super) fn parts(list: OneOrMany, problems: &mut Problems<'_>) -> PartSet {
    if list.values.is_empty() {
        problems.add(
            list.at,
            "the rule looks nowhere; write `in: [prompt]`, `in: [response]` or parts of them",
        );
    }
    let mut set = PartSet::default();
    for written in list.values {
        let word = written.value.as_str();
        let part = Part::ALL.iter().find(|part| part.name() == word);
        set = set.with(match (word, part) {
            ("prompt", _) => PartSet::prompt(),
            ("response", _) => PartSet::response(),
            (_, Some(part)) => PartSet::from_iter([*part]),
            (other, None) => {
                let names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
                problems.add(
                    written.referenced,
                    format_args!(
                        "`{other}` is not a part of an exchange; write `prompt`, `response` or one of {}",
                        names.join(", ")
                    ),
                );
                continue;
            }
        });
    }
    set
}

pub(super) fn category(written: &Spanned<String>, problems: &mut Problems<'_>) -> Option<Owasp> {
    let found = Owasp::ALL
        .iter()
        .find(|owasp| owasp.name().eq_ignore_ascii_case(&written.value));
    if found.is_none() {
        problems.add(
            written.referenced,
            format_args!(
                "`{}` is no category of the OWASP Top 10 for LLM applications; write LLM01 to LLM10",
                written.value
            ),
        );
    }
    found.copied()
}
