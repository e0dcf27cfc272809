//! Content blocks of a request.

use crate::{
    JsonError, Place, Request, Role,
    image::{Image, Size},
    json::{Kind, Reader, Str},
    request::{any_key, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// `content`, `system`, or what a tool answered: a string, or an array of blocks. A lone block, which the API refuses, is
/// read as well.
pub(super) fn content<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    match reader.peek()? {
        Kind::String => {
            if let Some(string) = reader.string()? {
                request.push(string, Role::Unstated, place, true);
            }
            Ok(())
        }
        Kind::Array => reader.array(|reader| content(reader, request, place)).map(drop),
        Kind::Object => block(reader, request, place),
        _ => reader.skip().map(drop),
    }
}

/// One block. Members are read by their names and not by the block's `type`, which may stand after them; the type
/// decides at the end what it was.
///
/// Shapes: anthropic-python 2.12.0, `types/content_block_param.py` and the blocks it lists.
fn block<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    let first = request.texts.len();
    let mut kind = None;
    let mut has_source = false;
    let mut has_file = false;
    let mut size = None;
    reader.object(|reader, key| {
        match &*key.text() {
            "type" => kind = reader.string()?.map(|kind| kind.text()),
            "text" => push(reader, request, place)?,
            "thinking" => push(reader, request, Place::Reasoning)?,
            // A document's title and context, a search result's title.
            "title" | "context" => push(reader, request, Place::Document)?,
            "content" => content(reader, request, place)?,
            // Of code that was run.
            "stdout" | "stderr" => push(reader, request, Place::ToolResult)?,
            // Tools that an MCP server lists, or that are offered from here on.
            "tools" | "tool" | "tool_changes" | "definition" => {
                let start = reader.position()?;
                request.push_all(reader, Place::ToolDefinition, true, schema_key)?;
                request.tools.push(start..reader.offset());
            }
            "source" => {
                has_source = true;
                let (is_file, image) = source(reader, request)?;
                has_file |= is_file;
                size = size.or(image);
            }
            "name" | "tool_name" => push(reader, request, Place::ToolCall)?,
            "input" => request.push_all(reader, Place::ToolCall, true, any_key)?,
            // References, opaque data, and text that stands elsewhere in the prompt.
            "id" | "tool_use_id" | "file_id" | "signature" | "encrypted_content" | "encrypted_index"
            | "data" | "cache_control" | "caller" | "toolset_name" | "media_type" | "encrypted_stdout"
            | "error_code" | "file_type" | "stop_reason" => {
                reader.skip()?;
            }
            _ => request.push_all(reader, Place::Other, false, unknown_key)?,
        }
        Ok(())
    })?;
    let kind = kind.as_deref().unwrap_or_default();
    match kind {
        "image" => request.image(Image { size, low: false }),
        "container_upload" => request.attachments.files = request.attachments.files.saturating_add(1),
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            request.tool_calls = request.tool_calls.saturating_add(1);
        }
        _ if has_file => request.attachments.files = request.attachments.files.saturating_add(1),
        _ => {}
    }
    let inside = if kind == "tool_result" || kind.ends_with("_tool_result") {
        Some(Place::ToolResult)
    } else if has_source && kind != "image" || kind == "search_result" {
        Some(Place::Document)
    } else {
        None
    };
    // What stands inside a tool's answer is the tool's words, documents included.
    if let Some(inside) = inside {
        for text in request.texts.iter_mut().skip(first) {
            if text.place != Place::ToolResult
                && (inside == Place::ToolResult || text.place == Place::Message)
            {
                text.place = inside;
            }
        }
    }
    Ok(())
}

/// A source: `{"type": "text", "data": …}` is plain text, `{"type": "content", "content": …}` holds blocks, a
/// search result's is a string; `base64`, `url` and `file` are no text, and `true` is returned for them.
fn source<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<(bool, Option<Size>)> {
    if reader.peek()? != Kind::Object {
        push(reader, request, Place::Document)?;
        return Ok((false, None));
    }
    let mut is_text = false;
    let mut is_file = false;
    let mut data: Vec<Str<'b>> = Vec::new();
    reader.object(|reader, key| {
        match &*key.text() {
            "type" => {
                let kind = reader.string()?;
                let kind = kind.as_ref().map(Str::text);
                match kind.as_deref() {
                    Some("text") => is_text = true,
                    Some("base64" | "url" | "file") => is_file = true,
                    _ => {}
                }
            }
            "media_type" => {
                is_text |= reader
                    .string()?
                    .is_some_and(|kind| kind.text().starts_with("text/"));
            }
            "data" => data.extend(reader.string()?),
            "content" => content(reader, request, Place::Document)?,
            "url" | "file_id" => {
                reader.skip()?;
            }
            _ => request.push_all(reader, Place::Other, false, unknown_key)?,
        }
        Ok(())
    })?;
    if is_text {
        for string in data {
            request.push(string, Role::Unstated, Place::Document, true);
        }
        return Ok((false, None));
    }
    let size = data.first().and_then(|data| Size::of_base64(&data.text()));
    Ok((is_file, size))
}

/// Lists the next value's strings.
fn push<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    if reader.peek()? == Kind::String {
        if let Some(string) = reader.string()? {
            request.push(string, Role::Unstated, place, true);
        }
        return Ok(());
    }
    request.push_all(reader, place, true, unknown_key)
}
