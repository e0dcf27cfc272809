//! OpenAI's API, the servers that copy it, and what self-hosted ones have beside it.
//!
//! Shapes: openai-python 3.54.0, `src/openai/types/`; each module names its files.

mod audio;
mod chat;
mod completions;
mod content;
mod embeddings;
mod files;
mod form;
mod hosted;
mod images;
mod input;
mod prompt;
mod realtime;
mod recognise;
mod refusal;
mod responses;
mod stream_options;
mod usage;

use crate::{
    Call, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response, StreamEvent,
    shape::Shape, target::Target,
};

/// The family.
pub(crate) struct OpenAi;

impl Shape for OpenAi {
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        recognise::recognise(target, at_home)
    }

    fn read_request<'b>(
        &self,
        call: &Call,
        boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        match call.operation {
            Operation::Completions => completions::read_request(body),
            Operation::Responses | Operation::CountTokens => responses::read_request(call, body),
            Operation::Embeddings | Operation::Moderations => embeddings::read_request(body),
            Operation::Generate | Operation::Embed | Operation::Rerank => {
                hosted::read_request(call.operation, body)
            }
            Operation::Realtime => realtime::read_request(body),
            Operation::Images => images::read_request(boundary, body),
            Operation::Transcriptions => audio::read_transcription(boundary, body),
            Operation::Speech => audio::read_speech(body),
            Operation::Files => files::read_upload(boundary, body),
            Operation::Batches => files::read_batch(body),
            _ => chat::read_request(body),
        }
    }

    fn prompt_count(&self, call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount {
        match call.operation {
            Operation::ChatCompletions => prompt::chat(body, request),
            Operation::Responses | Operation::CountTokens | Operation::Realtime => {
                prompt::responses(body, request)
            }
            Operation::Files => files::prompt_count(request),
            Operation::Generate | Operation::Embed => prompt::nearly_as_it_stands(request),
            Operation::Rerank => prompt::ranking(request),
            _ => prompt::as_it_stands(request),
        }
    }

    fn read_response<'b>(&self, call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        match call.operation {
            Operation::Responses | Operation::CountTokens => responses::read_response(body),
            Operation::Completions
            | Operation::Embeddings
            | Operation::Moderations
            | Operation::Generate
            | Operation::Embed
            | Operation::Rerank => hosted::read_response(call.operation, body),
            Operation::Images => images::read_response(body),
            Operation::Transcriptions | Operation::Speech => audio::read_response(body),
            Operation::Files | Operation::Batches => files::read_response(body),
            _ => chat::read_response(body),
        }
    }

    fn read_event<'e>(&self, call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        let data = frame.data();
        if data.is_empty() {
            return Ok(StreamEvent::default());
        }
        if data.starts_with(DONE) {
            return Ok(StreamEvent {
                terminal: true,
                ..StreamEvent::default()
            });
        }
        match call.operation {
            Operation::Responses => responses::read_event(data),
            Operation::Realtime => realtime::read_event(data),
            Operation::Images => images::read_event(data),
            Operation::Transcriptions | Operation::Speech => audio::read_event(data),
            Operation::Completions | Operation::Generate => hosted::read_event(call.operation, data),
            _ => chat::read_event(data),
        }
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_document(reason)
    }

    fn cut_events(&self, call: &Call, reason: &RefusalReason) -> Vec<u8> {
        match call.operation {
            Operation::Responses => refusal::cut_responses(reason),
            _ => refusal::cut(reason),
        }
    }

    fn error_message(&self, call: &Call, reason: &RefusalReason) -> Option<Vec<u8>> {
        Some(refusal::error_event(call.operation, reason))
    }
}

/// A stream ends at data that begins so: openai-python 3.54.0, `src/openai/_streaming.py`, `Stream.__stream__`.
const DONE: &[u8] = b"[DONE]";
