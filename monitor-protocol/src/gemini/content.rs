//! Contents and parts of a request.

use super::key::camel;
use crate::{
    JsonError, Place, Request, Role,
    image::{Image, Size},
    json::{Kind, Reader, Str},
    request::{any_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// `contents`, `content` or `systemInstruction`: an array of contents, one, or (what the SDK takes and the API does not) a
/// string.
pub(super) fn contents<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, role: Role) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| contents(reader, request, role)).map(drop),
        Kind::Object => content(reader, request, role),
        Kind::String => {
            request.messages = request.messages.saturating_add(1);
            string(reader, request, role, Place::Message)
        }
        _ => reader.skip().map(drop),
    }
}

/// One `Content`. Its role may stand after its parts, so it is written into the texts at the end; what a tool said is the
/// tool's, in whosever content it stands.
fn content<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, usual: Role) -> Result<()> {
    let first = request.texts.len();
    let mut role = usual;
    request.messages = request.messages.saturating_add(1);
    reader.object(|reader, key| match &*camel(&key) {
        "parts" => parts(reader, request),
        "role" => {
            let named = reader.string()?;
            // A system instruction is one whatever role its content names.
            if usual != Role::System {
                role = named.map_or(usual, |name| role_of(&name.text()));
            }
            Ok(())
        }
        // A part where a content should be: a lenient server may take it.
        _ => part_member(reader, &key, request).map(drop),
    })?;
    for text in request.texts.iter_mut().skip(first) {
        text.role = match text.place {
            Place::ToolResult => Role::Tool,
            _ => role,
        };
    }
    Ok(())
}

/// `role`: "Must be either 'user' or 'model'" (google-genai 3.4.0, `types.py`, `Content`); `function` is of older
/// versions.
fn role_of(name: &str) -> Role {
    match name {
        "model" => Role::Assistant,
        name => Role::parse(name),
    }
}

/// An array of parts; a lone one, which the API takes too, is read as well.
pub(super) fn parts<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| parts(reader, request)).map(drop),
        Kind::Object => part(reader, request),
        _ => string(reader, request, Role::Unstated, Place::Message),
    }
}

/// One part. `thought` may stand after the text it speaks of.
fn part<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    let mut is_thought = false;
    reader.object(|reader, key| {
        is_thought |= part_member(reader, &key, request)?;
        Ok(())
    })?;
    if is_thought {
        for text in request.texts.iter_mut().skip(first) {
            if text.place == Place::Message {
                text.place = Place::Reasoning;
            }
        }
    }
    Ok(())
}

/// One member of a part (google-genai 3.4.0, `types.py`, `Part`); `true` is returned for a `thought` that is one.
fn part_member<'b>(reader: &mut Reader<'b>, key: &Str<'b>, request: &mut Request<'b>) -> Result<bool> {
    match &*camel(key) {
        "text" => string(reader, request, Role::Unstated, Place::Message)?,
        "thought" => return reader.is_true(),
        "functionCall" | "toolCall" => {
            request.tool_calls = request.tool_calls.saturating_add(1);
            called(reader, request, Place::ToolCall)?;
        }
        "functionResponse" | "toolResponse" => function_response(reader, request)?,
        "executableCode" => called(reader, request, Place::ToolCall)?,
        "codeExecutionResult" => called(reader, request, Place::ToolResult)?,
        "inlineData" | "fileData" => blob(reader, request)?,
        // Settings of a medium, and an opaque signature.
        "thoughtSignature"
        | "videoMetadata"
        | "mediaResolution"
        | "mediaProcessing"
        | "audioMetadata"
        | "documentMetadata"
        | "spreadsheetMetadata" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(false)
}

/// A call of an earlier turn, or what came of one: `name`, `args`, `response`, `code`, `output`. Everything below is the
/// model's words or the tool's.
fn called<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    reader
        .object(|reader, key| match &*camel(&key) {
            "id" | "language" | "outcome" | "toolType" | "willContinue" | "scheduling" => {
                reader.skip().map(drop)
            }
            _ => request.push_all(reader, place, true, any_key),
        })
        .map(drop)
}

/// A `FunctionResponse`: its `parts` hold media.
pub(super) fn function_response<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    reader.object(|reader, key| match &*camel(&key) {
        "id" | "toolType" | "willContinue" | "scheduling" => reader.skip().map(drop),
        "parts" => parts(reader, request),
        _ => request.push_all(reader, Place::ToolResult, true, any_key),
    })?;
    for text in request.texts.iter_mut().skip(first) {
        text.place = Place::ToolResult;
        text.role = Role::Tool;
    }
    Ok(())
}

/// A medium: `Blob` or `FileData`. Its name is read by the model; its data is base64, its address a reference.
pub(super) fn blob<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let (mut kind, mut data) = (None, None);
    reader.object(|reader, key| match &*camel(&key) {
        "mimeType" => {
            kind = reader.string()?.map(|kind| kind.text());
            Ok(())
        }
        "data" => {
            data = reader.string()?;
            Ok(())
        }
        "displayName" => string(reader, request, Role::Unstated, Place::Document),
        _ => reader.skip().map(drop),
    })?;
    let kind = kind.as_deref().unwrap_or_default();
    if kind.starts_with("image/") {
        let size = data.and_then(|data| Size::of_base64(&data.text()));
        request.image(Image { size, low: false });
        return Ok(());
    }
    let attachments = &mut request.attachments;
    let count = match kind {
        // A video is images and a clip; there is one count for both.
        kind if kind.starts_with("video/") => &mut attachments.images,
        kind if kind.starts_with("audio/") => &mut attachments.audio,
        _ => &mut attachments.files,
    };
    *count = count.saturating_add(1);
    Ok(())
}

/// Lists the next value's strings.
pub(super) fn string<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    role: Role,
    place: Place,
) -> Result<()> {
    if reader.peek()? == Kind::String {
        if let Some(string) = reader.string()? {
            request.push(string, role, place, true);
        }
        return Ok(());
    }
    request.push_all(reader, place, true, unknown_key)
}
