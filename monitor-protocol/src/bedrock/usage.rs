//! Token counts: converse's `TokenUsage`, and what Bedrock adds to the last event of an invoke stream.

use crate::{JsonError, UsageCounters, json::Reader, usage::count};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads `TokenUsage`, of converse and (with the longer names of the cache counts) of Nova's own answers. `inputTokens`
/// are those neither read from nor written to a cache: Bedrock's user guide, "Prompt caching". `totalTokens` is all.
pub(super) fn token_usage(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let mut counters = UsageCounters::default();
    let found = reader.object(|reader, key| match &*key.text() {
        "inputTokens" => count(reader, &mut counters.prompt),
        "outputTokens" => count(reader, &mut counters.completion),
        "totalTokens" => count(reader, &mut counters.total),
        "cacheReadInputTokens" | "cacheReadInputTokenCount" => count(reader, &mut counters.cache_read),
        "cacheWriteInputTokens" | "cacheWriteInputTokenCount" => count(reader, &mut counters.cache_write),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}

/// The member that Bedrock adds to a model's last event.
pub(super) const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// Reads the value of [`METRICS`].
pub(super) fn metrics(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let mut counters = UsageCounters::default();
    let found = reader.object(|reader, key| match &*key.text() {
        "inputTokenCount" => count(reader, &mut counters.prompt),
        "outputTokenCount" => count(reader, &mut counters.completion),
        "cacheReadInputTokenCount" => count(reader, &mut counters.cache_read),
        "cacheWriteInputTokenCount" => count(reader, &mut counters.cache_write),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}

/// Reads the usage object of a model whose shape is not known, by the names that other families use.
pub(super) fn any(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let mut counters = UsageCounters::default();
    let found = reader.object(|reader, key| match &*key.text() {
        "input_tokens" | "prompt_tokens" | "inputTokens" => count(reader, &mut counters.prompt),
        "output_tokens" | "completion_tokens" | "outputTokens" => count(reader, &mut counters.completion),
        "total_tokens" | "totalTokens" => count(reader, &mut counters.total),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}
