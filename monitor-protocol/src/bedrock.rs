//! Amazon Bedrock's runtime: converse in its own shapes, invoke in those of the model.
//!
//! Shapes: botocore 1.44.5, `data/bedrock-runtime/2023-09-30/service-2.json`, by the names of its operations and shapes.

mod block;
mod converse;
mod invoke;
mod path;
mod refusal;
mod request;
mod usage;

use crate::{
    Call, Finish, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response, StreamEvent,
    prompt, shape::Shape, target::Target,
};
pub(crate) use {invoke::invoked_as, path::vendor};

pub use usage::USAGE_FIELDS;

/// The family.
pub(crate) struct Bedrock;

impl Shape for Bedrock {
    fn recognise(&self, target: &Target<'_>, _at_home: bool) -> Option<Call> {
        path::recognise(target)
    }

    fn read_request<'b>(
        &self,
        call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        let request = if call.operation == Operation::InvokeModel {
            invoke::read_request(call, body)
        } else {
            request::read_request(body)
        };
        request.map(|request| Request {
            stream: call.streams,
            include_usage: true,
            ask_usage: None,
            ..request
        })
    }

    fn prompt_count(&self, call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount {
        if call.operation == Operation::InvokeModel {
            invoke::prompt_count(call, body, request)
        } else {
            prompt::estimate(request)
        }
    }

    fn read_response<'b>(&self, call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        if call.operation == Operation::InvokeModel {
            invoke::read_response(call, body)
        } else {
            Ok(converse::whole(body)?.into_response(body))
        }
    }

    fn read_event<'e>(&self, call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        if frame.is_exception() {
            return Ok(StreamEvent {
                error: true,
                ..StreamEvent::default()
            });
        }
        if frame.data().is_empty() {
            return Ok(StreamEvent::default());
        }
        if call.operation == Operation::InvokeModel {
            invoke::read_event(call, frame)
        } else {
            Ok(converse::event(frame.name(), frame.data())?.into_event())
        }
    }

    fn status(&self, call: &Call, reason: &RefusalReason) -> u16 {
        refusal::status(call, reason)
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error_document(reason)
    }

    fn error_header(&self, _call: &Call, reason: &RefusalReason) -> Option<(&'static str, &'static str)> {
        Some(("x-amzn-errortype", refusal::exception(reason)))
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        crate::refusal::sse_data(&refusal::error_document(reason))
    }
}

/// Why a model stopped: `StopReason` of converse, and the words of the models that are invoked.
fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" | "stop" | "endoftext" | "FINISH" | "COMPLETE" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" | "length" | "LENGTH" | "MAX_TOKENS" => Finish::Length,
        "tool_use" | "tool_calls" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" | "CONTENT_FILTERED" => Finish::Filtered,
        "malformed_model_output" | "malformed_tool_use" | "ERROR" => Finish::Error,
        _ => Finish::Other,
    }
}
