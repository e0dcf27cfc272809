//! What a request says.

use crate::{
    JsonError, Operation, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str, document},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_request(operation: Operation, body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.include_usage = true;
    request.stream = matches!(operation, Operation::Chat | Operation::Generate);
    request.insert_at = document(body, |reader, key| member(reader, key, &mut request))?;
    Ok(request)
}

fn member<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "messages" => request.each_message(reader, message),
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        // Only an explicit `false` asks for one answer.
        "stream" => {
            if reader.peek()? == Kind::False {
                request.stream = false;
            }
            reader.skip().map(drop)
        }
        // The prompt of generate and of the older embeddings; the inputs of embed, one or many.
        "prompt" | "suffix" | "input" => request.push_value(reader, Role::User, Place::Message),
        // A template's fixed words are part of the prompt.
        "system" | "template" => request.push_value(reader, Role::System, Place::Message),
        "images" => images(reader, request),
        "tools" => request.tool_definitions(reader, true),
        // A JSON schema, or one of two fixed words.
        "format" => {
            if reader.peek()? == Kind::String {
                return reader.skip().map(drop);
            }
            request.push_all(reader, Place::OutputSchema, true, schema_key)
        }
        "options" => options(reader, request),
        // Known, and read by no model. `context` is tokens of an earlier answer, as numbers.
        "context" | "dimensions" | "height" | "keep_alive" | "logprobs" | "raw" | "shift" | "steps"
        | "think" | "top_logprobs" | "truncate" | "width" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// `num_predict` is the output limit; negative, it is none.
fn options<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| {
            if key.text() == "num_predict" {
                request.max_output_tokens =
                    reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
                return Ok(());
            }
            reader.skip().map(drop)
        })
        .map(drop)
}

/// Images are base64.
fn images<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .array(|reader| {
            request.attachments.images = request.attachments.images.saturating_add(1);
            reader.skip().map(drop)
        })
        .map(drop)
}

fn message<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<Role> {
    let mut role = Role::Unstated;
    reader.object(|reader, key| match &*key.text() {
        "role" => {
            role = reader
                .string()?
                .map_or(Role::Unstated, |name| Role::parse(&name.text()));
            Ok(())
        }
        "content" => request.push_value(reader, Role::Unstated, Place::Message),
        "thinking" => request.push_value(reader, Role::Unstated, Place::Reasoning),
        "tool_name" => request.push_value(reader, Role::Unstated, Place::Name),
        "images" => images(reader, request),
        "tool_calls" => reader.array(|reader| tool_call(reader, request)).map(drop),
        "tool_call_id" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(role)
}

/// `{"function": {"name": …, "arguments": {…}}}`.
fn tool_call<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.tool_calls = request.tool_calls.saturating_add(1);
    reader
        .object(|reader, key| match &*key.text() {
            "function" => reader
                .object(|reader, key| match &*key.text() {
                    "name" => request.push_value(reader, Role::Unstated, Place::ToolCall),
                    "index" => reader.skip().map(drop),
                    _ => request.push_all(reader, Place::ToolCall, true, any_key),
                })
                .map(drop),
            "id" | "type" => reader.skip().map(drop),
            _ => request.push_all(reader, Place::Other, false, unknown_key),
        })
        .map(drop)
}
