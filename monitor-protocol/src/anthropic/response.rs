//! The whole answer, and the content blocks of any answer.

use crate::{
    JsonError, Part, ReadError, Response, ResponseText,
    json::{Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_response(body: &[u8]) -> std::result::Result<Response<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut response = Response::default();
    let is_object = reader.object(|reader, key| match &*key.text() {
        "content" => {
            let mut index = 0;
            reader
                .array(|reader| {
                    block(reader, &mut |string, part| {
                        response.texts.push(ResponseText::new(string, 0, part, index));
                    })?;
                    index += 1;
                    Ok(())
                })
                .map(drop)
        }
        "model" => {
            response.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "stop_reason" => {
            response.finish = reader.string()?.map(|reason| super::finish(&reason.text()));
            Ok(())
        }
        // Of a completion.
        "completion" => one(reader, Part::Text, &mut |string, part| {
            response.texts.push(ResponseText::new(string, 0, part, 0));
        }),
        "stop_details" => stop_details(reader, &mut |string| {
            response
                .texts
                .push(ResponseText::new(string, 0, Part::Refusal, 0));
        }),
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

/// `stop_details.explanation`, of a refusal (anthropic-python 2.12.0, `types/refusal_stop_details.py`).
pub(super) fn stop_details<'b>(reader: &mut Reader<'b>, found: &mut dyn FnMut(Str<'b>)) -> Result<()> {
    reader
        .object(|reader, key| {
            if key.text() == "explanation" {
                if let Some(explanation) = reader.string()? {
                    found(explanation);
                }
                return Ok(());
            }
            reader.skip().map(drop)
        })
        .map(drop)
}

/// The strings of one content block, each with what it is. Opaque and structural members are left out.
///
/// Shapes: anthropic-python 2.12.0, `types/content_block.py` and the blocks it lists.
pub(super) fn block<'b>(reader: &mut Reader<'b>, found: &mut dyn FnMut(Str<'b>, Part)) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "text" => one(reader, Part::Text, found),
            "thinking" => one(reader, Part::Reasoning, found),
            "name" => one(reader, Part::ToolName, found),
            "input" => reader.strings(&mut |_| true, &mut |string| found(string, Part::ToolArguments)),
            "citations" => all(reader, Part::Citation, found),
            // Of a tool run by the provider: a string, an object or an array; of a compaction, its summary.
            "content" => all(reader, Part::ToolResult, found),
            // What an MCP server lists, in its own words.
            "tools" | "tool_changes" => all(reader, Part::ToolResult, found),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

fn one<'b>(reader: &mut Reader<'b>, part: Part, found: &mut dyn FnMut(Str<'b>, Part)) -> Result<()> {
    if let Some(string) = reader.string()? {
        found(string, part);
    }
    Ok(())
}

/// Every string at any depth but references, opaque data and type names.
pub(super) fn all<'b>(
    reader: &mut Reader<'b>,
    part: Part,
    found: &mut dyn FnMut(Str<'b>, Part),
) -> Result<()> {
    reader.strings(
        &mut |key| {
            !matches!(
                &*key.text(),
                "type"
                    | "id"
                    | "tool_use_id"
                    | "file_id"
                    | "signature"
                    | "encrypted_content"
                    | "encrypted_index"
                    | "media_type"
                    | "error_code"
                    | "page_age"
                    | "retrieved_at"
            )
        },
        &mut |string| found(string, part),
    )
}
