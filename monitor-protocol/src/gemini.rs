//! Google's Gemini API, the same models on Vertex AI, and what else Vertex serves beside them.
//!
//! Shapes: google-genai 3.4.0 (PyPI), `google/genai/types.py` for the members and `models.py`, `caches.py`, `batches.py`,
//! `live.py` for the paths. The wire is protobuf's JSON, which takes every member in camel case and as it is spelled in
//! the `.proto` file (`system_instruction`): both are read ([`key::camel`]).

mod answer;
mod content;
mod key;
mod live;
mod path;
mod predict;
mod prompt;
mod refusal;
mod request;
mod response;
mod usage;

use crate::{
    Call, Finish, Frame, PromptCount, ReadError, RefusalReason, Request, Response, StreamEvent, shape::Shape,
    target::Target,
};

/// The family.
pub(crate) struct Gemini;

impl Shape for Gemini {
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        path::recognise(target, at_home)
    }

    fn read_request<'b>(
        &self,
        call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        request::read_request(call, body)
    }

    fn prompt_count(&self, _call: &Call, _body: &[u8], request: &Request<'_>) -> PromptCount {
        prompt::prompt_count(request)
    }

    fn read_response<'b>(&self, call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        response::read_response(call, body)
    }

    fn read_event<'e>(&self, call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        response::read_event(call, frame)
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_object(reason)
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::cut(reason)
    }
}

/// `finishReason` of a candidate: google-genai 3.4.0, `types.py`, `FinishReason`. A candidate that calls a function
/// stops with `STOP`.
fn finish(reason: &str) -> Finish {
    match reason {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "CONTINUATION" => Finish::Paused,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "MODEL_ARMOR" => Finish::Filtered,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE" => Finish::Error,
        _ => Finish::Other,
    }
}
