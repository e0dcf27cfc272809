//! The `usage` object.

use crate::{JsonError, UsageCounters, json::Reader};

/// Reads a `usage` object; any other value gives `None`.
///
/// Beside OpenAI's own fields (openai-python 3.54.0, `types/completion_usage.py`) those of servers that put the same
/// counts elsewhere: DeepSeek's `prompt_cache_hit_tokens`, Moonshot's top-level `cached_tokens`, Perplexity's top-level
/// `reasoning_tokens`. `prompt_tokens` includes cached tokens, `completion_tokens` includes reasoning.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>, JsonError> {
    let mut counters = UsageCounters {
        prompt_includes_cache: true,
        ..UsageCounters::default()
    };
    let found = reader.object(|reader, key| match &*key.text() {
        "prompt_tokens" => count(reader, &mut counters.prompt),
        "completion_tokens" => count(reader, &mut counters.completion),
        "total_tokens" => count(reader, &mut counters.total),
        "prompt_cache_hit_tokens" | "cached_tokens" => count(reader, &mut counters.cache_read),
        "reasoning_tokens" => count(reader, &mut counters.reasoning),
        "prompt_tokens_details" => reader
            .object(|reader, key| match &*key.text() {
                "cached_tokens" => count(reader, &mut counters.cache_read),
                "cache_write_tokens" => count(reader, &mut counters.cache_write),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "completion_tokens_details" => reader
            .object(|reader, key| match &*key.text() {
                "reasoning_tokens" => count(reader, &mut counters.reasoning),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}

/// Reads a count into `field`, if it is larger: the same count may stand in two places.
fn count(reader: &mut Reader<'_>, field: &mut u64) -> Result<(), JsonError> {
    if let Some((count, _)) = reader.count()? {
        *field = count.max(*field);
    }
    Ok(())
}
