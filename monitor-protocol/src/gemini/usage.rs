//! The `usageMetadata` object.

use super::key::camel;
use crate::{JsonError, Modalities, UsageCounters, json::Reader};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads a `usageMetadata` object; any other value gives `None`.
///
/// Every chunk of a stream has one, cumulative. `promptTokenCount` includes the cached tokens;
/// `totalTokenCount` "is the sum of `prompt_token_count`, `candidates_token_count`, `tool_use_prompt_token_count`, and
/// `thoughts_token_count`", so thoughts stand beside candidates and what tools answered beside the prompt (google-genai
/// 3.4.0, `types.py`, `GenerateContentResponseUsageMetadata`). A Live session says `responseTokenCount` for
/// `candidatesTokenCount` (`UsageMetadata`).
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let (mut prompt, mut tool_use, mut cached) = (0, 0, 0);
    let (mut candidates, mut thoughts, mut total) = (0, 0, 0);
    let mut modalities = Modalities::default();
    let found = reader.object(|reader, key| match &*camel(&key) {
        "promptTokenCount" => count(reader, &mut prompt),
        "toolUsePromptTokenCount" => count(reader, &mut tool_use),
        "cachedContentTokenCount" => count(reader, &mut cached),
        "candidatesTokenCount" | "responseTokenCount" => count(reader, &mut candidates),
        "thoughtsTokenCount" => count(reader, &mut thoughts),
        "totalTokenCount" => count(reader, &mut total),
        "promptTokensDetails" | "toolUsePromptTokensDetails" => details(reader, |modality, tokens| {
            let field = match modality {
                "AUDIO" => &mut modalities.input_audio,
                "IMAGE" => &mut modalities.input_image,
                "VIDEO" => &mut modalities.input_video,
                _ => return,
            };
            *field = field.saturating_add(tokens);
        }),
        "candidatesTokensDetails" | "responseTokensDetails" => details(reader, |modality, tokens| {
            let field = match modality {
                "AUDIO" => &mut modalities.output_audio,
                "IMAGE" => &mut modalities.output_image,
                _ => return,
            };
            *field = field.saturating_add(tokens);
        }),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then(|| UsageCounters {
        prompt_includes_cache: true,
        prompt: u64::saturating_add(prompt, tool_use),
        cache_read: cached,
        completion: u64::saturating_add(candidates, thoughts),
        reasoning: thoughts,
        total,
        modalities,
        ..UsageCounters::default()
    }))
}

/// `usageMetadata` of contents that are kept for later prompts: what is in the cache now (`types.py`,
/// `CachedContentUsageMetadata`).
pub(super) fn read_cached(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    let mut counters = UsageCounters::default();
    let found = reader.object(|reader, key| match &*camel(&key) {
        "totalTokenCount" => count(reader, &mut counters.cache_write),
        _ => reader.skip().map(drop),
    })?;
    Ok(found.then_some(counters))
}

/// `ModalityTokenCount`s.
fn details(reader: &mut Reader<'_>, mut add: impl FnMut(&str, u64)) -> Result<()> {
    reader
        .array(|reader| {
            let (mut modality, mut tokens) = (None, 0);
            reader.object(|reader, key| match &*camel(&key) {
                "modality" => {
                    modality = reader.string()?.map(|modality| modality.text());
                    Ok(())
                }
                "tokenCount" => count(reader, &mut tokens),
                _ => reader.skip().map(drop),
            })?;
            add(modality.as_deref().unwrap_or_default(), tokens);
            Ok(())
        })
        .map(drop)
}

pub(super) fn count(reader: &mut Reader<'_>, field: &mut u64) -> Result<()> {
    if let Some((count, _)) = super::request::number(reader)? {
        *field = count.max(*field);
    }
    Ok(())
}
