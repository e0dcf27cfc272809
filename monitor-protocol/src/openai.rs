//! OpenAI's chat completions, and what compatible servers add to them.
//!
//! Shapes: openai-python 3.54.0, `src/openai/types/chat/completion_create_params.py`, `chat_completion.py`,
//! `chat_completion_chunk.py`, `types/completion_usage.py`.

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
pub(crate) struct OpenAi;

impl Shape for OpenAi {
    /// An Azure path names a deployment, which stands for the model where the body names none:
    /// `/openai/deployments/{deployment}/chat/completions` (openai-python 3.54.0, `src/openai/lib/azure.py`).
    fn recognise(&self, target: &Target<'_>, _at_home: bool) -> Option<Call> {
        let is_chat = target.is("POST") && target.ends_with(&["chat", "completions"]);
        is_chat.then(|| {
            Call::new(Api::OpenAi, Operation::ChatCompletions)
                .with_model(target.after("deployments").map(str::to_owned))
        })
    }

    fn read_request<'b>(
        &self,
        _call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        request::read_request(body)
    }

    fn prompt_count(&self, _call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount {
        prompt::prompt_count(body, request)
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

    fn error_message(&self, call: &Call, reason: &RefusalReason) -> Option<Vec<u8>> {
        Some(refusal::error_event(call.operation, reason))
    }
}

/// `finish_reason`: openai-python 3.54.0, `types/chat/chat_completion.py`; `error` is OpenRouter's.
fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        "error" => Finish::Error,
        _ => Finish::Other,
    }
}
