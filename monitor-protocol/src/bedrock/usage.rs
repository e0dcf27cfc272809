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
        // The writes by lifetime: `API_runtime_CacheDetail`.
        "cacheDetails" => reader
            .array(|reader| cache_detail(reader, &mut counters.cache_write_1h))
            .map(drop),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}

fn cache_detail(reader: &mut Reader<'_>, hour: &mut u64) -> Result<()> {
    let (mut tokens, mut is_hour) = (0, false);
    reader.object(|reader, key| match &*key.text() {
        "inputTokens" => count(reader, &mut tokens),
        "ttl" => {
            is_hour = reader.string()?.is_some_and(|ttl| ttl.text() == "1h");
            Ok(())
        }
        _ => reader.skip().map(drop),
    })?;
    if is_hour {
        *hour = tokens.max(*hour);
    }
    Ok(())
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

/// Header fields of a whole answer of invoke that say what it cost, for models (Mistral, Cohere, gpt-oss) whose own
/// documents do not. AWS's API reference does not list them (aws/aws-sdk-js-v3, issue 8172); Cohere's SDK reads them
/// (cohere-python, `aws_client.py`), as does Vercel's, which tried it on the live service (vercel/ai, pull request 15973).
/// The prompt is told without cached tokens, as in the metrics of a stream.
pub const USAGE_FIELDS: [&str; 4] = [
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-output-token-count",
    "x-amzn-bedrock-cache-read-input-token-count",
    "x-amzn-bedrock-cache-write-input-token-count",
];

impl UsageCounters {
    /// Takes one of [`USAGE_FIELDS`], whose name may be in any case. Returns whether it is one, and a number of tokens;
    /// anything else changes nothing.
    pub fn take_field(&mut self, name: &str, value: &[u8]) -> bool {
        let value = value.trim_ascii();
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let Some(tokens) = std::str::from_utf8(value)
            .ok()
            .and_then(|value| value.parse().ok())
        else {
            return false;
        };
        let counters = [
            &mut self.prompt,
            &mut self.completion,
            &mut self.cache_read,
            &mut self.cache_write,
        ];
        let mut known = USAGE_FIELDS.into_iter().zip(counters);
        let Some((_, counter)) = known.find(|(field, _)| name.eq_ignore_ascii_case(field)) else {
            return false;
        };
        *counter = tokens;
        true
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_of_invoke_are_counters() {
        let mut counters = UsageCounters::default();
        for (name, value) in [
            ("X-Amzn-Bedrock-Input-Token-Count", "14"),
            ("x-amzn-bedrock-output-token-count", " 36 "),
            ("x-amzn-bedrock-cache-read-input-token-count", "5"),
            ("x-amzn-bedrock-cache-write-input-token-count", "0"),
        ] {
            assert!(counters.take_field(name, value.as_bytes()), "{name}");
        }
        let told = counters;
        for (name, value) in [
            ("x-amzn-bedrock-invocation-latency", "926"),
            ("x-amzn-bedrock-input-token-count", "-1"),
            ("x-amzn-bedrock-input-token-count", "+1"),
            ("x-amzn-bedrock-input-token-count", ""),
            ("x-amzn-bedrock-input-token-count", "1e3"),
            ("x-amzn-bedrock-input-token-count", "99999999999999999999"),
        ] {
            assert!(!counters.take_field(name, value.as_bytes()), "{name}: {value}");
        }
        assert_eq!(counters, told);
        let usage = counters.usage();
        assert_eq!((usage.input, usage.cache_read, usage.output), (14, 5, 36));
    }
}
