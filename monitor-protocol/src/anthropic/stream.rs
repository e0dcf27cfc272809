//! The events of a streamed answer.

use smallvec::SmallVec;

use crate::{
    Call, Delta, Frame, JsonError, Operation, Part, ReadError, StreamEvent,
    json::{Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;
type Found<'e> = SmallVec<[(Str<'e>, Part); 2]>;

/// Reads an event by its members, not by its name: the client goes by the name for `ping` and `error` and by `type` for
/// the rest (anthropic-python 2.12.0, `src/anthropic/_streaming.py`, `Stream.__stream__`), and the members differ enough.
///
/// A completion has one kind of event, which ends with the one that gives a `stop_reason`.
pub(super) fn read_event<'e>(
    call: &Call,
    event: &'e Frame,
) -> std::result::Result<StreamEvent<'e>, ReadError> {
    let mut out = StreamEvent {
        error: event.name() == b"error",
        ..StreamEvent::default()
    };
    let data = event.data();
    if data.is_empty() {
        return Ok(out);
    }
    let mut reader = Reader::new(data)?;
    let mut index = 0;
    let mut found = Found::new();
    let is_object = reader.object(|reader, key| match &*key.text() {
        "type" => {
            let kind = reader.string()?;
            let kind = kind.as_ref().map(Str::text);
            match kind.as_deref() {
                Some("message_stop") => out.terminal = true,
                Some("error") => out.error = true,
                _ => {}
            }
            Ok(())
        }
        "index" => {
            if let Some((count, _)) = reader.count()? {
                index = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Ok(())
        }
        "message" => message(reader, &mut out, &mut found),
        "content_block" => super::response::block(reader, &mut |string, part| found.push((string, part))),
        "delta" => delta(reader, &mut out, &mut found),
        "usage" => usage(reader, &mut out),
        "completion" => {
            found.extend(reader.string()?.map(|string| (string, Part::Text)));
            Ok(())
        }
        "stop_reason" => {
            if let Some(reason) = reader.string()? {
                out.finish = Some(super::finish(&reason.text()));
                out.terminal |= call.operation == Operation::Complete;
            }
            Ok(())
        }
        "model" => {
            out.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        _ => reader.skip().map(drop),
    })?;
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    for (string, part) in found {
        if !string.raw.is_empty() {
            out.deltas.push(Delta::new(string, 0, part, index));
        }
    }
    Ok(out)
}

fn usage(reader: &mut Reader<'_>, out: &mut StreamEvent<'_>) -> Result<()> {
    let start = reader.position()?;
    if let Some(counters) = super::usage::read(reader)? {
        out.usage = Some(out.usage.unwrap_or_default().merge(counters));
        out.usage_span = Some(start..reader.offset());
    }
    Ok(())
}

/// The message of `message_start`: its content is empty, but a server may put the start of the answer there.
fn message<'e>(reader: &mut Reader<'e>, out: &mut StreamEvent<'e>, found: &mut Found<'e>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "model" => {
                out.model = reader.string()?.map(|model| model.text());
                Ok(())
            }
            "usage" => usage(reader, out),
            "content" => reader
                .array(|reader| {
                    super::response::block(reader, &mut |string, part| found.push((string, part)))
                })
                .map(drop),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// The delta of a `content_block_delta` (anthropic-python 2.12.0, `types/raw_content_block_delta.py`) or of a
/// `message_delta` (`types/raw_message_delta_event.py`). A `signature` is no text.
fn delta<'e>(reader: &mut Reader<'e>, out: &mut StreamEvent<'e>, found: &mut Found<'e>) -> Result<()> {
    reader
        .object(|reader, key| {
            let part = match &*key.text() {
                "text" => Part::Text,
                "thinking" => Part::Reasoning,
                "partial_json" => Part::ToolArguments,
                "citation" => {
                    return super::response::all(reader, Part::Citation, &mut |string, part| {
                        found.push((string, part));
                    });
                }
                // Of a `compaction_delta`.
                "content" => Part::ToolResult,
                "stop_reason" => {
                    if let Some(reason) = reader.string()? {
                        out.finish = Some(super::finish(&reason.text()));
                    }
                    return Ok(());
                }
                "stop_details" => {
                    return super::response::stop_details(reader, &mut |string| {
                        found.push((string, Part::Refusal));
                    });
                }
                _ => return reader.skip().map(drop),
            };
            if reader.peek()? == Kind::String {
                found.extend(reader.string()?.map(|string| (string, part)));
                return Ok(());
            }
            reader.skip().map(drop)
        })
        .map(drop)
}
