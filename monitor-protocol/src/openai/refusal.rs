//! How OpenAI says no.

use crate::{Operation, RefusalReason, refusal::Kind};

/// An `error` member in a chunk makes the client raise `APIError`; `[DONE]` ends the stream for a client that reads on
/// (openai-python 3.54.0, `src/openai/_streaming.py`, `Stream.__stream__`).
pub(super) fn cut(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&error_document(reason));
    out.extend_from_slice(b"\n\ndata: [DONE]\n\n");
    out
}

/// The `error` event of a WebSocket: openai-python 3.54.0, `types/realtime/realtime_error_event.py`, and
/// `types/responses/responses_server_event.py`, `ResponseWsError`.
pub(super) fn error_event(operation: Operation, reason: &RefusalReason) -> Vec<u8> {
    let head = match operation {
        // The identifier is a member that clients may rely on; no event of the provider's has this one.
        Operation::Realtime => "{\"type\":\"error\",\"event_id\":\"event_refused\",".to_owned(),
        _ => format!("{{\"type\":\"error\",\"status\":{},", reason.status()),
    };
    let mut out = head.into_bytes();
    out.extend_from_slice(b"\"error\":{");
    error_object(&mut out, reason);
    out.extend_from_slice(b"}}");
    out
}

/// Of a response's stream: an `error` event, which raises as any chunk with an `error` member does, and whose other members
/// are `ResponseErrorEvent`'s (`types/responses/response_error_event.py`) for clients that go by `type`; then
/// `response.failed`, which ends the stream for clients that go by the protocol's own end.
pub(super) fn cut_responses(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"event: error\ndata: {\"type\":\"error\",".to_vec();
    members(&mut out, reason);
    out.extend_from_slice(b",\"sequence_number\":0,\"error\":{");
    error_object(&mut out, reason);
    out.extend_from_slice(
        b"}}\n\nevent: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,\"response\":{\
          \"id\":\"\",\"object\":\"response\",\"created_at\":0,\"status\":\"failed\",\"output\":[],\"error\":{",
    );
    error_object(&mut out, reason);
    out.extend_from_slice(b"}}}\n\n");
    out
}

/// The error document. openai-python 3.54.0, `src/openai/_client.py`, `_make_status_error`: the exception's body is the
/// value of `error`, its class follows the status.
pub(super) fn error_document(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"{\"error\":{".to_vec();
    error_object(&mut out, reason);
    out.extend_from_slice(b"}}");
    out
}

/// The members of an error.
fn error_object(out: &mut Vec<u8>, reason: &RefusalReason) {
    // The words OpenAI itself uses for each status.
    let kind = match reason.kind() {
        Kind::Budget => "insufficient_quota",
        Kind::Policy => "permission_error",
        Kind::Request | Kind::TooLarge => "invalid_request_error",
        Kind::Upstream => "server_error",
    };
    out.extend_from_slice(b"\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",");
    members(out, reason);
}

/// The members of an error but for its `type`.
fn members(out: &mut Vec<u8>, reason: &RefusalReason) {
    out.extend_from_slice(b"\"message\":\"");
    crate::json::escape_into(out, &reason.to_string());
    out.extend_from_slice(b"\",\"param\":null,\"code\":\"");
    out.extend_from_slice(reason.code().as_bytes());
    out.extend_from_slice(b"\"");
}
