//! Items of a response's input, and of a realtime conversation.

use super::super::content::{content, push};
use crate::{
    JsonError, Place, Request, Role,
    json::{Kind, Reader},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// `input`: a string, or an array of items.
pub(super) fn items<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? == Kind::Array {
        return reader.array(|reader| item(reader, request)).map(drop);
    }
    item(reader, request)
}

/// One item, read by its members; its `type`, which may stand after them, decides at the end what it was.
///
/// Shapes: openai-python 3.54.0, `types/responses/response_input_item_param.py`, `types/realtime/conversation_item.py`.
pub(in crate::openai) fn item<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    let mut role = None;
    let mut kind = None;
    // Base64 data where the item is a generated image, and a tool's answer where not.
    let mut results = 0..0;
    if reader.peek()? != Kind::Object {
        role = Some(Role::User);
        request.messages = request.messages.saturating_add(1);
        push(reader, request, Place::Message, true)?;
    } else {
        reader.object(|reader, key| {
            match &*key.text() {
                "type" => kind = reader.string()?.map(|kind| kind.text()),
                "role" => role = reader.string()?.map(|role| Role::parse(&role.text())),
                "content" => content(reader, request, Place::Message)?,
                "summary" => content(reader, request, Place::Reasoning)?,
                "name" | "arguments" | "input" | "code" => {
                    push(reader, request, Place::ToolCall, true)?;
                }
                "action" | "operation" | "queries" | "query" => {
                    request.push_all(reader, Place::ToolCall, true, any_key)?;
                }
                "output" => content(reader, request, Place::ToolResult)?,
                "outputs" | "results" | "error" => {
                    request.push_all(reader, Place::ToolResult, true, unknown_key)?;
                }
                "result" => {
                    let start = request.texts.len();
                    push(reader, request, Place::ToolResult, true)?;
                    results = start..request.texts.len();
                }
                "tools" => {
                    let start = reader.position()?;
                    request.push_all(reader, Place::ToolDefinition, false, schema_key)?;
                    request.tools.push(start..reader.offset());
                }
                // Thinking that only the provider can read.
                "encrypted_content" => {
                    request.hidden |= reader.peek()? != Kind::Null;
                    reader.skip()?;
                }
                "id"
                | "call_id"
                | "status"
                | "object"
                | "caller"
                | "phase"
                | "server_label"
                | "namespace"
                | "container_id"
                | "fingerprint"
                | "approval_request_id"
                | "approve"
                | "execution"
                | "acknowledged_safety_checks"
                | "pending_safety_checks" => {
                    reader.skip()?;
                }
                _ => request.push_all(reader, Place::Other, false, unknown_key)?,
            }
            Ok(())
        })?;
        let kind = kind.as_deref().unwrap_or("message");
        match kind {
            "message" => request.messages = request.messages.saturating_add(1),
            "item_reference" => request.hidden = true,
            "image_generation_call" => {
                request.texts.drain(results);
                request.attachments.images = request.attachments.images.saturating_add(1);
            }
            _ if kind.ends_with("_call") => request.tool_calls = request.tool_calls.saturating_add(1),
            _ => {}
        }
        if kind == "reasoning" {
            set_place(request, first, Place::Reasoning);
        } else if kind.ends_with("_output") {
            set_place(request, first, Place::ToolResult);
        }
    }
    for text in request.texts.iter_mut().skip(first) {
        text.role = match text.place {
            Place::ToolResult => Role::Tool,
            Place::ToolCall | Place::Reasoning => Role::Assistant,
            _ => role.unwrap_or(Role::Unstated),
        };
    }
    Ok(())
}

/// What stands in the item's content is what the item is; what is marked otherwise stays so.
fn set_place(request: &mut Request<'_>, first: usize, place: Place) {
    for text in request.texts.iter_mut().skip(first) {
        if text.place == Place::Message {
            text.place = place;
        }
    }
}
