//! How long a prompt may be, and in which languages.

use monitor_content::language;
use monitor_protocol::{Place, RefusalReason, Request, Text};

use super::conditions::prompt_bytes;
use super::{Exchange, Refusal};
use crate::config::PromptLimit;
use crate::event::{Part, Reason, Verdict};

/// Texts of a request whose language is told, the newest ones: a conversation sends the older ones again with every turn.
const MAX_TEXTS: usize = 16;

impl Exchange {
    /// Refuses a prompt that is longer than a policy allows.
    pub(super) fn check_prompt_size(&mut self, tokens: u64, request: &Request<'_>) -> Result<(), Refusal> {
        let applied = self.applied.clone();
        for rule in &applied.prompt_limits {
            let (size, limit, counts) = match rule.limit {
                PromptLimit::Tokens(limit) => (tokens, limit, "tokens"),
                PromptLimit::Bytes(limit) => (prompt_bytes(request), limit, "bytes"),
            };
            if size <= limit {
                continue;
            }
            if rule.enforce {
                let reason = RefusalReason::PromptSize {
                    name: rule.policy.to_string(),
                    limit,
                    counts,
                };
                return Err(self.refuse(reason, Reason::PromptSize, Some(rule.policy.clone())));
            }
            self.observe(Verdict::Denied, Reason::PromptSize, &rule.policy);
        }
        Ok(())
    }

    /// Refuses a user's text in a language that a policy does not allow, where that is certain.
    pub(super) fn check_languages(&mut self, texts: &[Text<'_>]) -> Option<Refusal> {
        let applied = self.applied.clone();
        if applied.languages.is_empty() {
            return None;
        }
        let is_users = |text: &&Text<'_>| {
            text.place == Place::Message && Part::of_request(text.role, text.place) == Part::User
        };
        for text in texts.iter().rev().filter(is_users).take(MAX_TEXTS) {
            let Some(language) = language(&text.text()) else {
                continue;
            };
            for rule in applied
                .languages
                .iter()
                .filter(|rule| !rule.allow.contains(&language))
            {
                if rule.enforce {
                    let reason = RefusalReason::Language {
                        name: rule.policy.to_string(),
                    };
                    return Some(self.refuse(reason, Reason::Language, Some(rule.policy.clone())));
                }
                self.observe(Verdict::Denied, Reason::Language, &rule.policy);
            }
        }
        None
    }
}
