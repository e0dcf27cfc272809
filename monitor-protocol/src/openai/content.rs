//! The content of a message in a request: the same parts in chat completions, responses and realtime.

use std::borrow::Cow;

use crate::{
    JsonError, Place, Request, Role,
    image::{Image, Size},
    json::{Kind, Reader},
    request::{KeyUse, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Lists the next value: one text if it is a string, all strings in it if not. `true` if it is a string.
pub(super) fn push<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    place: Place,
    counted: bool,
) -> Result<bool> {
    if reader.peek()? == Kind::String {
        if let Some(string) = reader.string()? {
            request.push(string, Role::Unstated, place, counted);
        }
        return Ok(true);
    }
    request.push_all(reader, place, counted, unknown_key)?;
    Ok(false)
}

/// `content`, or what a tool answered: a string, a part, or an array of either.
pub(super) fn content<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| content(reader, request, place)).map(drop),
        Kind::Object => part(reader, request, place),
        _ => push(reader, request, place, true).map(drop),
    }
}

/// One part, by what it holds and not by its `type`: a server may read `text` whatever the type says.
///
/// Shapes: openai-python 3.54.0, `types/chat/chat_completion_content_part_param.py`,
/// `types/responses/response_input_content_param.py`, `types/realtime/realtime_conversation_item_user_message.py`.
fn part<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, place: Place) -> Result<()> {
    let attachments = request.attachments;
    let (mut has_image, mut low, mut url) = (false, false, None);
    reader.object(|reader, key| {
        match &*key.text() {
            // A document's, a query's.
            "content" => content(reader, request, place)?,
            "text" | "prompt_string" | "refusal" | "input_text" | "transcript" | "stdout" | "stderr" => {
                push(reader, request, place, true)?;
            }
            // Mistral's thinking part: a list of text parts.
            "thinking" => request.push_all(reader, Place::Reasoning, true, part_key)?,
            "image_url" => {
                has_image = true;
                url = image_url(reader, &mut low)?;
            }
            "image" | "video_url" => {
                request.attachments.images = request.attachments.images.saturating_add(1);
                reader.skip()?;
            }
            "detail" => low |= is_low(reader)?,
            // Base64 data in any of them.
            "input_audio" | "audio_url" | "audio" => {
                request.attachments.audio = request.attachments.audio.saturating_add(1);
                reader.skip()?;
            }
            // llama.cpp: an array of base64 data.
            "multimodal_data" => {
                reader.array(|reader| {
                    request.attachments.images = request.attachments.images.saturating_add(1);
                    reader.skip().map(drop)
                })?;
            }
            "file" => {
                request.attachments.files = request.attachments.files.saturating_add(1);
                file(reader, request)?;
            }
            "file_data" | "file_id" | "file_url" => {
                request.attachments.files = attachments.files.saturating_add(1);
                reader.skip()?;
            }
            "filename" => {
                push(reader, request, Place::Document, true)?;
            }
            "type"
            | "cache_control"
            | "prompt_cache_breakpoint"
            | "logprobs"
            | "encrypted_content"
            | "outcome" => {
                reader.skip()?;
            }
            _ => request.push_all(reader, Place::Other, false, unknown_key)?,
        }
        Ok(())
    })?;
    if has_image {
        let size = url.as_deref().and_then(Size::of_data_url);
        request.image(Image { size, low });
    }
    // An image may name a `file_id` as well: one attachment, not two.
    if request.attachments.images > attachments.images {
        request.attachments.files = attachments.files;
    }
    Ok(())
}

/// `image_url`: the URL, or an object with it and the detail that is asked for.
fn image_url<'b>(reader: &mut Reader<'b>, low: &mut bool) -> Result<Option<Cow<'b, str>>> {
    if reader.peek()? != Kind::Object {
        return Ok(reader.string()?.map(|url| url.text()));
    }
    let mut url = None;
    reader.object(|reader, key| match &*key.text() {
        "url" => {
            url = reader.string()?.map(|url| url.text());
            Ok(())
        }
        "detail" => {
            *low |= is_low(reader)?;
            Ok(())
        }
        _ => reader.skip().map(drop),
    })?;
    Ok(url)
}

fn is_low(reader: &mut Reader<'_>) -> Result<bool> {
    Ok(reader.string()?.is_some_and(|detail| detail.text() == "low"))
}

fn part_key(key: &str) -> KeyUse {
    if key == "type" {
        KeyUse::Skip
    } else {
        unknown_key(key)
    }
}

/// A file's name is read by the model; its data is base64, its id a reference.
fn file<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "filename" => push(reader, request, Place::Document, true).map(drop),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}
