//! What a request says.

use crate::{
    JsonError, Operation, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_request(operation: Operation, body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::empty();
    request.include_usage = true;
    request.insert_at = reader.position()? + 1;
    let is_object = reader.object(|reader, key| member(operation, reader, key, &mut request))?;
    reader.finish()?;
    if is_object {
        Ok(request)
    } else {
        Err(ReadError::NotAnObject)
    }
}

fn member<'b>(
    operation: Operation,
    reader: &mut Reader<'b>,
    key: Str<'b>,
    request: &mut Request<'b>,
) -> Result<()> {
    match &*key.text() {
        "messages" | "chat_history" => request.each_message(reader, message),
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "stream" => {
            request.stream = reader.is_true()?;
            Ok(())
        }
        // Of an embedding it is the length at which an input is cut.
        "max_tokens" if operation == Operation::Chat => {
            request.max_output_tokens = reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
            Ok(())
        }
        // Version 1's newest message; a rerank's query; the texts of an embedding.
        "message" | "query" | "texts" => request.push_value(reader, Role::User, Place::Message),
        "preamble" => request.push_value(reader, Role::System, Place::Message),
        "documents" => reader.array(|reader| document(reader, request)).map(drop),
        "inputs" => reader.array(|reader| input(reader, request)).map(drop),
        "images" => reader
            .array(|reader| {
                request.attachments.images = request.attachments.images.saturating_add(1);
                reader.skip().map(drop)
            })
            .map(drop),
        "tools" => request.tool_definitions(reader, true),
        "connectors" => {
            request.turned_on(reader, &key)?;
            reader.skip().map(drop)
        }
        "tool_results" => tool_results(reader, request),
        "response_format" => request.push_all(reader, Place::OutputSchema, true, schema_key),
        // Known, and read by no model.
        "citation_options"
        | "citation_quality"
        | "conversation_id"
        | "embedding_types"
        | "force_single_step"
        | "frequency_penalty"
        | "input_type"
        | "k"
        | "logprobs"
        | "max_chunks_per_doc"
        | "max_input_tokens"
        | "max_tokens"
        | "max_tokens_per_doc"
        | "output_dimension"
        | "p"
        | "presence_penalty"
        | "priority"
        | "prompt_truncation"
        | "rank_fields"
        | "raw_prompting"
        | "relevant_spans"
        | "return_documents"
        | "return_prompt"
        | "safety_mode"
        | "search_queries_only"
        | "seed"
        | "stop_sequences"
        | "strict_tools"
        | "temperature"
        | "thinking"
        | "tool_choice"
        | "top_n"
        | "truncate" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// A document: a string, an object of fields (version 1), or `data` with them (version 2). Field names are given to the
/// model too; `id` and `_excludes` are not (cohere-python 7.3.1, `raw_base_client.py`, `documents`).
fn document<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Object {
        return request.push_value(reader, Role::Unstated, Place::Document);
    }
    reader
        .object(|reader, key| match &*key.text() {
            "id" | "_excludes" => reader.skip().map(drop),
            "data" => request.push_all(reader, Place::Document, true, any_key),
            _ => {
                request.push(key, Role::Unstated, Place::Document, true);
                request.push_all(reader, Place::Document, true, any_key)
            }
        })
        .map(drop)
}

/// An input of an embedding: an object whose `content` is parts.
fn input<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    reader.object(|reader, key| match &*key.text() {
        "content" => content(reader, request),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    for text in request.texts.iter_mut().skip(first) {
        text.role = Role::User;
    }
    Ok(())
}

/// `USER`, `CHATBOT`, `SYSTEM` and `TOOL` are version 1's roles.
fn role(name: &str) -> Role {
    match name.to_ascii_lowercase().as_str() {
        "chatbot" => Role::Assistant,
        name => Role::parse(name),
    }
}

fn message<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<Role> {
    let mut speaker = Role::Unstated;
    reader.object(|reader, key| match &*key.text() {
        "role" => {
            speaker = reader.string()?.map_or(Role::Unstated, |name| role(&name.text()));
            Ok(())
        }
        "content" | "message" => content(reader, request),
        "tool_plan" => request.push_value(reader, Role::Unstated, Place::Reasoning),
        "tool_calls" => reader.array(|reader| tool_call(reader, request)).map(drop),
        "tool_results" => tool_results(reader, request),
        // Of an earlier answer: the words it quotes and the documents they are from.
        "citations" => request.push_all(reader, Place::Document, true, source_key),
        "tool_call_id" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(speaker)
}

fn source_key(key: &str) -> crate::request::KeyUse {
    match key {
        "id" | "document_ids" | "type" => crate::request::KeyUse::Skip,
        _ => unknown_key(key),
    }
}

/// A string, or an array of parts.
fn content<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return request.push_value(reader, Role::Unstated, Place::Message);
    }
    reader
        .array(|reader| {
            if reader.peek()? != Kind::Object {
                return request.push_value(reader, Role::Unstated, Place::Message);
            }
            reader.object(|reader, key| part(reader, key, request)).map(drop)
        })
        .map(drop)
}

/// A member of a part, by its name and not by the part's `type`, which may stand after it.
fn part<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "text" => request.push_value(reader, Role::Unstated, Place::Message),
        "thinking" => request.push_value(reader, Role::Unstated, Place::Reasoning),
        "document" => document(reader, request),
        "image_url" | "image" => {
            request.attachments.images = request.attachments.images.saturating_add(1);
            reader.skip().map(drop)
        }
        "type" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// `{"id", "type", "function": {"name", "arguments"}}`, or version 1's `{"name", "parameters"}`.
fn tool_call<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.tool_calls = request.tool_calls.saturating_add(1);
    called(reader, request)
}

fn called<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "function" => called(reader, request),
            "id" | "type" => reader.skip().map(drop),
            "name" => request.push_value(reader, Role::Unstated, Place::ToolCall),
            _ => request.push_all(reader, Place::ToolCall, true, any_key),
        })
        .map(drop)
}

/// Version 1's results: each with the call it answers.
fn tool_results<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    reader.array(|reader| {
        reader
            .object(|reader, key| match &*key.text() {
                "call" => tool_call(reader, request),
                _ => request.push_all(reader, Place::ToolResult, true, any_key),
            })
            .map(drop)
    })?;
    for text in request.texts.iter_mut().skip(first) {
        text.role = if text.place == Place::ToolResult {
            Role::Tool
        } else {
            Role::Assistant
        };
    }
    Ok(())
}
