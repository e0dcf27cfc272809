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
    let found = reader.object(|reader, key| match &*key.text() {
        "iterations" => {
            // Of a duplicated key the last one counts, as in every object.
            aside = Usage::default();
            reader.array(|reader| iteration(reader, &mut aside)).map(drop)
        }
        key => member(reader, key, &mut counters),
    })?;
    counters.aside = aside;
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
            reader.object(|reader, _| {
                sum = sum.saturating_add(reader.count()?.map_or(0, |(count, _)| count));
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

fn iteration(reader: &mut Reader<'_>, aside: &mut Usage) -> Result<(), JsonError> {
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
        aside.output = aside.output.saturating_add(usage.output);
        aside.reasoning = aside.reasoning.saturating_add(usage.reasoning);
    }
    Ok(())
}
