//! The whole answer.

use std::ops::Range;

use crate::{
    JsonError, Part, ReadError, Response, ResponseText,
    json::{Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_response(body: &[u8]) -> std::result::Result<Response<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut response = Response::default();
    let is_object = reader.object(|reader, key| match &*key.text() {
        "choices" => choices(reader, &mut response),
        "model" => {
            response.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "usage" => {
            let start = reader.position()?;
            if let Some(counters) = super::usage::read(reader)? {
                response.usage = Some(response.usage.unwrap_or_default().merge(counters));
                response.usage_raw = Some(reader.slice(start..reader.offset()));
            }
            Ok(())
        }
        "error" => {
            response.error |= reader.peek()? != Kind::Null;
            reader.skip().map(drop)
        }
        _ => reader.skip().map(drop),
    })?;
    reader.finish()?;
    if is_object {
        Ok(response)
    } else {
        Err(ReadError::NotAnObject)
    }
}

/// `choices`. The `index` may stand after the message, so it is written into the texts at the end of the choice.
fn choices<'b>(reader: &mut Reader<'b>, response: &mut Response<'b>) -> Result<()> {
    let mut position = 0;
    reader
        .array(|reader| {
            let first = response.texts.len();
            let mut choice = position;
            position += 1;
            reader.object(|reader, key| match &*key.text() {
                "index" => {
                    if let Some((index, _)) = reader.count()? {
                        choice = u32::try_from(index).unwrap_or(u32::MAX);
                    }
                    Ok(())
                }
                "message" | "delta" => {
                    let Response { texts, echoes, .. } = response;
                    message(
                        reader,
                        &mut |string, part, index| texts.push(ResponseText::new(string, 0, part, index)),
                        &mut |span| echoes.push(span),
                    )
                }
                "finish_reason" => {
                    if let Some(reason) = reader.string()? {
                        response.finish = Some(super::finish(&reason.text()));
                    }
                    Ok(())
                }
                "logprobs" => {
                    let is_null = reader.peek()? == Kind::Null;
                    let span = reader.skip()?;
                    if !is_null {
                        response.echoes.push(span);
                    }
                    Ok(())
                }
                _ => reader.skip().map(drop),
            })?;
            for text in response.texts.iter_mut().skip(first) {
                text.channel.choice = choice;
            }
            Ok(())
        })
        .map(drop)
}

/// Takes a text: its string, part, and index within the part.
pub(super) type Found<'f, 'b> = &'f mut dyn FnMut(Str<'b>, Part, u32);

/// A `message`, or the `delta` of a chunk: the same members.
///
/// `reasoning_content` (DeepSeek, xAI, vLLM) and `reasoning` (OpenRouter, Groq, Cerebras, Together) are the thinking;
/// OpenRouter's `reasoning_details` repeats it and counts as an echo when one of the others is there.
pub(super) fn message<'b>(
    reader: &mut Reader<'b>,
    found: Found<'_, 'b>,
    echo: &mut dyn FnMut(Range<usize>),
) -> Result<()> {
    let mut reasoning = None;
    let mut details: Option<(Range<usize>, Vec<Str<'b>>)> = None;
    reader.object(|reader, key| match &*key.text() {
        "content" => content(reader, found),
        "refusal" => one(reader, Part::Refusal, 0, found),
        name @ ("reasoning_content" | "reasoning") => {
            let is_string = reader.peek()? == Kind::String;
            let start = reader.position()?;
            let Some(string) = reader.string()?.filter(|_| is_string) else {
                return Ok(());
            };
            match reasoning {
                // Some servers send both, equal.
                Some((first, raw)) if first != (name == "reasoning") && raw == string.raw => {
                    echo(start..reader.offset());
                }
                _ => {
                    reasoning = Some((name == "reasoning", string.raw));
                    found(string, Part::Reasoning, 0);
                }
            }
            Ok(())
        }
        "reasoning_details" => {
            let start = reader.position()?;
            let mut strings = Vec::new();
            reader.array(|reader| {
                reader
                    .object(|reader, key| match &*key.text() {
                        "text" | "summary" => {
                            strings.extend(reader.string()?);
                            Ok(())
                        }
                        _ => reader.skip().map(drop),
                    })
                    .map(drop)
            })?;
            details = Some((start..reader.offset(), strings));
            Ok(())
        }
        "tool_calls" => {
            let mut position = 0;
            reader
                .array(|reader| {
                    tool_call(reader, position, found)?;
                    position += 1;
                    Ok(())
                })
                .map(drop)
        }
        "function_call" => tool_call(reader, 0, found),
        "audio" => reader
            .object(|reader, key| match &*key.text() {
                "transcript" => one(reader, Part::Transcript, 0, found),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "annotations" => strings_of(reader, Part::Citation, found),
        _ => reader.skip().map(drop),
    })?;
    match (reasoning, details) {
        (Some(_), Some((span, strings))) if !strings.is_empty() => echo(span),
        (None, Some((_, strings))) => strings
            .into_iter()
            .for_each(|string| found(string, Part::Reasoning, 0)),
        _ => {}
    }
    Ok(())
}

fn one<'b>(reader: &mut Reader<'b>, part: Part, index: u32, found: Found<'_, 'b>) -> Result<()> {
    if let Some(string) = reader.string()? {
        found(string, part, index);
    }
    Ok(())
}

fn strings_of<'b>(reader: &mut Reader<'b>, part: Part, found: Found<'_, 'b>) -> Result<()> {
    reader.array(|reader| {
        reader.strings(&mut |key| key.text() != "type", &mut |string| {
            found(string, part, 0)
        })
    })?;
    Ok(())
}

/// `content`: a string, or (Mistral's reasoning models) an array of `text` and `thinking` parts.
fn content<'b>(reader: &mut Reader<'b>, found: Found<'_, 'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return one(reader, Part::Text, 0, found);
    }
    reader
        .array(|reader| {
            reader
                .object(|reader, key| match &*key.text() {
                    "text" => one(reader, Part::Text, 0, found),
                    "thinking" => reader.strings(&mut |key| key.text() != "type", &mut |string| {
                        found(string, Part::Reasoning, 0);
                    }),
                    _ => reader.skip().map(drop),
                })
                .map(drop)
        })
        .map(drop)
}

/// A tool call, whole or a piece of one: `index`, `function` {`name`, `arguments`}, `custom` {`name`, `input`}, or the
/// legacy form without the envelope.
fn tool_call<'b>(reader: &mut Reader<'b>, position: u32, found: Found<'_, 'b>) -> Result<()> {
    let mut index = position;
    let mut strings: smallvec::SmallVec<[(Str<'b>, Part); 2]> = smallvec::SmallVec::new();
    reader.object(|reader, key| match &*key.text() {
        "index" => {
            if let Some((count, _)) = reader.count()? {
                index = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Ok(())
        }
        "function" | "custom" => reader
            .object(|reader, key| called(reader, &key.text(), &mut strings))
            .map(drop),
        name => called(reader, name, &mut strings),
    })?;
    for (string, part) in strings {
        found(string, part, index);
    }
    Ok(())
}

fn called<'b>(
    reader: &mut Reader<'b>,
    key: &str,
    strings: &mut smallvec::SmallVec<[(Str<'b>, Part); 2]>,
) -> Result<()> {
    let part = match key {
        "name" => Part::ToolName,
        "arguments" | "input" => Part::ToolArguments,
        _ => return reader.skip().map(drop),
    };
    strings.extend(reader.string()?.map(|string| (string, part)));
    Ok(())
}
