//! How Cohere says no.
//!
//! The SDK retries 408, 409, 429 and 5xx twice by itself, obeying `retry-after` up to a minute, and no header stops it
//! (cohere-python 7.3.1, `core/http_client.py`, `_should_retry`, `_retry_timeout`); each retry is refused as the first
//! request was, and `TooManyRequestsError` is raised after the last.

use crate::{RefusalReason, json::escape_into, refusal::sse_data};

/// The body of any error is passed on as it is, and its class follows the status (`v2/raw_client.py`, `RawV2Client.chat`).
pub(super) fn error_document(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"{\"message\":\"".to_vec();
    escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\"}");
    out
}

/// The end of a message, with the reason in `delta.error` (`types/chat_message_end_event_delta.py`): the protocol has no
/// event on which the client raises an exception.
pub(super) fn cut_events(reason: &RefusalReason) -> Vec<u8> {
    let mut event = b"{\"type\":\"message-end\",\"delta\":{\"error\":\"".to_vec();
    escape_into(&mut event, &reason.to_string());
    event.extend_from_slice(b"\",\"finish_reason\":\"ERROR\"}}");
    let mut out = b"event: message-end\n".to_vec();
    out.extend_from_slice(&sse_data(&event));
    out.extend_from_slice(b"data: [DONE]\n\n");
    out
}

/// The last line of a stream of version 1 (`types/streamed_chat_response.py`, `StreamEndStreamedChatResponse`). It has no
/// place for a reason but its `response`, which may hold members unknown to the client.
pub(super) fn cut_document(reason: &RefusalReason) -> Vec<u8> {
    let mut out =
        b"{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR\",\"response\":{\"text\":\"\",\"error\":\""
            .to_vec();
    escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\"}}");
    out
}
