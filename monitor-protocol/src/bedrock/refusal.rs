//! How Bedrock says no.
//!
//! SDKs go by `x-amzn-errortype` (botocore 1.44.5, `parsers.py`, `BaseRestParser._inject_error_code`). Which errors they
//! retry depends on it: botocore's standard mode, its default, takes `ThrottlingException` for worth two more attempts
//! (`retries/standard.py`, `ThrottledRetryableChecker`) and `ServiceQuotaExceededException` for final, whatever the
//! status. Its legacy mode retries any 429 four times (`data/_retry.json`, `too_many_requests`), as the SDKs for
//! JavaScript and Java do; nothing but another status would stop these.

use crate::{RefusalReason, json::escape_into, refusal::Kind};

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
