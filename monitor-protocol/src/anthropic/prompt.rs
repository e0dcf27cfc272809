//! Prompt tokens. Anthropic publishes no tokenizer, so every count is an estimate.

use crate::{Certainty, PromptCount, Request};

/// Tokens around each message: what `count_tokens` reports for a message beyond its text, near enough.
const PER_MESSAGE: i64 = 4;
/// The system prompt that any tool brings with it: Anthropic's documentation, "Tool use: pricing", gives 313 to 346 for
/// the current models.
const TOOLS: i64 = 346;

pub(crate) fn prompt_count(request: &Request<'_>) -> PromptCount {
    let tools = if request.tools.is_empty() { 0 } else { TOOLS };
    PromptCount {
        overhead: i64::from(request.messages) * PER_MESSAGE + tools,
        extra: Vec::new(),
        certainty: if request.attachments.total() > 0 {
            Certainty::UnderEstimate
        } else {
            Certainty::Estimated
        },
    }
}
