//! Images: generated from a prompt, or edited.
//!
//! Shapes: openai-python 3.54.0, `types/image_generate_params.py`, `image_edit_params.py`, `images_response.py`,
//! `image_gen_stream_event.py`, `image_edit_stream_event.py`.

use super::{chat::choices, content::push, form, usage};
use crate::{
    Channel, JsonError, Part, Place, ReadError, Request, Response, Role, StreamEvent, Telling, UsageCounters,
    answer::Answer,
    json::{Reader, document},
    request::unknown_key,
};

type Result<T> = std::result::Result<T, JsonError>;

/// A JSON document, or where images are uploaded a form.
pub(super) fn read_request<'b>(
    boundary: Option<&str>,
    body: &'b [u8],
) -> std::result::Result<Request<'b>, ReadError> {
    if boundary.is_none() {
        return read_document(body);
    }
    form::read(boundary, body, |part, request| match part.name {
        "image" | "image[]" | "mask" | "markup" => {
            request.attachments.images = request.attachments.images.saturating_add(1);
        }
        "prompt" => form::push(request, part, Place::Message, true),
        "n" => {
            let choices = part.text().and_then(|n| n.trim().parse().ok());
            request.choices = choices.unwrap_or(1).max(1);
        }
        name if is_setting(name) => {}
        _ => form::push(request, part, Place::Other, false),
    })
}

fn read_document(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| match &*key.text() {
        "prompt" => {
            let first = request.texts.len();
            push(reader, &mut request, Place::Message, true)?;
            for text in request.texts.iter_mut().skip(first) {
                text.role = Role::User;
            }
            Ok(())
        }
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "stream" => {
            request.stream = reader.is_true()?;
            Ok(())
        }
        "n" => {
            request.choices = choices(reader)?;
            Ok(())
        }
        key if is_setting(key) => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(request)
}

/// Known, and read by no model.
fn is_setting(key: &str) -> bool {
    matches!(
        key,
        "background"
            | "complexity"
            | "frame_count"
            | "frame_duration_ms"
            | "input_fidelity"
            | "moderation"
            | "output_compression"
            | "output_format"
            | "partial_images"
            | "quality"
            | "response_format"
            | "safety_identifier"
            | "size"
            | "style"
            | "svg"
            | "user"
    )
}

/// Where output tokens are not told apart, they are the image's.
fn read_usage(reader: &mut Reader<'_>) -> Result<Option<UsageCounters>> {
    Ok(usage::read(reader)?.map(|mut counters| {
        if counters.modalities.output_image == 0 {
            counters.modalities.output_image = counters.completion;
        }
        counters
    }))
}

/// Of the answer, only the prompt as the model has rewritten it is text.
pub(super) fn read_response(body: &[u8]) -> std::result::Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    document(body, |reader, key| match &*key.text() {
        "data" => {
            let mut choice = 0;
            reader
                .array(|reader| {
                    reader.object(|reader, key| {
                        if key.text() != "revised_prompt" {
                            return reader.skip().map(drop);
                        }
                        if let Some(prompt) = reader.string()? {
                            let (part, index) = (Part::Text, 0);
                            response.text(prompt, Channel { choice, part, index }, Telling::Piece);
                        }
                        Ok(())
                    })?;
                    choice += 1;
                    Ok(())
                })
                .map(drop)
        }
        "usage" => response.read_usage(reader, read_usage),
        "svg_usage" => response.read_usage(reader, usage::read_aside),
        "error" => response.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(response)
}

/// `….partial_image` has an image and no text, `….completed` the usage too.
pub(super) fn read_event(data: &[u8]) -> std::result::Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    document(data, |reader, key| match &*key.text() {
        "type" => {
            let kind = reader.string()?;
            out.terminal = kind.is_some_and(|kind| kind.text().ends_with(".completed"));
            Ok(())
        }
        "usage" => out.read_usage(reader, read_usage),
        "svg_usage" => out.read_usage(reader, usage::read_aside),
        "error" => out.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(out)
}
