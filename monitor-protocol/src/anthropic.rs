//! Anthropic's messages.
//!
//! Shapes: anthropic-python 2.12.0, `src/anthropic/types/message_create_params.py`, `message.py`,
//! `raw_message_stream_event.py`, `usage.py`, `message_delta_usage.py`, and `types/beta/` for what is in beta.

mod block;
mod prompt;
mod refusal;
mod request;
mod response;
mod stream;
mod usage;

use crate::{
    Api, Call, Finish, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response,
    StreamEvent, shape::Shape, target::Target,
};

/// The family.
pub(crate) struct Anthropic;

impl Shape for Anthropic {
    /// At other hosts `messages` must follow `v1`, because OpenAI's `/v1/threads/{id}/messages` is something else.
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        let end: &[&str] = if at_home {
            &["messages"]
        } else {
            &["v1", "messages"]
        };
        let is_messages = target.is("POST") && target.ends_with(end);
        is_messages.then(|| Call::new(Api::Anthropic, Operation::Messages))
    }

    fn read_request<'b>(
        &self,
        _call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        request::read_request(body)
    }

    fn prompt_count(&self, _call: &Call, _body: &[u8], request: &Request<'_>) -> PromptCount {
        prompt::prompt_count(request)
    }

    fn read_response<'b>(&self, _call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        response::read_response(body)
    }

    fn read_event<'e>(&self, _call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        stream::read_event(frame)
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_object(reason)
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::cut(reason)
    }
}

/// `stop_reason`: anthropic-python 2.12.0, `types/stop_reason.py`.
fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filtered,
        "pause_turn" => Finish::Paused,
        _ => Finish::Other,
    }
}
