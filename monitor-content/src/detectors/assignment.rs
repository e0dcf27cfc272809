//! Secrets that only their context tells: `DB_PASSWORD=…`, `"client_secret": "…"`, `the password is …`, or an issuer's name
//! beside a value of the shape its keys have.
//!
//! 1. A word that names a secret or an issuer is found, in any case.
//! 2. What follows is read as an assignment: the rest of the name, an operator, the value ([`syntax`]).
//! 3. The value is judged ([`value`]): an issuer's shape beside its name, else random enough for a key, or mixed enough
//!    for a password, and never a placeholder, a reference, a type, a path or words.
//!
//! Only the value is the finding, and every word is judged for itself, so nothing is held back before the value begins.

mod issuers;
mod names;
mod syntax;
mod value;

use issuers::ISSUERS;
use names::{Kind, Name, Words};
use syntax::Assigned;
use value::Value;

use super::trigger::Triggers;
use super::{CONTEXT_BYTES, Engine};
use crate::Finding;
use crate::finding::Ahead;

const PASSWORD: &str = "secret.password";
const GENERIC: &str = "secret.generic";
const HTTP: &str = "secret.http_credentials";
const WIREGUARD: &str = "secret.wireguard";

/// Finds secrets by what they are assigned to.
#[derive(Debug)]
pub(super) struct Assignments {
    triggers: Triggers,
    words: Words,
    /// The detectors that are selected.
    selected: Vec<&'static str>,
}

impl Assignments {
    /// `None` when no detector of this kind is selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        let names = ISSUERS.iter().map(|issuer| issuer.detector);
        let mut selected: Vec<_> = [PASSWORD, GENERIC, HTTP, WIREGUARD]
            .into_iter()
            .chain(names)
            .filter(|name| selected.contains(name))
            .collect();
        selected.sort_unstable();
        selected.dedup();
        let words = names::words().chain(issuers::words());
        (!selected.is_empty()).then(|| Self {
            triggers: Triggers::new(words.map(str::as_bytes), true),
            words: Words::new(),
            selected,
        })
    }

    /// What a value is, and how surely.
    fn judge(&self, text: &[u8], name: &Name, assigned: &Assigned) -> Option<Finding> {
        let low = assigned.start.saturating_sub(CONTEXT_BYTES);
        let bytes = text.get(assigned.start..assigned.end)?;
        let value = Value::new(bytes);
        let finding = |detector, confidence_percent, explanation| Finding {
            detector,
            start: assigned.start,
            end: assigned.end,
            confidence_percent,
            explanation,
            continued: false,
        };
        let kind = name.kind.filter(|_| assigned.operator);
        let context = text.get(low..assigned.start)?;
        if kind != Some(Kind::Basic) && value.placeholder() {
            return None;
        }
        let found = issuers::matching(context, &value, kind.is_some())
            .filter(|detector| self.selected.contains(detector))
            .map(|detector| finding(detector, 85, "the issuer's name and a value of its keys' shape"));
        found.or_else(|| {
            let (detector, confidence, explanation) = match kind? {
                Kind::Password => {
                    let confidence = value.as_password(assigned.quoted, assigned.tight)?;
                    (
                        PASSWORD,
                        confidence,
                        "a name of a password and a value that is no placeholder",
                    )
                }
                Kind::Bearer => (
                    HTTP,
                    value.as_bearer()?,
                    "the scheme of authentication and a random token",
                ),
                Kind::Basic => (
                    HTTP,
                    value.as_basic()?,
                    "the scheme of authentication, a user and a password",
                ),
                Kind::Curl => (
                    HTTP,
                    value.as_user_and_password()?,
                    "curl's option, a user and a password",
                ),
                Kind::Login | Kind::Client => (
                    PASSWORD,
                    value.as_password(true, true)?,
                    "a command's option for a password",
                ),
                kind => {
                    if names::wants_wireguard(context) && value.is_wireguard() {
                        (WIREGUARD, 90, "a name of a private key and 32 bytes in base64")
                    } else {
                        let confidence = value.as_key(kind, name.compound, assigned.quoted)?;
                        (GENERIC, confidence, "a name of a secret and a random value")
                    }
                }
            };
            self.selected
                .contains(&detector)
                .then(|| finding(detector, confidence, explanation))
        })
    }
}

impl Engine for Assignments {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let first = out.len();
        let mut held = text.len();
        let mut at = from.saturating_sub(CONTEXT_BYTES);
        while let Some(hit) = self.triggers.find(text, at) {
            at = hit + 1;
            if hit >= held {
                break;
            }
            let Some(name) = names::read(&self.words, text, hit) else {
                continue;
            };
            match syntax::read(text, &name, from, ahead) {
                syntax::Reading::Not => {}
                syntax::Reading::Undecided(start) => held = held.min(start.max(from)),
                syntax::Reading::Assigned(assigned) => {
                    let known = out
                        .get(first..)
                        .is_some_and(|new| new.last().is_some_and(|last| last.start == assigned.start));
                    if assigned.start >= from && !known {
                        out.extend(self.judge(text, &name, &assigned));
                    }
                }
            }
        }
        let mut index = 0;
        out.retain(|finding| {
            index += 1;
            index <= first || finding.start < held
        });
        held
    }
}
