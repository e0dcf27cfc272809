//! Counting a prompt: what to hand to a tokenizer, and what to add to its count.

use crate::{Call, Certainty, Request};

/// The plan for one request's prompt count:
/// `overhead + Σ count(text.text()) for texts with text.counted + Σ count(line) for lines of extra`.
#[derive(Clone, PartialEq, Eq)]
pub struct PromptCount {
    /// Tokens that stand for the shape of the conversation. Negative when the published rule of a part subtracts.
    pub overhead: i64,
    /// Lines that a provider renders from tool schemas, to be counted one by one.
    pub extra: Vec<String>,
    /// How far the count can be trusted, given the model's own vocabulary.
    pub certainty: Certainty,
}

impl std::fmt::Debug for PromptCount {
    /// Never shows a line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromptCount")
            .field("overhead", &self.overhead)
            .field("extra_lines", &self.extra.len())
            .field("certainty", &self.certainty)
            .finish()
    }
}

/// The plan for `request`, which was read from `body`.
#[must_use]
pub fn prompt_count(call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount {
    call.shape.shape().prompt_count(call, body, request)
}
