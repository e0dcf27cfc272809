//! Anthropic's messages: answered, counted, in batches; and the completions that were before them.
//!
//! Shapes: anthropic-python 2.12.0, `src/anthropic/types/message_create_params.py`, `message_count_tokens_params.py`,
//! `messages/batch_create_params.py`, `message.py`, `raw_message_stream_event.py`, `usage.py`, `message_delta_usage.py`, and
//! `types/beta/` for what is in beta. Completions are gone from that version: anthropic-python 0.75.0,
//! `types/completion_create_params.py`, `completion.py`.
//!
//! Anthropic's API has the same paths wherever Anthropic itself serves it: on AWS (2.12.0, `lib/aws/_credentials.py`,
//! `aws-external-anthropic.{region}.api.aws`), on Google Cloud (`lib/google_cloud/_client.py`, `claude.googleapis.com`) and
//! at Azure's Foundry (`lib/foundry.py`, `{resource}.services.ai.azure.com/anthropic`). Vertex and Bedrock have paths of
//! their own.

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
        if !target.is("POST") {
            return None;
        }
        let ends = |end: &[&str]| {
            let after_v1: Vec<&str> = std::iter::once("v1").chain(end.iter().copied()).collect();
            target.ends_with(if at_home { end } else { &after_v1 })
        };
        let operation = if ends(&["messages"]) {
            Operation::Messages
        } else if ends(&["messages", "count_tokens"]) {
            Operation::CountTokens
        } else if ends(&["messages", "batches"]) {
            Operation::Batches
        } else if at_home && ends(&["complete"]) {
            Operation::Complete
        } else {
            return None;
        };
        Some(Call::new(Api::Anthropic, operation))
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

    fn read_response<'b>(&self, _call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        response::read_response(body)
    }

    fn read_event<'e>(&self, call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        stream::read_event(call, frame)
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_object(reason)
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::cut(reason)
    }
}

/// `stop_reason`: anthropic-python 2.12.0, `types/stop_reason.py`, `types/beta/beta_stop_reason.py`.
fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filtered,
        "pause_turn" | "compaction" => Finish::Paused,
        _ => Finish::Other,
    }
}
