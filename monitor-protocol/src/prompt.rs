//! Counting a prompt: what to hand to a tokenizer, and what to add to its count.

use crate::{Call, Certainty, Place, Request, image};

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
    let mut plan = call.shape.shape().prompt_count(call, body, request);
    let model = request
        .model
        .as_deref()
        .or(call.model.as_deref())
        .unwrap_or_default();
    add_images(&mut plan, model, request);
    plan
}

/// Adds what images cost by the formulas of the model's family. Where that is all that a count of the texts lacks, nothing is
/// hidden any more.
fn add_images(plan: &mut PromptCount, model: &str, request: &Request<'_>) {
    let mut counted = 0;
    for image in &request.images {
        if let Some(tokens) = image::tokens(model, image.size, image.low) {
            plan.overhead = plan.overhead.saturating_add_unsigned(tokens);
            counted += 1;
        }
    }
    if counted > 0 && counted == request.attachments.total() && !request.hidden {
        plan.certainty = Certainty::Estimated;
    }
}

/// Tokens around a message and its role, near enough for any chat template.
const PER_MESSAGE: i64 = 4;
/// Tokens of punctuation and fixed words around each string of a tool definition.
const PER_TOOL_TEXT: i64 = 3;

/// The plan for a model whose template and vocabulary are not known here: its texts, and a little around them.
pub(crate) fn estimate(request: &Request<'_>) -> PromptCount {
    let tool_texts = request
        .texts
        .iter()
        .filter(|text| text.counted && text.place == Place::ToolDefinition)
        .count();
    let tool_texts = i64::try_from(tool_texts).unwrap_or(i64::MAX);
    PromptCount {
        overhead: (i64::from(request.messages) * PER_MESSAGE)
            .saturating_add(tool_texts.saturating_mul(PER_TOOL_TEXT)),
        extra: Vec::new(),
        certainty: if request.attachments.total() > 0 {
            Certainty::UnderEstimate
        } else {
            Certainty::Estimated
        },
    }
}
