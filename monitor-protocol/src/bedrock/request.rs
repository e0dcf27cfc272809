//! What a request of converse says; Nova's own requests, and what is counted, have the same members.

use super::block;
use crate::{
    JsonError, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, document},
    request::{schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| member(reader, &key.text(), &mut request))?;
    Ok(request)
}

/// A member of `ConverseRequest`, or of `CountTokensRequest`, whose `input` has the same ones under `converse`.
fn member<'b>(reader: &mut Reader<'b>, key: &str, request: &mut Request<'b>) -> Result<()> {
    match key {
        "messages" => request.each_message(reader, message),
        "system" => {
            let first = request.texts.len();
            block::blocks(reader, request, Place::Message)?;
            for text in request.texts.iter_mut().skip(first) {
                text.role = Role::System;
            }
            Ok(())
        }
        "inferenceConfig" => inference_config(reader, request),
        "toolConfig" => tool_config(reader, request),
        // Values for a stored prompt, whose ARN stands for the model.
        "promptVariables" => {
            let first = request.texts.len();
            request.push_all(reader, Place::Message, true, unknown_key)?;
            for text in request.texts.iter_mut().skip(first) {
                text.role = Role::User;
            }
            Ok(())
        }
        "outputConfig" => output_config(reader, request),
        "input" => reader
            .object(|reader, key| match &*key.text() {
                "converse" => reader
                    .object(|reader, key| member(reader, &key.text(), request))
                    .map(drop),
                // A body in base64, which is counted and not answered.
                _ => reader.skip().map(drop),
            })
            .map(drop),
        // Known, and read by no model.
        "additionalModelResponseFieldPaths"
        | "guardrailConfig"
        | "performanceConfig"
        | "requestMetadata"
        | "schemaVersion"
        | "serviceTier" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
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
        "content" => block::blocks(reader, request, Place::Message),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(role)
}

/// `InferenceConfiguration`; `max_new_tokens` is how Nova's own requests may say it.
fn inference_config<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "maxTokens" | "max_new_tokens" => {
                request.max_output_tokens =
                    reader.count()?.map(|(tokens, span)| OutputLimit { tokens, span });
                Ok(())
            }
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// `ToolConfiguration`: a list of `toolSpec`, `systemTool` and cache points.
fn tool_config<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "tools" => {
                let start = reader.position()?;
                reader.array(|reader| {
                    reader
                        .object(|reader, key| match &*key.text() {
                            "toolSpec" => tool_spec(reader, request),
                            "cachePoint" => reader.skip().map(drop),
                            _ => request.push_all(reader, Place::ToolDefinition, true, schema_key),
                        })
                        .map(drop)
                })?;
                request.tools.push(start..reader.offset());
                Ok(())
            }
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

fn tool_spec<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "inputSchema" if reader.peek()? == Kind::Object => reader
                .object(|reader, _| request.push_all(reader, Place::ToolDefinition, true, schema_key))
                .map(drop),
            _ => request.push_all(reader, Place::ToolDefinition, true, schema_key),
        })
        .map(drop)
}

/// `OutputConfig`: the schema is a string of JSON.
fn output_config<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "effort" => reader.skip().map(drop),
            _ => request.push_all(reader, Place::OutputSchema, true, unknown_key),
        })
        .map(drop)
}
