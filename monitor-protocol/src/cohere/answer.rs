//! What an answer says, whole or an event of a stream.

use crate::{
    JsonError, Part, ReadError,
    json::{Kind, Reader},
    reading::Reading,
};

type Result<T> = std::result::Result<T, JsonError>;

/// The stream ends at this data (cohere-python 7.3.1, `v2/raw_client.py`, `RawV2Client.chat_stream`).
const DONE: &[u8] = b"[DONE]";

/// The index of what has none and is not at index 0: the plan for using tools beside the thinking, what is searched for
/// beside the arguments of tool calls.
const APART: u32 = u32::MAX;
/// Added to the index of tool calls that a stream of version 1 tells whole after it told them in pieces.
const WHOLE: u32 = 1 << 16;
/// Added to the index of everything that the last event of a stream of version 1 repeats.
const REPEATED: u32 = 2 << 16;

/// What in a citation is no text.
const CITATION_OPAQUE: &[&str] = &["type", "id", "document_ids"];

pub(super) fn whole(body: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    Reading::read(body, |reading, reader, key| match key {
        "message" => {
            // An answer's message is an object, an error's a string.
            if reader.peek()? == Kind::String {
                return reading.error(reader);
            }
            message(reading, reader)
        }
        "model" => reading.model(reader),
        "logprobs" => reading.echo(reader),
        key => old(reading, reader, key, 0),
    })
}

pub(super) fn event(data: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    if data.is_empty() {
        return Ok(Reading::default());
    }
    if data.starts_with(DONE) {
        return Ok(Reading::end());
    }
    let mut index = None;
    let mut reading = Reading::read(data, |reading, reader, key| match key {
        "type" | "event_type" => {
            reading.terminal = reader
                .string()?
                .is_some_and(|kind| matches!(&*kind.text(), "message-end" | "stream-end"));
            Ok(())
        }
        "index" => {
            index = reader
                .count()?
                .map(|(count, _)| u32::try_from(count).unwrap_or(u32::MAX));
            Ok(())
        }
        "delta" => delta(reading, reader),
        "logprobs" => reading.echo(reader),
        "tool_call_delta" => tool_call(reading, reader, 0),
        "response" => reader
            .object(|reader, key| old(reading, reader, &key.text(), REPEATED))
            .map(drop),
        "tool_calls" => old(reading, reader, key, WHOLE),
        "message" if reader.peek()? == Kind::String => reading.error(reader),
        key => old(reading, reader, key, 0),
    })?;
    if let Some(index) = index {
        reading.set_index(0, index);
    }
    Ok(reading)
}

/// Members of version 1's answers, and those that both versions have at the same place. `base` is added to indexes.
fn old<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, key: &str, base: u32) -> Result<()> {
    match key {
        "text" => reading.text(reader, Part::Text, base),
        "tool_calls" => tool_calls(reading, reader, base),
        "citations" => reading.texts(reader, Part::Citation, base, CITATION_OPAQUE),
        // What the model looks for, and what was found.
        "search_queries" => reading.texts(reader, Part::ToolArguments, APART, &["generation_id"]),
        "search_results" | "documents" => {
            reading.texts(reader, Part::ToolResult, base, &["id", "document_ids"])
        }
        // It ends with this answer.
        "chat_history" => reading.echo(reader),
        "finish_reason" => finish(reading, reader),
        "usage" | "meta" => reading.usage(reader, super::usage::read),
        _ => reader.skip().map(drop),
    }
}

fn finish<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    reading.finish(reader, super::finish)?;
    reading.error |= reading.finish == Some(crate::Finish::Error);
    Ok(())
}

fn delta<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "message" => message(reading, reader),
            "finish_reason" => finish(reading, reader),
            "usage" => reading.usage(reader, super::usage::read),
            "error" => reading.error(reader),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// Of a whole answer the members are arrays, of a `delta` single values.
fn message<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "content" => {
                let mut position = 0;
                each(reader, |reader| {
                    content(reading, reader, position)?;
                    position += 1;
                    Ok(())
                })
            }
            "tool_plan" => reading.text(reader, Part::Reasoning, APART),
            "tool_calls" => tool_calls(reading, reader, 0),
            "citations" => reading.texts(reader, Part::Citation, 0, CITATION_OPAQUE),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// Reads the elements of an array, or a single value.
fn each<'b>(reader: &mut Reader<'b>, mut element: impl FnMut(&mut Reader<'b>) -> Result<()>) -> Result<()> {
    if reader.peek()? == Kind::Array {
        reader.array(element).map(drop)
    } else {
        element(reader)
    }
}

fn content<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, position: u32) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "text" => reading.text(reader, Part::Text, position),
            "thinking" => reading.text(reader, Part::Reasoning, position),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

fn tool_calls<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, base: u32) -> Result<()> {
    let mut index = base;
    each(reader, |reader| {
        tool_call(reading, reader, index)?;
        index = index.saturating_add(1);
        Ok(())
    })
}

/// A call, whole or a piece of one: `function` {`name`, `arguments`}, or version 1's `name` and `parameters`, in pieces
/// with an `index` and with the plan in `text`.
fn tool_call<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, position: u32) -> Result<()> {
    let first = reading.len();
    let mut index = position;
    reader.object(|reader, key| match &*key.text() {
        "function" => reader
            .object(|reader, key| called(reading, reader, &key.text(), position))
            .map(drop),
        "index" => {
            if let Some((count, _)) = reader.count()? {
                index = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Ok(())
        }
        key => called(reading, reader, key, position),
    })?;
    reading.set_index(first, index);
    Ok(())
}

fn called<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, key: &str, index: u32) -> Result<()> {
    match key {
        "name" => reading.text(reader, Part::ToolName, index),
        "arguments" | "parameters" => reading.arguments(reader, index),
        "text" => reading.text(reader, Part::Reasoning, index),
        _ => reader.skip().map(drop),
    }
}
