//! The `usage` object, by whichever of OpenAI's names.

use crate::{JsonError, Modalities, UsageCounters, json::Reader};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads a `usage` object of an operation that writes an answer; anything else, and usage that is told as a duration,
/// gives `None`.
///
/// One reader for all operations: chat and completions say `prompt_tokens` and `completion_tokens` (openai-python 3.54.0,
/// `types/completion_usage.py`), responses and images `input_tokens` and `output_tokens` with `…_tokens_details`
/// (`types/responses/response_usage.py`, `types/images_response.py`), realtime and transcriptions `…_token_details`
/// (`types/realtime/realtime_response_usage.py`, `types/audio/transcription.py`). Beside them the names of servers that put
/// the same counts elsewhere: DeepSeek's `prompt_cache_hit_tokens`, Moonshot's top-level `cached_tokens`, Perplexity's
/// top-level `reasoning_tokens`. The prompt includes cached tokens, the completion includes reasoning.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let mut counters = UsageCounters {
        prompt_includes_cache: true,
        ..UsageCounters::default()
    };
    let mut is_duration = false;
    let found = reader.object(|reader, key| match &*key.text() {
        "prompt_tokens" | "input_tokens" => count(reader, &mut counters.prompt),
        "completion_tokens" | "output_tokens" => count(reader, &mut counters.completion),
        "total_tokens" => count(reader, &mut counters.total),
        "prompt_cache_hit_tokens" | "cached_tokens" => count(reader, &mut counters.cache_read),
        "reasoning_tokens" => count(reader, &mut counters.reasoning),
        "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
            prompt_details(reader, &mut counters)
        }
        "completion_tokens_details" | "output_tokens_details" | "output_token_details" => {
            completion_details(reader, &mut counters)
        }
        "type" => {
            is_duration = reader.string()?.is_some_and(|kind| kind.text() == "duration");
            Ok(())
        }
        _ => reader.skip().map(drop),
    })?;
    Ok((found && !is_duration).then_some(counters))
}

/// Reads a `usage` object of an operation that writes no answer: all tokens are the prompt's, whatever a server has left
/// out. Jina, Voyage and others tell only the total.
pub(super) fn read_prompt(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    Ok(read(reader)?.map(|counters| UsageCounters {
        prompt: counters
            .prompt
            .max(counters.total.saturating_sub(counters.completion)),
        ..counters
    }))
}

/// Reads usage that stands beside the answer's own and is in none of its counters: of a tool that the provider runs
/// (`tool_usage.image_gen`, `types/responses/response.py`), of a second model (`svg_usage`, `types/images_response.py`).
pub(super) fn read_aside(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    Ok(read(reader)?.map(|counters| UsageCounters {
        aside: counters.usage(),
        modalities: counters.modalities,
        ..UsageCounters::default()
    }))
}

fn prompt_details(reader: &mut Reader<'_>, counters: &mut UsageCounters) -> Result<()> {
    let Modalities {
        input_audio,
        input_image,
        input_video,
        ..
    } = &mut counters.modalities;
    reader
        .object(|reader, key| match &*key.text() {
            "cached_tokens" => count(reader, &mut counters.cache_read),
            "cache_write_tokens" => count(reader, &mut counters.cache_write),
            "audio_tokens" => count(reader, input_audio),
            "image_tokens" => count(reader, input_image),
            "video_tokens" => count(reader, input_video),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

fn completion_details(reader: &mut Reader<'_>, counters: &mut UsageCounters) -> Result<()> {
    let Modalities {
        output_audio,
        output_image,
        ..
    } = &mut counters.modalities;
    reader
        .object(|reader, key| match &*key.text() {
            "reasoning_tokens" => count(reader, &mut counters.reasoning),
            "audio_tokens" => count(reader, output_audio),
            "image_tokens" => count(reader, output_image),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// Reads a count into `field`, if it is larger: the same count may stand in two places.
pub(super) fn count(reader: &mut Reader<'_>, field: &mut u64) -> Result<()> {
    if let Some((count, _)) = reader.count()? {
        *field = count.max(*field);
    }
    Ok(())
}
