//! Prompt tokens.

use crate::{Certainty, PromptCount, Request};

/// Tokens around each message. google-genai's own local count has none (3.4.0, `local_tokenizer.py`, `_TextsAccumulator`:
/// the texts alone), and what the API reports for one message is one more than its text.
const PER_MESSAGE: i64 = 1;

/// The texts that are counted are those of `_TextsAccumulator`: contents, system instruction, names and keys and strings
/// of calls and their answers, and of declarations and schemas.
pub(super) fn prompt_count(request: &Request<'_>) -> PromptCount {
    PromptCount {
        overhead: i64::from(request.messages) * PER_MESSAGE,
        extra: Vec::new(),
        certainty: if request.attachments.total() > 0 {
            Certainty::UnderEstimate
        } else {
            Certainty::Estimated
        },
    }
}
