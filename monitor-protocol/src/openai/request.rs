//! The request of a chat completion.

use std::ops::Range;

use crate::{
    Edit, JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Which of the two limits has been read: `max_completion_tokens` replaced `max_tokens` and wins over it.
#[derive(Default)]
struct Limits {
    max_tokens: Option<OutputLimit>,
    max_completion_tokens: Option<OutputLimit>,
}

pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::empty();
    let mut limits = Limits::default();
    let mut asked = Asked::Nowhere;
    request.insert_at = reader.position()? + 1;
    let is_object =
        reader.object(|reader, key| member(reader, key, &mut request, &mut limits, &mut asked))?;
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    request.max_output_tokens = limits.max_completion_tokens.or(limits.max_tokens);
    if request.stream && !request.include_usage {
        request.ask_usage = Some(match asked {
            Asked::Nowhere => Edit::json(
                request.insert_at..request.insert_at,
                "\"stream_options\":{\"include_usage\":true},",
            ),
            Asked::No(value) => Edit::json(value, "true"),
            Asked::InEmpty(at) => Edit::json(at..at, "\"include_usage\":true"),
            Asked::InObject(at) => Edit::json(at..at, "\"include_usage\":true,"),
            Asked::NoObject(value) => Edit::json(value, "{\"include_usage\":true}"),
        });
    }
    Ok(request)
}

fn member<'b>(
    reader: &mut Reader<'b>,
    key: Str<'b>,
    request: &mut Request<'b>,
    limits: &mut Limits,
    asked: &mut Asked,
) -> Result<()> {
    match &*key.text() {
        "messages" => messages(reader, request)?,
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "stream" => request.stream = reader.is_true()?,
        "stream_options" => *asked = stream_options(reader, request)?,
        "max_tokens" => limits.max_tokens = limit(reader)?,
        "max_completion_tokens" => limits.max_completion_tokens = limit(reader)?,
        "n" => {
            let choices = reader.count()?.map_or(1, |(count, _)| count);
            request.choices = u32::try_from(choices).unwrap_or(u32::MAX).max(1);
        }
        "tools" | "functions" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, false, schema_key)?;
            request.tools.push(start..reader.offset());
        }
        "response_format" => request.push_all(reader, Place::OutputSchema, true, schema_key)?,
        "prediction" => request.push_all(reader, Place::Prediction, false, unknown_key)?,
        // Known, and read by no model. `stop` is compared with the answer; the rest are settings and labels.
        "audio"
        | "frequency_penalty"
        | "function_call"
        | "logit_bias"
        | "logprobs"
        | "metadata"
        | "modalities"
        | "moderation"
        | "parallel_tool_calls"
        | "presence_penalty"
        | "prompt_cache_key"
        | "prompt_cache_options"
        | "prompt_cache_retention"
        | "reasoning_effort"
        | "safety_identifier"
        | "seed"
        | "service_tier"
        | "stop"
        | "store"
        | "temperature"
        | "tool_choice"
        | "top_logprobs"
        | "top_p"
        | "user"
        | "verbosity" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
}

/// Where `stream_options.include_usage` can be set. Of duplicated keys the last one counts.
enum Asked {
    /// There are no options.
    Nowhere,
    /// It is set, to something other than `true`.
    No(Range<usize>),
    /// The options are an empty object that begins before this offset.
    InEmpty(usize),
    /// The options are an object with members.
    InObject(usize),
    /// The options are no object (`null`).
    NoObject(Range<usize>),
}

fn stream_options<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<Asked> {
    request.include_usage = false;
    let start = reader.position()?;
    let mut asked = Asked::InEmpty(start + 1);
    let is_object = reader.object(|reader, key| {
        if key.text() == "include_usage" {
            let value = reader.position()?;
            request.include_usage = reader.is_true()?;
            asked = Asked::No(value..reader.offset());
            return Ok(());
        }
        if let Asked::InEmpty(at) = asked {
            asked = Asked::InObject(at);
        }
        reader.skip().map(drop)
    })?;
    Ok(if is_object {
        asked
    } else {
        Asked::NoObject(start..reader.offset())
    })
}

fn limit(reader: &mut Reader<'_>) -> Result<Option<OutputLimit>> {
    Ok(reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span }))
}

