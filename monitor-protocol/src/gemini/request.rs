//! Requests.

use std::ops::Range;

use super::{
    content,
    key::{camel, tool_key},
};
use crate::{
    Call, JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str},
    request::{schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads the body of any operation: their members' names do not collide, so one reader knows them all and nothing passes
/// unread because it stands in the body of another operation.
pub(super) fn read_request<'b>(call: &Call, body: &'b [u8]) -> std::result::Result<Request<'b>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::empty();
    request.stream = call.streams;
    request.include_usage = true;
    request.insert_at = reader.position()? + 1;
    let is_object = reader.object(|reader, key| member(reader, &key, &mut request))?;
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    if call.model.is_some() {
        // The path decides.
        request.model = None;
    }
    Ok(request)
}

/// One member of a `GenerateContentRequest` (google-genai 3.4.0, `models.py`, `_GenerateContentParameters_to_mldev` and
/// `_to_vertex`), or of the requests that are like it.
fn member<'b>(reader: &mut Reader<'b>, key: &Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*camel(key) {
        "contents" | "content" => content::contents(reader, request, Role::User)?,
        "systemInstruction" => content::contents(reader, request, Role::System)?,
        "tools" => tools(reader, request)?,
        "generationConfig" => generation_config(reader, request)?,
        "model" => request.model = reader.string()?.map(|model| model.text()),
        // Around a request: of `countTokens`, of Gemini CLI's server.
        "generateContentRequest" | "request" => within(reader, request)?,
        // Known, and read by no model.
        "cachedContent" | "continuationToken" | "labels" | "modelArmorConfig" | "project"
        | "safetySettings" | "serviceTier" | "sessionId" | "store" | "toolConfig" | "userPromptId" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
}

/// A request inside a request.
fn within<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? == Kind::Object {
        return reader
            .object(|reader, key| member(reader, &key, request))
            .map(drop);
    }
    request.push_all(reader, Place::Other, false, unknown_key)
}

/// `tools`: declarations, and what Google's own tools are told.
fn tools<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let start = reader.position()?;
    request.push_all(reader, Place::ToolDefinition, true, tool_key)?;
    request.tools.push(start..reader.offset());
    Ok(())
}

fn generation_config<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Object {
        return request.push_all(reader, Place::Other, false, unknown_key);
    }
    reader
        .object(|reader, key| {
            match &*camel(&key) {
                "maxOutputTokens" => {
                    request.max_output_tokens =
                        number(reader)?.map(|(tokens, span)| OutputLimit { tokens, span });
                }
                "candidateCount" => {
                    let choices = number(reader)?.map_or(1, |(count, _)| count);
                    request.choices = u32::try_from(choices).unwrap_or(u32::MAX).max(1);
                }
                "responseSchema" | "responseJsonSchema" | "responseFormat" => {
                    request.push_all(reader, Place::OutputSchema, true, schema_key)?;
                }
                // Known, and read by no model. `stopSequences` are compared with the answer.
                "audioTimestamp"
                | "audioTranscriptionConfig"
                | "continuationToken"
                | "enableAffectiveDialog"
                | "enableEnhancedCivicAnswers"
                | "frequencyPenalty"
                | "imageConfig"
                | "logprobs"
                | "mediaResolution"
                | "modelConfig"
                | "outputConfig"
                | "presencePenalty"
                | "responseLogprobs"
                | "responseMimeType"
                | "responseModalities"
                | "routingConfig"
                | "seed"
                | "speechConfig"
                | "stopSequences"
                | "temperature"
                | "thinkingConfig"
                | "topK"
                | "topP" => {
                    reader.skip()?;
                }
                _ => request.push_all(reader, Place::Other, false, unknown_key)?,
            }
            Ok(())
        })
        .map(drop)
}

/// A whole number, with the bytes to replace it by: protobuf's JSON takes it in quotes too.
pub(super) fn number(reader: &mut Reader<'_>) -> Result<Option<(u64, Range<usize>)>> {
    if reader.peek()? != Kind::String {
        return reader.count();
    }
    let start = reader.position()?;
    let string = reader.string()?;
    let count = string.and_then(|string| string.text().parse().ok());
    Ok(count.map(|count| (count, start..reader.offset())))
}
