//! What a server's messages say: answers, requests and notifications, as a body or as an event.

use crate::{
    JsonError, Part, ReadError,
    json::{Kind, Reader},
    reading::Reading,
    request::{KeyUse, any_key, schema_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Members that hold data (base64), references and fixed words.
pub(super) const OPAQUE: &[&str] = &[
    "_meta",
    "action",
    "annotations",
    "blob",
    "capabilities",
    "data",
    "execution",
    "icons",
    "id",
    "mimeType",
    "nextCursor",
    "protocolVersion",
    "resultType",
    "role",
    "stopReason",
    "toolUseId",
    "type",
];

pub(super) fn read(document: &[u8]) -> std::result::Result<Reading<'_>, ReadError> {
    let mut reader = Reader::new(document)?;
    let mut reading = Reading::default();
    match reader.peek()? {
        Kind::Object => message(&mut reading, &mut reader, 0)?,
        Kind::Array => {
            let mut index = 0;
            reader.array(|reader| {
                message(&mut reading, reader, index)?;
                index += 1;
                Ok(())
            })?;
        }
        _ => return Err(ReadError::NotAnObject),
    }
    reader.finish()?;
    Ok(reading)
}

/// One message. An answer, and not a request or notification that comes before it, is the end of a stream.
fn message<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, index: u32) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "result" => {
                reading.terminal = true;
                result(reading, reader, index)
            }
            "error" => {
                reading.terminal = true;
                reading.error = true;
                // A client may show it to its model.
                walk(reading, reader, index, is_opaque)
            }
            // What the server asks of the client's model (`sampling/createMessage`), or tells.
            "params" => walk(reading, reader, index, is_opaque),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// Nobody the operator trusts wrote it, be it the description of a tool or its answer.
fn result<'b>(reading: &mut Reading<'b>, reader: &mut Reader<'b>, index: u32) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            // Names of parameters are for the model too.
            "tools" => walk(reading, reader, index, schema_key_of_tool),
            // Free-form, so that no key of it is known.
            "structuredContent" => walk(reading, reader, index, any_key),
            key if OPAQUE.contains(&key) => reader.skip().map(drop),
            _ => walk(reading, reader, index, is_opaque),
        })
        .map(drop)
}

fn is_opaque(key: &str) -> KeyUse {
    if OPAQUE.contains(&key) {
        KeyUse::Skip
    } else {
        KeyUse::Shape
    }
}

/// In schemas `type` and `id` may be names of properties, which are walked; their fixed words say nothing.
fn schema_key_of_tool(key: &str) -> KeyUse {
    match key {
        "_meta" | "annotations" | "execution" | "icons" => KeyUse::Skip,
        "inputSchema" | "outputSchema" => KeyUse::Shape,
        _ => schema_key(key),
    }
}

/// Takes every string of the next value, and keys where `keys` says so.
fn walk<'b>(
    reading: &mut Reading<'b>,
    reader: &mut Reader<'b>,
    index: u32,
    keys: fn(&str) -> KeyUse,
) -> Result<()> {
    match reader.peek()? {
        Kind::Object => reader
            .object(|reader, key| {
                match keys(&key.text()) {
                    KeyUse::Skip => return reader.skip().map(drop),
                    KeyUse::Text => reading.push(key, Part::ToolResult, index),
                    KeyUse::Shape => {}
                }
                walk(reading, reader, index, keys)
            })
            .map(drop),
        Kind::Array => reader
            .array(|reader| walk(reading, reader, index, keys))
            .map(drop),
        _ => reading.text(reader, Part::ToolResult, index),
    }
}
