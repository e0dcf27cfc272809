//! How OpenAI says no.

use crate::{Operation, RefusalReason, refusal::Kind};

/// An `error` member in a chunk makes the client raise `APIError`; `[DONE]` ends the stream for a client that reads on
/// (openai-python 3.54.0, `src/openai/_streaming.py`, `Stream.__stream__`).
pub(super) fn cut(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&error_object(reason));
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
    let object = error_object(reason);
    let mut out = head.into_bytes();
    out.extend_from_slice(object.get(1..).unwrap_or_default());
    out
}

/// The error object. openai-python 3.54.0, `src/openai/_client.py`, `_make_status_error`: the exception's body is the
/// value of `error`, its class follows the status.
pub(super) fn error_object(reason: &RefusalReason) -> Vec<u8> {
    // The words OpenAI itself uses for each status.
    let kind = match reason.kind() {
        Kind::Budget => "insufficient_quota",
        Kind::Policy => "permission_error",
        Kind::Request | Kind::TooLarge => "invalid_request_error",
        Kind::Upstream => "server_error",
    };
    let mut out = b"{\"error\":{\"message\":\"".to_vec();
    crate::json::escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\",\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"param\":null,\"code\":\"");
    out.extend_from_slice(reason.code().as_bytes());
    out.extend_from_slice(b"\"}}");
    out
}
