//! Realtime: a conversation over a WebSocket.
//!
//! Shapes: openai-python 3.54.0, `types/realtime/realtime_client_event.py`, `realtime_server_event.py`; what stood in the
//! beta (`response.text.delta`, `response.audio_transcript.delta`) differs in names that are not compared.

use super::{
    content::push,
    responses::{Event, item, session},
    usage,
};
use crate::{
    JsonError, Place, ReadError, Request, Role, StreamEvent, Telling,
    answer::Answer,
    json::{Reader, Str, document},
    request::unknown_key,
};

type Result<T> = std::result::Result<T, JsonError>;

/// The answer that what was heard of the client's voice belongs to: it is written while the model answers.
const HEARD: u32 = u32::MAX;

/// Reads a client's message. Only `response.create` asks for an answer; where the server detects turns, it answers by
/// itself. The conversation so far is the provider's.
pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.include_usage = true;
    request.stream = true;
    request.asks = false;
    request.insert_at = document(body, |reader, key| match &*key.text() {
        "type" => {
            request.asks = reader
                .string()?
                .is_some_and(|kind| kind.text() == "response.create");
            Ok(())
        }
        "item" => item(reader, &mut request),
        "session" | "response" => reader
            .object(|reader, key| member(reader, key, &mut request))
            .map(drop),
        // Base64 data, and references.
        "audio" | "event_id" | "item_id" | "previous_item_id" | "response_id" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    request.hidden |= request.asks;
    Ok(request)
}

/// A member of a session or of a response that is asked for.
fn member<'b>(reader: &mut Reader<'b>, key: Str<'b>, request: &mut Request<'b>) -> Result<()> {
    match &*key.text() {
        "audio" => reader
            .object(|reader, key| match &*key.text() {
                "input" => reader
                    .object(|reader, key| member(reader, key, request))
                    .map(drop),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "transcription" | "input_audio_transcription" => reader
            .object(|reader, key| match &*key.text() {
                "prompt" | "keywords" => instructed(reader, request),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        // Known, and read by no model.
        "conversation"
        | "format"
        | "id"
        | "include"
        | "input_audio_format"
        | "input_audio_noise_reduction"
        | "max_response_output_tokens"
        | "modalities"
        | "noise_reduction"
        | "object"
        | "output_audio_format"
        | "output_modalities"
        | "speed"
        | "temperature"
        | "tracing"
        | "turn_detection"
        | "type"
        | "voice" => reader.skip().map(drop),
        _ => session(reader, key, request),
    }
}

/// What the model that writes down the client's voice is told.
fn instructed<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    let first = request.texts.len();
    push(reader, request, Place::Message, false)?;
    for text in request.texts.iter_mut().skip(first) {
        text.role = Role::System;
    }
    Ok(())
}

/// Reads a server's message. An answer begins with `response.created`, asked for or not, and is over with `response.done`;
/// most errors end neither an answer nor the session. Items are told to the conversation beside the answer that they are
/// of, and without their place in it.
pub(super) fn read_event(data: &[u8]) -> std::result::Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    let mut event = Event::default();
    document(data, |reader, key| match &*key.text() {
        // Of the model that writes down the client's voice: beside the answer's own.
        "usage" => out.read_usage(reader, usage::read_aside),
        _ => event.member(reader, key, &mut out),
    })?;
    let heard = event.kind().contains("input_audio_transcription");
    let (choice, whole) = match event.kind() {
        _ if heard => (HEARD, Telling::Whole),
        kind if kind.starts_with("conversation.") => (0, Telling::Again),
        _ => (0, Telling::Whole),
    };
    event.tell(&mut out, choice, whole);
    Ok(out)
}
