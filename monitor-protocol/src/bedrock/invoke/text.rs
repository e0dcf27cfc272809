//! Models that complete a prompt, and models whose shape is not known.
//!
//! Members: Bedrock's user guide, "Inference request parameters and response fields for foundation models": Titan
//! (`inputText`, `results`), Llama (`prompt`, `generation`), Mistral (`prompt`, `outputs`), DeepSeek R1 (`prompt`,
//! `choices`), the older models of Cohere (`generations`), AI21 (`completions`) and Anthropic (`completion`). What has
//! another name is listed as well: who edits or looks for a text does not miss it because of a name.

use super::super::{finish, usage};
use crate::{
    JsonError, OutputLimit, Part, Place, ReadError, Request, Role,
    json::{Reader, document},
    reading::Reading,
    request::unknown_key,
};

type Result<T> = std::result::Result<T, JsonError>;

/// The index of texts in a place that is not known.
const ELSEWHERE: u32 = u32::MAX;

/// Members that are no text: data, references and fixed words.
const OPAQUE: &[&str] = &[
    "artifacts",
    "base64",
    "embedding",
    "embeddings",
    "embeddingsByType",
    "id",
    "image",
    "images",
    "model",
    "object",
    "role",
    "seeds",
    "type",
];

pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| member(reader, &key.text(), &mut request))?;
    Ok(request)
}

fn member<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "prompt" | "inputText" => request.push_value(reader, Role::User, Place::Message),
        // Llama, Mistral and DeepSeek, AI21, Anthropic, Titan.
        "max_gen_len" | "max_tokens" | "maxTokens" | "max_tokens_to_sample" | "maxTokenCount" => {
            request.max_output_tokens = reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
            Ok(())
        }
        "textGenerationConfig" => reader
            .object(|reader, key| member(reader, &key.text(), request))
            .map(drop),
        "images" => reader
            .array(|reader| {
                request.attachments.images = request.attachments.images.saturating_add(1);
                reader.skip().map(drop)
            })
            .map(drop),
        "inputImage" | "image" => {
            request.attachments.images = request.attachments.images.saturating_add(1);
            reader.skip().map(drop)
        }
        "stop" | "stopSequences" | "stop_sequences" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// A whole answer, or an event of a stream: the same members.
pub(super) fn read(document: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    Reading::read(document, |reading, reader, key| match key {
        "outputText" | "generation" | "completion" | "text" => reading.text(reader, Part::Text, 0),
        "results" | "outputs" | "choices" | "generations" | "completions" => several(reading, reader),
        "completionReason" | "stop_reason" | "finish_reason" => reading.finish(reader, finish),
        "inputTextTokenCount" | "prompt_token_count" => {
            reading.counted(reader, |counters, count| counters.prompt = count)
        }
        "totalOutputTextTokenCount" | "generation_token_count" => {
            reading.counted(reader, |counters, count| counters.completion = count)
        }
        "usage" => reading.usage(reader, usage::any),
        usage::METRICS => reading.usage(reader, usage::metrics),
        key if OPAQUE.contains(&key) || key.starts_with("amazon-bedrock-") => reader.skip().map(drop),
        _ => reading.texts(reader, Part::Text, ELSEWHERE, OPAQUE),
    })
}

/// Several completions of the prompt. Titan counts the tokens of each.
fn several<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    let mut tokens: u64 = 0;
    reading.choice = 0;
    reader.array(|reader| {
        reader.object(|reader, key| match &*key.text() {
            "outputText" | "text" => reading.text(reader, Part::Text, 0),
            "completionReason" | "stop_reason" | "finish_reason" => reading.finish(reader, finish),
            "tokenCount" => {
                tokens = tokens.saturating_add(reader.count()?.map_or(0, |(count, _)| count));
                Ok(())
            }
            key if OPAQUE.contains(&key) => reader.skip().map(drop),
            _ => reading.texts(reader, Part::Text, ELSEWHERE, OPAQUE),
        })?;
        reading.choice = reading.choice.saturating_add(1);
        Ok(())
    })?;
    reading.choice = 0;
    if tokens > 0 {
        reading.count(crate::UsageCounters {
            completion: tokens,
            ..crate::UsageCounters::default()
        });
    }
    Ok(())
}
