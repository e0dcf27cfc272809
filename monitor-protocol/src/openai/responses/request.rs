//! The request of a response.

use super::{super::content::push, item::items};
use crate::{
    Call, JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str, document},
    request::{KeyUse, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads a body, or over a WebSocket a client's message: `response.create` asks for an answer unless it is to generate
/// nothing, `response.steer` adds to one.
pub(in crate::openai) fn read_request<'b>(
    call: &Call,
    body: &'b [u8],
) -> std::result::Result<Request<'b>, ReadError> {
    let mut request = Request::empty();
    request.include_usage = true;
    request.asks = !call.websocket;
    request.stream = call.websocket;
    let mut generates = true;
    request.insert_at = document(body, |reader, key| match &*key.text() {
        "type" if call.websocket => {
            request.asks = reader
                .string()?
                .is_some_and(|kind| kind.text() == "response.create");
            Ok(())
        }
        "generate" if call.websocket => {
            generates = reader.peek()? != Kind::False;
            reader.skip().map(drop)
        }
        "stream" if !call.websocket => {
            request.stream = reader.is_true()?;
            Ok(())
        }
        _ => member(reader, key, &mut request),
    })?;
    request.asks &= generates;
    Ok(request)
}

fn member<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "previous_response_id" | "conversation" => {
            request.hidden |= reader.peek()? != Kind::Null;
            reader.skip()?;
        }
        "text" => request.push_all(reader, Place::OutputSchema, true, format_key)?,
        // Known, and read by no model.
        "access_programs"
        | "background"
        | "background_options"
        | "context_management"
        | "event_id"
        | "image"
        | "include"
        | "max_tool_calls"
        | "moderation"
        | "prompt_cache_key"
        | "prompt_cache_options"
        | "prompt_cache_retention"
        | "safety_identifier"
        | "service_tier"
        | "store"
        | "stream"
        | "stream_id"
        | "stream_options"
        | "temperature"
        | "top_logprobs"
        | "top_p"
        | "type"
        | "user" => {
            reader.skip()?;
        }
        _ => session(reader, key, request)?,
    }
    Ok(())
}

/// The members that a response's request and a realtime session have in common.
pub(in crate::openai) fn session<'b>(
    reader: &mut Reader<'b>,
    key: Str<'b>,
    request: &mut Request<'b>,
) -> Result<()> {
    match &*key.text() {
        "input" => items(reader, request)?,
        "instructions" => {
            let first = request.texts.len();
            if push(reader, request, Place::Message, true)? {
                request.messages = request.messages.saturating_add(1);
            }
            for text in request.texts.iter_mut().skip(first) {
                text.role = Role::System;
            }
        }
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "max_output_tokens" => request.max_output_tokens = OutputLimit::read(reader)?,
        "tools" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, false, schema_key)?;
            request.tools.push(start..reader.offset());
        }
        "prompt" => prompt(reader, request)?,
        "metadata" | "parallel_tool_calls" | "reasoning" | "tool_choice" | "truncation" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
}

/// A reference to a template that the provider has stored, and what is put into it (`types/responses/response_prompt.py`).
fn prompt<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.hidden |= reader.peek()? != Kind::Null;
    reader
        .object(|reader, key| match &*key.text() {
            "id" | "version" => reader.skip().map(drop),
            _ => reader
                .object(|reader, _| super::super::content::content(reader, request, Place::Message))
                .map(drop),
        })
        .map(drop)
}

fn format_key(key: &str) -> KeyUse {
    match key {
        "verbosity" => KeyUse::Skip,
        // The member that holds the schema's envelope, and not a property.
        "format" => KeyUse::Shape,
        _ => schema_key(key),
    }
}
