//! The request of a message.

use super::block;
use crate::{
    JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str},
    request::{schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::empty();
    request.include_usage = true;
    request.insert_at = reader.position()? + 1;
    let is_object = reader.object(|reader, key| member(reader, key, &mut request))?;
    reader.finish()?;
    if is_object {
        Ok(request)
    } else {
        Err(ReadError::NotAnObject)
    }
}

fn member<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "messages" => messages(reader, request)?,
        "system" => {
            let first = request.texts.len();
            block::content(reader, request, Place::Message)?;
            set_role(request, first, Role::System);
        }
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "stream" => request.stream = reader.is_true()?,
        "max_tokens" => {
            request.max_output_tokens = reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
        }
        "tools" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, true, schema_key)?;
            request.tools.push(start..reader.offset());
        }
        "output_config" | "output_format" => {
            request.push_all(reader, Place::OutputSchema, true, schema_key)?
        }
        // Known, and read by no model.
        "cache_control" | "container" | "context_management" | "diagnostics" | "inference_geo"
        | "mcp_servers" | "metadata" | "service_tier" | "speed" | "stop_sequences" | "temperature"
        | "thinking" | "tool_choice" | "top_k" | "top_p" | "user_profile_id" | "workspace_id" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
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
    reader.object(|reader, key| match &*key.text() {
        "role" => {
            role = reader
                .string()?
                .map_or(Role::Unstated, |name| Role::parse(&name.text()));
            Ok(())
        }
        "content" => block::content(reader, request, Place::Message),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    set_role(request, first, role);
    Ok(())
}

/// The role may stand after the content, so it is written into the texts at the end. What a tool said is the tool's, in
/// whosever message it stands.
fn set_role(request: &mut Request<'_>, first: usize, role: Role) {
    for text in request.texts.iter_mut().skip(first) {
        text.role = if text.place == Place::ToolResult {
            Role::Tool
        } else {
            role
        };
    }
}
