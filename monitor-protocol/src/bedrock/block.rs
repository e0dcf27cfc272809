//! Content blocks: `ContentBlock`, `SystemContentBlock`, `ToolResultContentBlock`. Each is an object with one member.

use crate::Role;
use crate::{
    JsonError, Place, Request,
    json::{Kind, Reader},
    request::{KeyUse, any_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// A list of blocks. A string or a lone block, which the API refuses, is read as well.
pub(super) fn blocks<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| blocks(reader, request, place)).map(drop),
        Kind::Object => reader
            .object(|reader, key| block(reader, &key.text(), request, place))
            .map(drop),
        _ => request.push_value(reader, Role::Unstated, place),
    }
}

fn block<'b>(reader: &mut Reader<'b>, kind: &str, request: &mut Request<'b>, place: Place) -> Result<()> {
    match kind {
        "text" => request.push_value(reader, Role::Unstated, place),
        // Of a tool's answer.
        "json" => request.push_all(reader, place, true, any_key),
        "image" => {
            request.attachments.images = request.attachments.images.saturating_add(1);
            reader.skip().map(drop)
        }
        "audio" => {
            request.attachments.audio = request.attachments.audio.saturating_add(1);
            reader.skip().map(drop)
        }
        "video" => {
            request.attachments.files = request.attachments.files.saturating_add(1);
            reader.skip().map(drop)
        }
        "document" => document(reader, request, within(place)),
        "searchResult" => request.push_all(reader, within(place), true, quoted_key),
        "toolUse" => tool_use(reader, request),
        "toolResult" => reader
            .object(|reader, key| match &*key.text() {
                "content" => blocks(reader, request, Place::ToolResult),
                "toolUseId" | "status" | "type" => reader.skip().map(drop),
                _ => request.push_all(reader, Place::ToolResult, true, any_key),
            })
            .map(drop),
        "reasoningContent" => request.push_all(reader, Place::Reasoning, true, reasoning_key),
        // For the guardrail to look at, and for the model to read.
        "guardContent" => reader
            .object(|reader, key| match &*key.text() {
                "text" => request.push_all(reader, place, true, guard_key),
                kind => block(reader, kind, request, place),
            })
            .map(drop),
        // Of an earlier answer: its text, and what it quotes.
        "citationsContent" => reader
            .object(|reader, key| match &*key.text() {
                "content" => blocks(reader, request, place),
                _ => request.push_all(reader, within(place), true, quoted_key),
            })
            .map(drop),
        "cachePoint" => reader.skip().map(drop),
        "toolAddition" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, true, unknown_key)?;
            request.tools.push(start..reader.offset());
            Ok(())
        }
        "toolRemoval" => request.push_all(reader, Place::ToolDefinition, true, unknown_key),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// What stands inside a tool's answer is the tool's words, documents included.
fn within(place: Place) -> Place {
    match place {
        Place::ToolResult => Place::ToolResult,
        _ => Place::Document,
    }
}

/// `DocumentBlock`: its name, its context, and a source that is text or a file.
fn document<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "name" | "context" => request.push_value(reader, Role::Unstated, place),
            "source" => reader
                .object(|reader, key| match &*key.text() {
                    "text" | "content" => blocks(reader, request, place),
                    "bytes" | "s3Location" => {
                        request.attachments.files = request.attachments.files.saturating_add(1);
                        reader.skip().map(drop)
                    }
                    _ => request.push_all(reader, place, true, unknown_key),
                })
                .map(drop),
            "format" | "citations" => reader.skip().map(drop),
            _ => request.push_all(reader, place, true, unknown_key),
        })
        .map(drop)
}

fn tool_use<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.tool_calls = request.tool_calls.saturating_add(1);
    reader
        .object(|reader, key| match &*key.text() {
            "toolUseId" | "type" => reader.skip().map(drop),
            "name" => request.push_value(reader, Role::Unstated, Place::ToolCall),
            _ => request.push_all(reader, Place::ToolCall, true, any_key),
        })
        .map(drop)
}

fn reasoning_key(key: &str) -> KeyUse {
    match key {
        "signature" | "redactedContent" => KeyUse::Skip,
        _ => KeyUse::Shape,
    }
}

fn guard_key(key: &str) -> KeyUse {
    match key {
        "qualifiers" => KeyUse::Skip,
        _ => KeyUse::Shape,
    }
}

fn quoted_key(key: &str) -> KeyUse {
    match key {
        "location" => KeyUse::Skip,
        _ => KeyUse::Shape,
    }
}
