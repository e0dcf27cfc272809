//! Vertex's `:predict`: embeddings, images, videos, and models of anybody's.

use super::{
    answer::{self, Answer},
    content,
    key::camel,
};
use crate::{
    Channel, JsonError, Part, Place, Request, Role, UsageCounters,
    json::{Kind, Reader},
    request::{KeyUse, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// `instances`: `content` and `title` of what is embedded, `prompt` of what is painted (google-genai 3.4.0, `models.py`,
/// `_EmbedContentParametersPrivate_to_vertex`, `_GenerateImagesParameters_to_vertex`,
/// `_GenerateVideosParameters_to_vertex`). An endpoint's own model may take anything.
pub(super) fn instances<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| instances(reader, request)).map(drop),
        Kind::Object => reader
            .object(|reader, key| match &*camel(&key) {
                "content" | "prompt" | "text" => content::contents(reader, request, Role::User),
                "title" => content::string(reader, request, Role::User, Place::Document),
                "image" | "lastFrame" | "video" => {
                    request.attachments.images = request.attachments.images.saturating_add(1);
                    reader.skip().map(drop)
                }
                "audio" => {
                    request.attachments.audio = request.attachments.audio.saturating_add(1);
                    reader.skip().map(drop)
                }
                "taskType" | "mimeType" => reader.skip().map(drop),
                _ => request.push_all(reader, Place::Other, false, media_key),
            })
            .map(drop),
        _ => content::contents(reader, request, Role::User),
    }
}

/// The rule for values of a shape that is not known here, which may hold media.
fn media_key(key: &str) -> KeyUse {
    if is_medium(key) {
        KeyUse::Skip
    } else {
        unknown_key(key)
    }
}

fn is_medium(key: &str) -> bool {
    matches!(
        key,
        "bytesBase64Encoded"
            | "bytes_base64_encoded"
            | "imageBytes"
            | "videoBytes"
            | "gcsUri"
            | "gcs_uri"
            | "mimeType"
            | "mime_type"
    )
}

/// `predictions`, or the `embeddings` of an answer to `embedContent`: `statistics` counts the tokens of the text that each
/// embeds (google-genai 3.4.0, `types.py`, `ContentEmbeddingStatistics`). Strings are an answer's text.
pub(super) fn predictions<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>) -> Result<()> {
    let mut tokens: Option<u64> = None;
    if reader.peek()? == Kind::Array {
        let mut choice = 0;
        reader.array(|reader| {
            prediction(reader, answer, choice, &mut tokens)?;
            choice += 1;
            Ok(())
        })?;
    } else {
        prediction(reader, answer, 0, &mut tokens)?;
    }
    if let Some(prompt) = tokens {
        let counters = UsageCounters {
            prompt_includes_cache: true,
            prompt,
            ..UsageCounters::default()
        };
        answer.usage = Some(answer.usage.unwrap_or_default().merge(counters));
    }
    Ok(())
}

fn prediction<'b>(
    reader: &mut Reader<'b>,
    answer: &mut Answer<'b>,
    choice: u32,
    tokens: &mut Option<u64>,
) -> Result<()> {
    let channel = Channel {
        choice,
        part: Part::Text,
        index: 0,
    };
    if reader.peek()? != Kind::Object {
        return answer.strings(reader, channel, is_medium);
    }
    answer::members(reader, |reader, key| match key {
        "embeddings" => prediction(reader, answer, choice, tokens),
        "values" => reader.skip().map(drop),
        "statistics" => answer::members(reader, |reader, key| match key {
            "tokenCount" => {
                let mut count = 0;
                super::usage::count(reader, &mut count)?;
                *tokens = Some(tokens.unwrap_or_default().saturating_add(count));
                Ok(())
            }
            _ => reader.skip().map(drop),
        }),
        key if is_medium(key) => reader.skip().map(drop),
        _ => answer.strings(reader, channel, is_medium),
    })
}
