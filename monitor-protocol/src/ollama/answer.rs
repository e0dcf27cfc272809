//! What an answer says: a whole one and a line of a stream have the same members.

use crate::{
    Finish, JsonError, Part, ReadError,
    json::{Kind, Reader},
    reading::Reading,
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read(document: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    Reading::read(document, |reading, reader, key| match key {
        "model" => reading.model(reader),
        "message" => message(reading, reader),
        "response" => reading.text(reader, Part::Text, 0),
        "thinking" => reading.text(reader, Part::Reasoning, 0),
        "done" => {
            reading.terminal = reader.is_true()?;
            Ok(())
        }
        "done_reason" => reading.finish(reader, finish),
        "prompt_eval_count" => reading.counted(reader, |counters, count| counters.prompt = count),
        "eval_count" => reading.counted(reader, |counters, count| counters.completion = count),
        "logprobs" => reading.echo(reader),
        "error" => {
            // The client raises on any `error` that Python takes for true.
            reading.error |= !matches!(reader.peek()?, Kind::Null | Kind::False);
            reader.skip().map(drop)
        }
        _ => reader.skip().map(drop),
    })
}

/// `done_reason`: `stop` and `length`; `load` and `unload` answer a request that has no prompt.
fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        _ => Finish::Other,
    }
}

fn message<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "content" => reading.text(reader, Part::Text, 0),
            "thinking" => reading.text(reader, Part::Reasoning, 0),
            "tool_calls" => {
                let mut position = 0;
                reader
                    .array(|reader| {
                        tool_call(reading, reader, position)?;
                        position += 1;
                        Ok(())
                    })
                    .map(drop)
            }
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// Each line of a stream has its own array of calls; `function.index` tells them apart.
fn tool_call<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, position: u32) -> Result<()> {
    let first = reading.len();
    let mut index = position;
    reader.object(|reader, key| match &*key.text() {
        "function" => reader
            .object(|reader, key| match &*key.text() {
                "name" => reading.text(reader, Part::ToolName, position),
                "arguments" => reading.arguments(reader, position),
                "index" => {
                    if let Some((count, _)) = reader.count()? {
                        index = u32::try_from(count).unwrap_or(u32::MAX);
                    }
                    Ok(())
                }
                _ => reader.skip().map(drop),
            })
            .map(drop),
        _ => reader.skip().map(drop),
    })?;
    reading.set_index(first, index);
    Ok(())
}
