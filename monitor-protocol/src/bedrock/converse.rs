//! What an answer of converse says, whole or an event of a stream.

use crate::{
    JsonError, Part, ReadError,
    json::{Kind, Reader},
    reading::Reading,
};

type Result<T> = std::result::Result<T, JsonError>;

/// What in a citation is no text.
const CITATION_OPAQUE: &[&str] = &["location"];

/// `ConverseResponse`, or an error.
pub(super) fn whole(body: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    Reading::read(body, whole_member)
}

/// A member of a whole answer; Nova's own answers have the same ones.
pub(super) fn whole_member<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, key: &str) -> Result<()> {
    match key {
        "output" => reader
            .object(|reader, key| match &*key.text() {
                "message" => reader
                    .object(|reader, key| match &*key.text() {
                        "content" => content(reading, reader),
                        _ => reader.skip().map(drop),
                    })
                    .map(drop),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "stopReason" => reading.finish(reader, super::finish),
        "usage" => reading.usage(reader, super::usage::token_usage),
        // Parts of the model's own answer, and what a guardrail found in it.
        "additionalModelResponseFields" | "trace" => reading.echo(reader),
        // Every exception has it, and no answer.
        "message" | "Message" if reader.peek()? == Kind::String => reading.error(reader),
        _ => reader.skip().map(drop),
    }
}

fn content<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>) -> Result<()> {
    let mut index = 0;
    reader
        .array(|reader| {
            reader.object(|reader, key| block(reading, reader, &key.text(), index))?;
            index += 1;
            Ok(())
        })
        .map(drop)
}

/// A member of `ContentBlock`, of `ContentBlockStart` or of `ContentBlockDelta`: they agree where they meet.
fn block<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, kind: &str, index: u32) -> Result<()> {
    match kind {
        "text" => reading.text(reader, Part::Text, index),
        "toolUse" => reader
            .object(|reader, key| match &*key.text() {
                "name" => reading.text(reader, Part::ToolName, index),
                "input" => reading.arguments(reader, index),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        // `text` of a delta, `reasoningText` of a block; the rest is opaque.
        "reasoningContent" => {
            reading.texts(reader, Part::Reasoning, index, &["signature", "redactedContent"])
        }
        "toolResult" => reading.texts(reader, Part::ToolResult, index, &["toolUseId", "type", "status"]),
        "citationsContent" => reader
            .object(|reader, key| match &*key.text() {
                "content" => reading.texts(reader, Part::Text, index, &[]),
                _ => reading.texts(reader, Part::Citation, index, CITATION_OPAQUE),
            })
            .map(drop),
        "citation" => reading.texts(reader, Part::Citation, index, CITATION_OPAQUE),
        _ => reader.skip().map(drop),
    }
}

/// An event of `ConverseStreamOutput`, by the name that the framing gives it.
pub(super) fn event<'e>(name: &[u8], data: &'e [u8]) -> std::result::Result<Reading<'e>, ReadError> {
    let mut index = 0;
    let mut reading = Reading::read(data, |reading, reader, key| {
        event_member(reading, reader, key, &mut index)
    })?;
    finish_event(&mut reading, name, index);
    Ok(reading)
}

/// An event whose name is a member around it: Nova's own streams.
pub(super) fn named_event<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, name: &str) -> Result<()> {
    let mut index = 0;
    reader.object(|reader, key| event_member(reading, reader, &key.text(), &mut index))?;
    finish_event(reading, name.as_bytes(), index);
    Ok(())
}

fn event_member<'b>(
    reading: &mut Reading<'b>,
    reader: &mut Reader<'b>,
    key: &str,
    index: &mut u32,
) -> Result<()> {
    match key {
        "contentBlockIndex" => {
            if let Some((count, _)) = reader.count()? {
                *index = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Ok(())
        }
        "start" | "delta" => reader
            .object(|reader, key| block(reading, reader, &key.text(), 0))
            .map(drop),
        "stopReason" => reading.finish(reader, super::finish),
        "usage" => reading.usage(reader, super::usage::token_usage),
        "additionalModelResponseFields" | "trace" => reading.echo(reader),
        _ => reader.skip().map(drop),
    }
}

/// The index may stand after the text. `metadata` comes last, after `messageStop`.
fn finish_event(reading: &mut Reading<'_>, name: &[u8], index: u32) {
    reading.set_index(0, index);
    reading.terminal |= name == b"metadata";
}