fn messages<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return request.push_all(reader, Place::Other, false, unknown_key);
    }
    reader
        .array(|reader| {
            request.messages = request.messages.saturating_add(1);
            if reader.peek()? == Kind::Object {
                message(reader, request)
            } else {
                request.push_all(reader, Place::Other, false, unknown_key)
            }
        })
        .map(drop)
}

fn message<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    let mut role = Role::Unstated;
    reader.object(|reader, key| {
        match &*key.text() {
            "role" => {
                role = reader
                    .string()?
                    .map_or(Role::Unstated, |name| Role::parse(&name.text()))
            }
            "content" => content(reader, request)?,
            "name" => {
                if push(reader, request, Place::Name, true)? {
                    request.names = request.names.saturating_add(1);
                }
            }
            "refusal" => {
                push(reader, request, Place::Message, true)?;
            }
            // DeepSeek, vLLM and others take thinking back under these names.
            "reasoning_content" | "reasoning" => {
                push(reader, request, Place::Reasoning, true)?;
            }
            "tool_calls" => {
                reader.array(|reader| tool_call(reader, request))?;
            }
            "function_call" => tool_call(reader, request)?,
            "tool_call_id" | "id" => {
                reader.skip()?;
            }
            _ => request.push_all(reader, Place::Other, false, unknown_key)?,
        }
        Ok(())
    })?;
    // The role may stand after the content, so it is written into the texts at the end of the message.
    for text in request.texts.iter_mut().skip(first) {
        text.role = role;
        if role == Role::Tool && text.place == Place::Message {
            text.place = Place::ToolResult;
        }
    }
    Ok(())
}

/// Lists the next value if it is a string.
fn push<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place, counted: bool) -> Result<bool> {
    if reader.peek()? == Kind::String {
        if let Some(string) = reader.string()? {
            request.push(string, Role::Unstated, place, counted);
        }
        return Ok(true);
    }
    request.push_all(reader, place, counted, unknown_key)?;
    Ok(false)
}

/// `content`: a string, or an array of parts.
fn content<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return push(reader, request, Place::Message, true).map(drop);
    }
    reader
        .array(|reader| {
            if reader.peek()? == Kind::Object {
                content_part(reader, request)
            } else {
                push(reader, request, Place::Message, true).map(drop)
            }
        })
        .map(drop)
}

/// One part, by what it holds and not by its `type`: a server may read `text` whatever the type says.
fn content_part<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| {
            match &*key.text() {
                "text" | "refusal" | "input_text" => {
                    push(reader, request, Place::Message, true)?;
                }
                // Mistral's thinking part: a list of text parts.
                "thinking" => request.push_all(reader, Place::Reasoning, true, part_key)?,
                "image_url" | "image" | "video_url" => {
                    request.attachments.images = request.attachments.images.saturating_add(1);
                    reader.skip()?;
                }
                "input_audio" | "audio_url" => {
                    request.attachments.audio = request.attachments.audio.saturating_add(1);
                    reader.skip()?;
                }
                "file" => {
                    request.attachments.files = request.attachments.files.saturating_add(1);
                    file(reader, request)?;
                }
                "type" | "cache_control" | "prompt_cache_breakpoint" => {
                    reader.skip()?;
                }
                _ => request.push_all(reader, Place::Other, false, unknown_key)?,
            }
            Ok(())
        })
        .map(drop)
}

fn part_key(key: &str) -> crate::request::KeyUse {
    if key == "type" {
        crate::request::KeyUse::Skip
    } else {
        unknown_key(key)
    }
}

/// A file's name is read by the model; its data is base64, its id a reference.
fn file<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "filename" => push(reader, request, Place::Document, true).map(drop),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// A call of an earlier turn: `function` {`name`, `arguments`}, `custom` {`name`, `input`}, or the legacy form without
/// the envelope.
fn tool_call<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.tool_calls = request.tool_calls.saturating_add(1);
    let called = |reader: &mut Reader<'b>, request: &mut Request<'b>| {
        request.push_all(reader, Place::ToolCall, true, any_value_key)
    };
    reader
        .object(|reader, key| match &*key.text() {
            "id" | "type" | "index" => reader.skip().map(drop),
            _ => called(reader, request),
        })
        .map(drop)
}

/// In a call the members' names are shape; whatever stands below is the model's own words.
fn any_value_key(key: &str) -> crate::request::KeyUse {
    match key {
        "name" | "arguments" | "input" => crate::request::KeyUse::Shape,
        _ => any_key(key),
    }
}
