//! The `usage` object of version 2, and the `meta` object of everything else.

use crate::{JsonError, UsageCounters, json::Reader, usage::count};

/// Reads either; `None` when it has no tokens (a rerank's has search units).
///
/// `tokens` is what the model read and wrote, `billed_units` what is paid for, which leaves out the provider's own
/// instructions. The former is kept where there are both. `cached_tokens` are prompt tokens (cohere-python 7.3.1,
/// `types/usage.py`, `types/api_meta.py`).
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>, JsonError> {
    let mut tokens = UsageCounters::default();
    let mut billed = UsageCounters::default();
    let mut cached = 0;
    reader.object(|reader, key| match &*key.text() {
        "tokens" => units(reader, &mut tokens),
        "billed_units" => units(reader, &mut billed),
        "cached_tokens" => count(reader, &mut cached),
        _ => reader.skip().map(drop),
    })?;
    let mut counters = if tokens == UsageCounters::default() {
        billed
    } else {
        tokens
    };
    if counters == UsageCounters::default() {
        return Ok(None);
    }
    counters.prompt_includes_cache = true;
    counters.cache_read = cached;
    counters.modalities = billed.modalities;
    Ok(Some(counters))
}

/// Of an embedding, `input_tokens` may be missing beside `text_tokens` and `image_tokens`
/// (`types/api_meta_billed_units.py`).
fn units(reader: &mut Reader<'_>, counters: &mut UsageCounters) -> Result<(), JsonError> {
    let (mut text, mut image) = (0, 0);
    reader.object(|reader, key| match &*key.text() {
        "input_tokens" => count(reader, &mut counters.prompt),
        "output_tokens" => count(reader, &mut counters.completion),
        "text_tokens" => count(reader, &mut text),
        "image_tokens" => count(reader, &mut image),
        _ => reader.skip().map(drop),
    })?;
    counters.prompt = counters.prompt.max(text.saturating_add(image));
    counters.modalities.input_image = counters.modalities.input_image.max(image);
    Ok(())
}
