//! How Anthropic says no.

use crate::{RefusalReason, refusal::Kind};

/// An event named `error` makes the client raise `APIStatusError`; it stops reading there (anthropic-python 2.12.0,
/// `src/anthropic/_streaming.py`, `Stream.__stream__`). `message_stop` ends the stream for a client that reads on.
pub(super) fn cut(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    out.extend_from_slice(&error_object(reason));
    out.extend_from_slice(b"\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    out
}

/// The error object: anthropic-python 2.12.0, `types/shared/error_response.py` and `error_object.py`.
pub(super) fn error_object(reason: &RefusalReason) -> Vec<u8> {
    let kind = match reason.kind() {
        Kind::Budget => "rate_limit_error",
        Kind::Policy => "permission_error",
        Kind::Request => "invalid_request_error",
        Kind::TooLarge => "request_too_large",
        Kind::Upstream => "api_error",
    };
    let mut out = b"{\"type\":\"error\",\"error\":{\"type\":\"".to_vec();
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"message\":\"");
    crate::json::escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\"}}");
    out
}
