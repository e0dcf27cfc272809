//! Ollama's own API.
//!
//! Shapes: ollama-python 0.6.3, `ollama/_types.py` (`ChatRequest`, `GenerateRequest`, `EmbedRequest`, `ChatResponse`,
//! `GenerateResponse`), and `ollama/_client.py` for paths. A stream is one object a line, and is the default: the server
//! streams chat and generate unless `stream` is `false`.

mod answer;
mod request;

use crate::{
    Api, Call, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response, StreamEvent,
    prompt, shape::Shape, target::Target,
};

/// The family.
pub(crate) struct Ollama;

impl Shape for Ollama {
    /// The same paths at any host: nothing else has them.
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        if !target.is("POST") {
            return None;
        }
        let operation = if target.ends_with(&["api", "chat"]) {
            Operation::Chat
        } else if target.ends_with(&["api", "generate"]) {
            Operation::Generate
        } else if target.ends_with(&["api", "embed"]) || at_home && target.ends_with(&["api", "embeddings"]) {
            Operation::Embed
        } else {
            return None;
        };
        Some(Call::new(Api::Ollama, operation))
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
        Ok(answer::read(body)?.into_response(body))
    }

    fn read_event<'e>(&self, _call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        match frame.data() {
            [] => Ok(StreamEvent::default()),
            data => Ok(answer::read(data)?.into_event()),
        }
    }

    /// `{"error": …}`, as a body and as a line of a stream: ollama-python 0.6.3, `_types.py`, `ResponseError`, and
    /// `_client.py`, `Client._request`. The client retries nothing.
    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        let mut out = b"{\"error\":\"".to_vec();
        crate::json::escape_into(&mut out, &reason.to_string());
        out.extend_from_slice(b"\"}");
        out
    }

    fn cut_events(&self, call: &Call, reason: &RefusalReason) -> Vec<u8> {
        crate::refusal::sse_data(&self.error_document(call, reason))
    }
}
