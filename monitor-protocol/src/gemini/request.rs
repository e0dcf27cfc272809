//! Requests.

use std::{borrow::Cow, ops::Range};

use super::{
    content,
    key::{camel, tool_key},
    live, predict,
};
use crate::{
    Call, JsonError, Operation, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str},
    request::{Batch, schema_key, unknown_key},
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
    let is_object = if call.operation == Operation::Live {
        live::client(&mut reader, &mut request)?
    } else {
        reader.object(|reader, key| member(reader, &key, &mut request))?
    };
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    if let Some(path) = &call.model {
        // The path decides; of a batch, the requests' own models are not left out of account.
        let named = request.model.take();
        if call.operation == Operation::Batches {
            request.more_models.extend(named);
            request
                .more_models
                .retain(|model| !model.eq_ignore_ascii_case(path));
        }
    }
    Ok(request)
}

/// One member of a `GenerateContentRequest` (google-genai 3.4.0, `models.py`, `_GenerateContentParameters_to_mldev` and
/// `_to_vertex`), or of the requests that are like it.
fn member<'b>(reader: &mut Reader<'b>, key: &Str<'b>, request: &mut Request<'b>) -> Result<()> {
    named(reader, &camel(key), request)
}

/// The same, by its name in camel case.
pub(super) fn named<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "contents" | "content" => content::contents(reader, request, Role::User)?,
        "systemInstruction" => content::contents(reader, request, Role::System)?,
        "tools" => tools(reader, request)?,
        "generationConfig" => generation_config(reader, request)?,
        "model" => request.model = reader.string()?.map(|model| name_of(model.text())),
        // Around a request: of `countTokens`, of Gemini CLI's server, of a batch.
        "generateContentRequest" | "request" | "batch" | "inputConfig" | "embedContentConfig" => {
            within(reader, request)?;
        }
        "requests" => requests(reader, request)?,
        // Of what is embedded.
        "title" => content::string(reader, request, Role::User, Place::Document)?,
        "instances" => predict::instances(reader, request)?,
        // Known, and read by no model.
        "autoTruncate"
        | "bigquerySource"
        | "cachedContent"
        | "continuationToken"
        | "displayName"
        | "documentOcr"
        | "encryptionSpec"
        | "expireTime"
        | "fileName"
        | "gcsSource"
        | "instancesFormat"
        | "kmsKeyName"
        | "labels"
        | "metadata"
        | "modelArmorConfig"
        | "name"
        | "outputConfig"
        | "outputDimensionality"
        | "priority"
        | "project"
        | "safetySettings"
        | "serviceTier"
        | "sessionId"
        | "store"
        | "taskType"
        | "toolConfig"
        | "ttl"
        | "userPromptId"
        | "webhookConfig" => {
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

/// A batch: an array of requests, each in an envelope with its `metadata` (`batchGenerateContent`) or bare
/// (`batchEmbedContents`), or an object around that array (google-genai 3.4.0, `batches.py`, `_BatchJobSource_to_mldev`).
fn requests<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return within(reader, request);
    }
    let mut batch = Batch::default();
    reader.array(|reader| {
        within(reader, request)?;
        batch.add(request);
        Ok(())
    })?;
    batch.finish(request);
    Ok(())
}

/// A model's own name: `models/gemini-2.5-pro` and `projects/{}/locations/{}/publishers/google/models/gemini-2.5-pro` are
/// the model that a path calls `gemini-2.5-pro`.
fn name_of(model: Cow<'_, str>) -> Cow<'_, str> {
    let own = |model: &str| model.len() - model.rsplit('/').next().map_or(0, str::len);
    match model {
        Cow::Borrowed(model) => Cow::Borrowed(model.get(own(model)..).unwrap_or_default()),
        Cow::Owned(mut model) => {
            model.drain(..own(&model));
            Cow::Owned(model)
        }
    }
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
