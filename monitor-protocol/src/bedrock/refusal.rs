//! How Bedrock says no.
//!
//! SDKs go by `x-amzn-errortype` (botocore 1.44.5, `parsers.py`, `BaseRestParser._inject_error_code`). Which errors they
//! retry depends on it: botocore's standard mode, its default, takes `ThrottlingException` for worth two more attempts
//! (`retries/standard.py`, `ThrottledRetryableChecker`), and any 429 whose exception the operation does not list
//! (`ThrottlingStatusCodeChecker`): `ServiceQuotaExceededException` is listed for `InvokeModel` and not for `Converse`. Its
//! legacy mode retries any 429 four times (`data/_retry.json`, `too_many_requests`). So a
//! budget that is used up is for `Converse` that exception with the status that the service's model gives it, 400, which
//! nobody retries; for `InvokeModel` a 429, by which Anthropic's client for Bedrock knows it.

use crate::{Call, Operation, RefusalReason, json::escape_into, refusal::Kind};

pub(super) fn status(call: &Call, reason: &RefusalReason) -> u16 {
    match (call.operation, reason.kind()) {
        (Operation::Converse, Kind::Budget) => 400,
        _ => reason.status(),
    }
}

/// `message` is the one member that all exceptions of the service have.
pub(super) fn error_document(reason: &RefusalReason) -> Vec<u8> {
    let mut out = b"{\"message\":\"".to_vec();
    escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\"}");
    out
}

/// The exception as which the client raises it: all are exceptions of the service, so that it has a class for each.
pub(super) fn exception(reason: &RefusalReason) -> &'static str {
    match reason.kind() {
        Kind::Budget => "ServiceQuotaExceededException",
        Kind::Policy => "AccessDeniedException",
        Kind::Request | Kind::TooLarge => "ValidationException",
        Kind::Upstream => "ServiceUnavailableException",
    }
}
