//! Prompt tokens by OpenAI's published rules: openai-cookbook, `examples/How_to_count_tokens_with_tiktoken.ipynb`,
//! `num_tokens_from_messages` and `num_tokens_for_tools`.
//!
//! The rules cover messages with string contents and tools with one level of properties. Beyond them (nested schemas,
//! tool calls sent back, response schemas, attachments) the same arithmetic is carried on and the count is an estimate.

use crate::{Certainty, JsonError, Place, PromptCount, Request, json::Reader};

/// Tokens around each message (`<|start|>`, the role's separator, `<|end|>`).
const PER_MESSAGE: i64 = 3;
/// Every role name is one token in `cl100k_base` and `o200k_base`.
const PER_ROLE: i64 = 1;
/// Tokens for naming a message's author, beside the name's own.
const PER_NAME: i64 = 1;
/// The answer is primed with `<|start|>assistant<|message|>`.
const REPLY: i64 = 3;
/// Tokens around a tool call that is sent back, beside its name and arguments. Measured by others, not published.
const PER_TOOL_CALL: i64 = 3;

const PER_PROPERTIES: i64 = 3;
const PER_PROPERTY: i64 = 3;
const PER_ENUM: i64 = -3;
const PER_ENUM_ITEM: i64 = 3;
/// Once, when there is any tool.
const TOOLS_END: i64 = 12;

/// Tokens before each function: 10 for the models of `cl100k_base`, 7 for those after.
fn per_function(model: &str) -> i64 {
    let old = model.starts_with("gpt-3.5")
        || model.starts_with("gpt-35")
        || model == "gpt-4"
        || model.starts_with("gpt-4-");
    if old { 10 } else { 7 }
}

/// The published rules for chat completions.
pub(super) fn chat(body: &[u8], request: &Request<'_>) -> PromptCount {
    let each = |count: u32, tokens: i64| i64::from(count) * tokens;
    let mut plan = PromptCount {
        overhead: each(request.messages, PER_MESSAGE + PER_ROLE)
            + each(request.names, PER_NAME)
            + each(request.tool_calls, PER_TOOL_CALL)
            + REPLY,
        extra: Vec::new(),
        certainty: Certainty::Exact,
    };
    let beyond_the_rules = |text: &crate::Text<'_>| {
        !matches!(text.place, Place::Message | Place::Name | Place::ToolResult)
            && text.place != Place::Prediction
    };
    if request.texts.iter().any(beyond_the_rules) {
        plan.certainty = Certainty::Estimated;
    }
    if request.hidden || request.attachments.total() > 0 {
        plan.certainty = Certainty::UnderEstimate;
    }
    let mut functions = 0;
    for tools in &request.tools {
        let Some(Ok(mut reader)) = body.get(tools.clone()).map(Reader::new) else {
            continue;
        };
        // The body was read before, so its parts read too.
        let _: Result<bool, JsonError> = reader.array(|reader| {
            functions += 1;
            tool(reader, &mut plan)
        });
    }
    if functions > 0 {
        plan.overhead += functions * per_function(request.model.as_deref().unwrap_or_default()) + TOOLS_END;
    }
    plan
}

/// Responses are rendered as chat completions are, as far as anybody has measured; no rule is published.
pub(super) fn responses(body: &[u8], request: &Request<'_>) -> PromptCount {
    let mut plan = chat(body, request);
    if plan.certainty == Certainty::Exact {
        plan.certainty = Certainty::Estimated;
    }
    plan
}

/// What is not rendered as a conversation: the texts' own tokens and no more. Exact for one text and for arrays of texts or
/// of token numbers; other members (a completion's `suffix`) are counted by an unpublished rule.
pub(super) fn as_it_stands(request: &Request<'_>) -> PromptCount {
    let is_plain = |text: &crate::Text<'_>| !text.counted || text.place == Place::Message;
    PromptCount {
        overhead: i64::try_from(request.token_ids).unwrap_or(i64::MAX),
        extra: Vec::new(),
        certainty: if request.hidden || request.attachments.total() > 0 {
            Certainty::UnderEstimate
        } else if request.texts.iter().all(is_plain) {
            Certainty::Exact
        } else {
            Certainty::Estimated
        },
    }
}

/// The same by a server that may add to it what it does not tell (`<bos>`, a template's words).
pub(super) fn nearly_as_it_stands(request: &Request<'_>) -> PromptCount {
    let mut plan = as_it_stands(request);
    if plan.certainty == Certainty::Exact {
        plan.certainty = Certainty::Estimated;
    }
    plan
}

/// Of a ranking, the query is read again with each document.
pub(super) fn ranking(request: &Request<'_>) -> PromptCount {
    PromptCount {
        certainty: Certainty::UnderEstimate,
        ..as_it_stands(request)
    }
}

/// A tool (`{"type": …, "function": {…}}` or `"custom"`), or a legacy function without the envelope.
fn tool(reader: &mut Reader<'_>, plan: &mut PromptCount) -> Result<(), JsonError> {
    let mut name = String::new();
    let mut description = String::new();
    reader.object(|reader, key| match &*key.text() {
        "function" | "custom" => reader
            .object(|reader, key| definition(reader, &key.text(), &mut name, &mut description, plan))
            .map(drop),
        key => definition(reader, key, &mut name, &mut description, plan),
    })?;
    plan.extra
        .push(format!("{name}:{}", without_full_stop(&description)));
    Ok(())
}

fn definition(
    reader: &mut Reader<'_>,
    key: &str,
    name: &mut String,
    description: &mut String,
    plan: &mut PromptCount,
) -> Result<(), JsonError> {
    match key {
        "name" => *name = string(reader)?,
        "description" => *description = string(reader)?,
        "parameters" => {
            schema(reader, plan)?;
        }
        _ => {
            reader.skip()?;
        }
    }
    Ok(())
}

/// What a schema says of itself, for the line of the property it describes.
#[derive(Default)]
struct Described {
    kind: String,
    description: String,
}

/// Counts a schema's properties and enum items at any depth.
fn schema(reader: &mut Reader<'_>, plan: &mut PromptCount) -> Result<Described, JsonError> {
    let mut described = Described::default();
    reader.object(|reader, key| {
        match &*key.text() {
            "type" => described.kind = string(reader)?,
            "description" => described.description = string(reader)?,
            "properties" => {
                let mut any = false;
                reader.object(|reader, name| {
                    if !std::mem::replace(&mut any, true) {
                        plan.overhead += PER_PROPERTIES;
                    }
                    plan.overhead += PER_PROPERTY;
                    let property = schema(reader, plan)?;
                    let description = without_full_stop(&property.description);
                    plan.extra
                        .push(format!("{}:{}:{description}", name.text(), property.kind));
                    Ok(())
                })?;
            }
            "enum" => {
                plan.overhead += PER_ENUM;
                reader.array(|reader| {
                    plan.overhead += PER_ENUM_ITEM;
                    plan.extra.push(string(reader)?);
                    Ok(())
                })?;
            }
            "items" | "additionalProperties" => {
                schema(reader, plan)?;
            }
            "anyOf" | "oneOf" | "allOf" => {
                reader.array(|reader| schema(reader, plan).map(drop))?;
            }
            "$defs" | "definitions" => {
                reader.object(|reader, _| schema(reader, plan).map(drop))?;
            }
            _ => {
                reader.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(described)
}

fn string(reader: &mut Reader<'_>) -> Result<String, JsonError> {
    Ok(reader
        .string()?
        .map(|string| string.text().into_owned())
        .unwrap_or_default())
}

fn without_full_stop(description: &str) -> &str {
    description.strip_suffix('.').unwrap_or(description)
}
