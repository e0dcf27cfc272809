//! The whole answer.

use std::ops::Range;

use super::super::usage;
use crate::{
    Channel, Finish, JsonError, Part, ReadError, Response, Telling,
    answer::Answer,
    json::{Kind, Reader, Str, document},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(in crate::openai) fn read_response(body: &[u8]) -> std::result::Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    let mut choices_seen = 0;
    document(body, |reader, key| match &*key.text() {
        "choices" => choices(reader, &mut response, &mut choices_seen),
        "model" => response.read_model(reader),
        "usage" => response.read_usage(reader, usage::read),
        "error" => response.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(response)
}

/// `choices`, of an answer or a chunk.
pub(in crate::openai) fn choices<'b>(
    reader: &mut Reader<'b>,
    answer: &mut impl Answer<'b>,
    seen: &mut u32,
) -> Result<()> {
    reader
        .array(|reader| {
            let first = answer.texts();
            let mut choice = *seen;
            *seen += 1;
            reader.object(|reader, key| match &*key.text() {
                "index" => {
                    if let Some((index, _)) = reader.count()? {
                        choice = u32::try_from(index).unwrap_or(u32::MAX);
                    }
                    Ok(())
                }
                "message" | "delta" => message(reader, answer),
                // Of a legacy completion.
                "text" => one(reader, Part::Text, 0, answer),
                "finish_reason" => {
                    if let Some(reason) = reader.string()? {
                        answer.set_finish(finish(&reason.text()));
                    }
                    Ok(())
                }
                "logprobs" => answer.read_echo(reader),
                _ => reader.skip().map(drop),
            })?;
            answer.set_choice(first, choice);
            Ok(())
        })
        .map(drop)
}

/// `finish_reason`: openai-python 3.54.0, `types/chat/chat_completion.py`; `error` is OpenRouter's.
fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        "error" => Finish::Error,
        _ => Finish::Other,
    }
}

/// A `message`, or the `delta` of a chunk: the same members.
///
/// `reasoning_content` (DeepSeek, xAI, vLLM) and `reasoning` (OpenRouter, Groq, Cerebras, Together) are the thinking;
/// OpenRouter's `reasoning_details` repeats it and counts as an echo when one of the others is there.
fn message<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    let mut reasoning = None;
    let mut details: Option<(Range<usize>, Vec<Str<'b>>)> = None;
    reader.object(|reader, key| match &*key.text() {
        "content" => content(reader, answer),
        "refusal" => one(reader, Part::Refusal, 0, answer),
        name @ ("reasoning_content" | "reasoning") => {
            let is_string = reader.peek()? == Kind::String;
            let start = reader.position()?;
            let Some(string) = reader.string()?.filter(|_| is_string) else {
                return Ok(());
            };
            match reasoning {
                // Some servers send both, equal.
                Some((first, raw)) if first != (name == "reasoning") && raw == string.raw => {
                    answer.echo(start..reader.offset());
                }
                _ => {
                    reasoning = Some((name == "reasoning", string.raw));
                    answer.text(string, told(Part::Reasoning, 0), Telling::Piece);
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
                    tool_call(reader, position, answer)?;
                    position += 1;
                    Ok(())
                })
                .map(drop)
        }
        "function_call" => tool_call(reader, 0, answer),
        "audio" => reader
            .object(|reader, key| match &*key.text() {
                "transcript" => one(reader, Part::Transcript, 0, answer),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "annotations" => strings_of(reader, Part::Citation, answer),
        _ => reader.skip().map(drop),
    })?;
    match (reasoning, details) {
        (Some(_), Some((span, strings))) if !strings.is_empty() => answer.echo(span),
        (None, Some((_, strings))) => strings
            .into_iter()
            .for_each(|string| answer.text(string, told(Part::Reasoning, 0), Telling::Piece)),
        _ => {}
    }
    Ok(())
}

/// A channel whose choice is written in later.
fn told(part: Part, index: u32) -> Channel {
    let choice = 0;
    Channel { choice, part, index }
}

fn one<'b>(reader: &mut Reader<'b>, part: Part, index: u32, answer: &mut impl Answer<'b>) -> Result<()> {
    if let Some(string) = reader.string()? {
        answer.text(string, told(part, index), Telling::Piece);
    }
    Ok(())
}

fn strings_of<'b>(reader: &mut Reader<'b>, part: Part, answer: &mut impl Answer<'b>) -> Result<()> {
    reader.array(|reader| {
        reader.strings(&mut |key| key.text() != "type", &mut |string| {
            answer.text(string, told(part, 0), Telling::Piece);
        })
    })?;
    Ok(())
}

/// `content`: a string, or (Mistral's reasoning models) an array of `text` and `thinking` parts.
fn content<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return one(reader, Part::Text, 0, answer);
    }
    reader
        .array(|reader| {
            reader
                .object(|reader, key| match &*key.text() {
                    "text" => one(reader, Part::Text, 0, answer),
                    "thinking" => reader.strings(&mut |key| key.text() != "type", &mut |string| {
                        answer.text(string, told(Part::Reasoning, 0), Telling::Piece);
                    }),
                    _ => reader.skip().map(drop),
                })
                .map(drop)
        })
        .map(drop)
}

/// A tool call, whole or a piece of one: `index`, `function` {`name`, `arguments`}, `custom` {`name`, `input`}, or the
/// legacy form without the envelope.
fn tool_call<'b>(reader: &mut Reader<'b>, position: u32, answer: &mut impl Answer<'b>) -> Result<()> {
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
        answer.text(string, told(part, index), Telling::Piece);
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
