//! The request of a message.

use super::block;
use crate::{
    Call, JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, Str, document},
    request::{Batch, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads the body of any operation: their members' names do not collide, so one reader knows them all.
pub(super) fn read_request<'b>(call: &Call, body: &'b [u8]) -> std::result::Result<Request<'b>, ReadError> {
    let mut request = Request::empty();
    request.include_usage = true;
    request.insert_at = document(body, |reader, key| member(reader, key, &mut request))?;
    request.stream |= call.streams;
    if call.model.is_some() {
        // The path decides.
        request.model = None;
    }
    Ok(request)
}

fn member<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "messages" => request.messages(reader, message)?,
        "system" => {
            let first = request.texts.len();
            block::content(reader, request, Place::Message)?;
            set_role(request, first, Role::System);
        }
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "stream" => request.stream = reader.is_true()?,
        "max_tokens" | "max_tokens_to_sample" => {
            request.max_output_tokens = reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
        }
        "tools" => {
            let start = reader.position()?;
            request.push_all(reader, Place::ToolDefinition, true, schema_key)?;
            request.tools.push(start..reader.offset());
        }
        "mcp_servers" => request.tools.push(reader.skip()?),
        "fallbacks" => fallbacks(reader, request)?,
        "compaction" | "context_management" => instructions(reader, request)?,
        "requests" => batch(reader, request)?,
        // Of a completion.
        "prompt" => {
            request.messages = request.messages.saturating_add(1);
            let first = request.texts.len();
            block::content(reader, request, Place::Message)?;
            set_role(request, first, Role::User);
        }
        "output_config" | "output_format" => {
            request.push_all(reader, Place::OutputSchema, true, schema_key)?
        }
        // Known, and read by no model.
        "anthropic_beta"
        | "anthropic_version"
        | "billing_policy"
        | "cache_control"
        | "container"
        | "diagnostics"
        | "fallback_credit_token"
        | "inference_geo"
        | "metadata"
        | "service_tier"
        | "speed"
        | "stop_sequences"
        | "temperature"
        | "thinking"
        | "tool_choice"
        | "top_k"
        | "top_p"
        | "user_profile_id"
        | "workspace_id" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
}

/// `requests` of a batch: `custom_id` and `params` (`types/messages/batch_create_params.py`).
fn batch<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return request.push_all(reader, Place::Other, false, unknown_key);
    }
    let mut batch = Batch::default();
    reader.array(|reader| {
        reader.object(|reader, key| match &*key.text() {
            "params" if reader.peek()? == Kind::Object => reader
                .object(|reader, key| member(reader, key, request))
                .map(drop),
            "custom_id" => reader.skip().map(drop),
            _ => request.push_all(reader, Place::Other, false, unknown_key),
        })?;
        batch.add(request);
        Ok(())
    })?;
    batch.finish(request);
    Ok(())
}

/// `fallbacks`: models that answer where the first declines, each with settings of its own
/// (`types/beta/beta_fallback_param.py`).
fn fallbacks<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .array(|reader| {
            reader
                .object(|reader, key| match &*key.text() {
                    "model" => {
                        request
                            .more_models
                            .extend(reader.string()?.map(|model| model.text()));
                        Ok(())
                    }
                    "output_config" => request.push_all(reader, Place::OutputSchema, false, schema_key),
                    _ => reader.skip().map(drop),
                })
                .map(drop)
        })
        .map(drop)
}

/// `compaction` and the edits of `context_management`: settings, and `instructions` for the summary
/// (`types/beta/beta_compaction_config_param.py`, `beta_compact_20260112_edit_param.py`).
fn instructions<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| instructions(reader, request)).map(drop),
        Kind::Object => reader
            .object(|reader, key| {
                if key.text() == "instructions" {
                    return request.push_all(reader, Place::Message, true, unknown_key);
                }
                instructions(reader, request)
            })
            .map(drop),
        _ => reader.skip().map(drop),
    }
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
