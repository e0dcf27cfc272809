//! Cohere's API: chat, embed and rerank, of version 2 and 1.
//!
//! Shapes: cohere-python 7.3.1, `cohere/v2/raw_client.py` and `cohere/raw_base_client.py` (requests, paths),
//! `cohere/types/` and `cohere/v2/types/` (answers). The versions share their paths' ends and none of the members that
//! would clash, so one reader serves both.
//!
//! A stream is server-sent events in version 2, and one object a line in version 1 (`raw_base_client.py`,
//! `RawBaseCohere.chat_stream`).

mod answer;
mod refusal;
mod request;
mod usage;

use crate::{
    Api, Call, Finish, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response,
    StreamEvent, prompt, shape::Shape, target::Target,
};

/// The family.
pub(crate) struct Cohere;

impl Shape for Cohere {
    /// At other hosts (Azure serves it) only version 2, whose paths no other family has.
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        let is = |word: &str| target.ends_with(&["v2", word]) || at_home && target.ends_with(&[word]);
        let operation = if is("chat") {
            Operation::Chat
        } else if is("embed") {
            Operation::Embed
        } else if is("rerank") {
            Operation::Rerank
        } else {
            return None;
        };
        target.is("POST").then(|| Call::new(Api::Cohere, operation))
    }

    fn read_request<'b>(
        &self,
        call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        request::read_request(call.operation, body)
    }

    fn prompt_count(&self, _call: &Call, _body: &[u8], request: &Request<'_>) -> PromptCount {
        prompt::estimate(request)
    }

    fn read_response<'b>(&self, _call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        Ok(answer::whole(body)?.into_response(body))
    }

    fn read_event<'e>(&self, _call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        Ok(answer::event(frame.data())?.into_event())
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_document(reason)
    }

    fn cut_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::cut_document(reason)
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::cut_events(reason)
    }
}

/// `finish_reason`: cohere-python 7.3.1, `types/chat_finish_reason.py` and `types/finish_reason.py`.
fn finish(reason: &str) -> Finish {
    match reason {
        "COMPLETE" | "STOP_SEQUENCE" => Finish::Stop,
        "MAX_TOKENS" | "ERROR_LIMIT" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR_TOXIC" => Finish::Filtered,
        "ERROR" | "TIMEOUT" => Finish::Error,
        _ => Finish::Other,
    }
}
