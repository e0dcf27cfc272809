//! Transcriptions, translations and speech.
//!
//! Shapes: openai-python 3.54.0, `types/audio/transcription_create_params.py`, `translation_create_params.py`,
//! `transcription.py`, `transcription_verbose.py`, `transcription_stream_event.py`, `speech_create_params.py`.

use super::{content::push, form, usage};
use crate::{
    Channel, Part, Place, ReadError, Request, Response, Role, StreamEvent, Telling,
    answer::Answer,
    json::{Str, document},
    request::unknown_key,
};

/// The one text of an answer.
const TEXT: Channel = Channel {
    choice: 0,
    part: Part::Text,
    index: 0,
};

/// A form: the recording, and what the model is told of it.
pub(super) fn read_transcription<'b>(
    boundary: Option<&str>,
    body: &'b [u8],
) -> Result<Request<'b>, ReadError> {
    form::read(boundary, body, |part, request| match part.name {
        "file" => request.attachments.audio = request.attachments.audio.saturating_add(1),
        "prompt" => form::push(request, part, Place::Message, true),
        // Known, and read by no model.
        "language"
        | "languages[]"
        | "response_format"
        | "temperature"
        | "timestamp_granularities[]"
        | "include[]"
        | "chunking_strategy" => {}
        _ => form::push(request, part, Place::Other, false),
    })
}

/// What is to be spoken, and how.
pub(super) fn read_speech(body: &[u8]) -> Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| match &*key.text() {
        key @ ("input" | "instructions") => {
            let first = request.texts.len();
            push(reader, &mut request, Place::Message, true)?;
            let role = if key == "input" { Role::User } else { Role::System };
            for text in request.texts.iter_mut().skip(first) {
                text.role = role;
            }
            Ok(())
        }
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "stream_format" => {
            request.stream = reader.string()?.is_some_and(|format| format.text() == "sse");
            Ok(())
        }
        // Known, and read by no model.
        "voice" | "response_format" | "speed" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(request)
}

/// A transcription as JSON; as plain text or subtitles it is no document. Segments and words tell the text again.
pub(super) fn read_response(body: &[u8]) -> Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    document(body, |reader, key| match &*key.text() {
        "text" => {
            if let Some(text) = reader.string()? {
                response.text(text, TEXT, Telling::Piece);
            }
            Ok(())
        }
        "segments" | "words" | "logprobs" => response.read_echo(reader),
        "usage" => response.read_usage(reader, usage::read),
        "error" => response.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(response)
}

/// `transcript.text.delta`, and `transcript.text.done` and `….segment`, which tell it again; of speech, audio and usage.
pub(super) fn read_event(data: &[u8]) -> Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    let mut kind = None;
    let (mut piece, mut whole): (Option<Str<'_>>, Option<Str<'_>>) = (None, None);
    document(data, |reader, key| match &*key.text() {
        "type" => {
            kind = reader.string()?.map(|kind| kind.text());
            Ok(())
        }
        "delta" => {
            piece = reader.string()?;
            Ok(())
        }
        "text" => {
            whole = reader.string()?;
            Ok(())
        }
        "logprobs" => out.read_echo(reader),
        "usage" => out.read_usage(reader, usage::read),
        "error" => out.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    if let Some(piece) = piece {
        out.text(piece, TEXT, Telling::Piece);
    }
    if let Some(whole) = whole {
        out.text(whole, TEXT, Telling::Whole);
    }
    out.terminal = matches!(
        kind.as_deref(),
        Some("transcript.text.done" | "speech.audio.done")
    );
    Ok(out)
}
