//! How Google says no.

use crate::{RefusalReason, refusal::Kind};

/// A chunk that begins with `error` makes the client raise `ClientError` or `ServerError`, by the `code` in it
/// (google-genai 3.4.0, `_api_client.py`, `request_streamed`). The stream has no end of its own to be sent after it.
pub(super) fn cut(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&error_object(reason));
    out.extend_from_slice(b"\n\n");
    out
}

/// The error object: `google.rpc.Status` in JSON, of which the client reads `code`, `message` and `status`
/// (google-genai 3.4.0, `errors.py`, `APIError`), with an `ErrorInfo` and a `RetryInfo` as Google's own have them.
///
/// The client retries nothing unless it was given `retry_options`, and then goes by the status alone, 429 included
/// (`_api_client.py`, `retry_args`): no header stops it.
pub(super) fn error_object(reason: &RefusalReason) -> Vec<u8> {
    let status = match reason.kind() {
        Kind::Budget => "RESOURCE_EXHAUSTED",
        Kind::Policy => "PERMISSION_DENIED",
        Kind::Request | Kind::TooLarge => "INVALID_ARGUMENT",
        Kind::Upstream => "UNAVAILABLE",
    };
    let mut out = format!("{{\"error\":{{\"code\":{},\"message\":\"", reason.status()).into_bytes();
    crate::json::escape_into(&mut out, &reason.to_string());
    let info = reason.code().to_ascii_uppercase();
    let tail = format!(
        "\",\"status\":\"{status}\",\"details\":[{{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"{info}\",\"domain\":\"weir\"}}"
    );
    out.extend_from_slice(tail.as_bytes());
    if let RefusalReason::Budget {
        retry_after_s: Some(seconds),
        ..
    } = reason
    {
        let retry = format!(
            ",{{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"{seconds}s\"}}"
        );
        out.extend_from_slice(retry.as_bytes());
    }
    out.extend_from_slice(b"]}}");
    out
}
