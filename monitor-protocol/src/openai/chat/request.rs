//! The request of a chat completion.

use super::super::{
    content::{content, push},
    stream_options::Asked,
};
use crate::{
    JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Reader, Str, document},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Which of the two limits has been read: `max_completion_tokens` replaced `max_tokens` and wins over it.
#[derive(Default)]
struct Limits {
    max_tokens: Option<OutputLimit>,
    max_completion_tokens: Option<OutputLimit>,
}

pub(in crate::openai) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    let mut limits = Limits::default();
    let mut asked = Asked::Nowhere;
    request.insert_at = document(body, |reader, key| {
        member(reader, key, &mut request, &mut limits, &mut asked)
    })?;
    request.max_output_tokens = limits.max_completion_tokens.or(limits.max_tokens);
    asked.ask(&mut request);
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
        "messages" => request.messages(reader, message)?,
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "stream" => request.stream = reader.is_true()?,
        "stream_options" => *asked = Asked::read(reader, request)?,
        "max_tokens" => limits.max_tokens = OutputLimit::read(reader)?,
        "max_completion_tokens" => limits.max_completion_tokens = OutputLimit::read(reader)?,
        "n" => request.choices = choices(reader)?,
        "tools" | "functions" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, false, schema_key)?;
            request.tools.push(start..reader.offset());
        }
        "response_format" => request.push_all(reader, Place::OutputSchema, true, schema_key)?,
        "prediction" => request.push_all(reader, Place::Prediction, false, unknown_key)?,
        // What turns on a tool of the provider's: OpenAI's, OpenRouter's, xAI's.
        "web_search_options" | "plugins" | "search_parameters" => {
            request.turned_on(reader, &key)?;
            request.push_all(reader, Place::Other, false, unknown_key)?;
        }
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

/// `n`: how many answers are asked for.
pub(in crate::openai) fn choices(reader: &mut Reader<'_>) -> Result<u32> {
    let choices = reader.count()?.map_or(1, |(count, _)| count);
    Ok(u32::try_from(choices).unwrap_or(u32::MAX).max(1))
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
            "content" => content(reader, request, Place::Message)?,
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
