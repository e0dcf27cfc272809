//! The `usage` object, of a message and of a `message_delta`.

use crate::{JsonError, Usage, UsageCounters, json::Reader, usage::count};

/// Reads a `usage` object; any other value gives `None`.
///
/// "Total input tokens in a request is the summation of `input_tokens`, `cache_creation_input_tokens`, and
/// `cache_read_input_tokens`"; `output_tokens` is the inclusive total (anthropic-python 2.12.0, `types/message.py`,
/// `types/usage.py`). Of `iterations`, `compaction` entries "are not included in the top-level `usage` fields"
/// (`types/beta/beta_usage.py`), and an `advisor_message` is the inference of another model; both are added here.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>, JsonError> {
    let mut counters = UsageCounters::default();
    let mut aside = Usage::default();
    let mut aside_cache_write_1h = 0;
    let found = reader.object(|reader, key| match &*key.text() {
        "iterations" => {
            // Of a duplicated key the last one counts, as in every object.
            aside = Usage::default();
            aside_cache_write_1h = 0;
            reader
                .array(|reader| iteration(reader, &mut aside, &mut aside_cache_write_1h))
                .map(drop)
        }
        key => member(reader, key, &mut counters),
    })?;
    counters.aside = aside;
    counters.aside_cache_write_1h = aside_cache_write_1h;
    Ok(found.then_some(counters))
}

fn member(reader: &mut Reader<'_>, key: &str, counters: &mut UsageCounters) -> Result<(), JsonError> {
    match key {
        "input_tokens" => count(reader, &mut counters.prompt),
        "output_tokens" => count(reader, &mut counters.completion),
        "cache_read_input_tokens" => count(reader, &mut counters.cache_read),
        "cache_creation_input_tokens" => count(reader, &mut counters.cache_write),
        // The same tokens by lifetime; for servers that give only these.
        "cache_creation" => {
            let mut sum: u64 = 0;
            let hour = &mut counters.cache_write_1h;
            reader.object(|reader, key| {
                let tokens = reader.count()?.map_or(0, |(count, _)| count);
                if &*key.text() == "ephemeral_1h_input_tokens" {
                    *hour = tokens.max(*hour);
                }
                sum = sum.saturating_add(tokens);
                Ok(())
            })?;
            counters.cache_write = counters.cache_write.max(sum);
            Ok(())
        }
        "output_tokens_details" => reader
            .object(|reader, key| match &*key.text() {
                "thinking_tokens" => count(reader, &mut counters.reasoning),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        _ => reader.skip().map(drop),
    }
}

fn iteration(
    reader: &mut Reader<'_>,
    aside: &mut Usage,
    aside_cache_write_1h: &mut u64,
) -> Result<(), JsonError> {
    let mut counters = UsageCounters::default();
    let mut is_aside = false;
    reader.object(|reader, key| match &*key.text() {
        "type" => {
            is_aside = reader
                .string()?
                .is_some_and(|kind| matches!(&*kind.text(), "compaction" | "advisor_message"));
            Ok(())
        }
        key => member(reader, key, &mut counters),
    })?;
    if is_aside {
        let usage = counters.usage();
        aside.input = aside.input.saturating_add(usage.input);
        aside.cache_read = aside.cache_read.saturating_add(usage.cache_read);
        aside.cache_write = aside.cache_write.saturating_add(usage.cache_write);
        *aside_cache_write_1h = aside_cache_write_1h.saturating_add(counters.cache_write_1h());
        aside.output = aside.output.saturating_add(usage.output);
        aside.reasoning = aside.reasoning.saturating_add(usage.reasoning);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(json: &str) -> UsageCounters {
        read(&mut Reader::new(json.as_bytes()).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn cache_writes_by_lifetime() {
        let start = counters(
            r#"{"input_tokens": 3, "cache_creation_input_tokens": 1500, "output_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 1044, "ephemeral_1h_input_tokens": 456}}"#,
        );
        let end = counters(r#"{"output_tokens": 90, "cache_creation_input_tokens": 1500}"#);
        let merged = start.merge(end);
        assert_eq!(
            (merged.usage().cache_write, merged.cache_write_1h()),
            (1_500, 456)
        );
        // Those of a compaction are beside the rest.
        let compacted = counters(
            r#"{"input_tokens": 3, "cache_creation_input_tokens": 100, "output_tokens": 1,
                "cache_creation": {"ephemeral_1h_input_tokens": 100},
                "iterations": [
                    {"type": "compaction", "cache_creation_input_tokens": 50, "cache_creation": {"ephemeral_1h_input_tokens": 40}},
                    {"type": "message", "cache_creation": {"ephemeral_1h_input_tokens": 100}}
                ]}"#,
        );
        assert_eq!(
            (compacted.usage().cache_write, compacted.cache_write_1h()),
            (150, 140)
        );
        // A part is never more than the whole.
        let odd = counters(
            r#"{"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 9e0}}"#,
        );
        assert!(odd.cache_write_1h() <= odd.usage().cache_write);
        assert_eq!(
            counters(r#"{"cache_creation_input_tokens": 7}"#).cache_write_1h(),
            0
        );
    }
}
