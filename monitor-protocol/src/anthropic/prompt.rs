//! Prompt tokens. Anthropic publishes no tokenizer, so every count is an estimate.

use crate::{Certainty, Place, PromptCount, Request};

/// Tokens around each message: what `count_tokens` reports for a message beyond its text, near enough.
const PER_MESSAGE: i64 = 4;
/// Tokens of punctuation and fixed words around each string of a tool definition.
const PER_TOOL_TEXT: i64 = 3;
/// The system prompt that any tool brings with it: Anthropic's documentation, "Tool use: pricing", gives 313 to 346 for
/// the current models.
const TOOLS: i64 = 346;

pub(super) fn prompt_count(request: &Request<'_>) -> PromptCount {
    let tool_texts = request
        .texts
        .iter()
        .filter(|text| text.place == Place::ToolDefinition)
        .count();
    let tools = match i64::try_from(tool_texts) {
        Ok(0) => 0,
        Ok(texts) => TOOLS + texts * PER_TOOL_TEXT,
        Err(_) => i64::MAX,
    };
    PromptCount {
        overhead: (i64::from(request.messages) * PER_MESSAGE).saturating_add(tools),
        extra: Vec::new(),
        certainty: if request.attachments.total() > 0 {
            Certainty::UnderEstimate
        } else {
            Certainty::Estimated
        },
    }
}
