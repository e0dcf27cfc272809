//! The Model Context Protocol over streamable HTTP: JSON-RPC messages, one or an array of them a body.
//!
//! Shapes: mcp-types 2.3.0, `mcp_types/_types.py` and `jsonrpc.py`; transport: mcp 2.3.0, `client/streamable_http.py`. No
//! model is asked here, so there is nothing to count: what is read is what models will read elsewhere, the tools that
//! are offered and what they answer.

mod answer;
mod refusal;
mod request;

use crate::{
    Api, Call, Certainty, Frame, Operation, PromptCount, ReadError, RefusalReason, Request, Response,
    StreamEvent, shape::Shape, target::Target,
};

/// The family.
pub(crate) struct Mcp;

/// Where a server's authorization lives beside it, whose bodies are forms: the endpoints of RFC 6749, 7009 and 7591 by the
/// names that clients assume (mcp 2.3.0, `client/auth/oauth2.py`).
const AUTHORIZATION: &[&str] = &["authorize", "register", "revoke", "token"];

impl Shape for Mcp {
    /// A server is at a path of its operator's choice, so any `POST` at home is a message, and none is elsewhere.
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call> {
        let is_message =
            at_home && target.is("POST") && !target.last().is_some_and(|last| AUTHORIZATION.contains(&last));
        is_message.then(|| Call::new(Api::Mcp, Operation::Mcp))
    }

    fn read_request<'b>(
        &self,
        _call: &Call,
        _boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError> {
        request::read_request(body)
    }

    /// No model is asked.
    fn prompt_count(&self, _call: &Call, _body: &[u8], _request: &Request<'_>) -> PromptCount {
        PromptCount {
            overhead: 0,
            extra: Vec::new(),
            certainty: Certainty::Exact,
        }
    }

    fn read_response<'b>(&self, _call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
        Ok(answer::read(body)?.into_response(body))
    }

    fn read_event<'e>(&self, _call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
        // Events without data only give the place to resume at.
        match frame.data() {
            [] => Ok(StreamEvent::default()),
            data => Ok(answer::read(data)?.into_event()),
        }
    }

    fn error_document(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        refusal::error(reason)
    }

    fn cut_events(&self, _call: &Call, reason: &RefusalReason) -> Vec<u8> {
        crate::refusal::sse_data(&refusal::error(reason))
    }
}
