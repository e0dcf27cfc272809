//! How MCP says no.

use crate::{RefusalReason, json::escape_into, refusal::Kind};

/// JSON-RPC 2.0, section 5.1.
const INVALID_REQUEST: i32 = -32600;
/// The first of the codes that are left to servers.
const SERVER_ERROR: i32 = -32000;

/// An error that answers no message by its id, which JSON-RPC 2.0 writes as `null`. The client gives it the id of the
/// request that it came for, as a body of any status (mcp 2.3.0, `client/streamable_http.py`, `_handle_post_request`) and
/// as an event (`_handle_sse_event`), and raises it there as `McpError`.
pub(super) fn error(reason: &RefusalReason) -> Vec<u8> {
    let code = match reason.kind() {
        Kind::Request | Kind::TooLarge => INVALID_REQUEST,
        Kind::Budget | Kind::Policy | Kind::Upstream => SERVER_ERROR,
    };
    let mut out =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{{\"code\":{code},\"message\":\"").into_bytes();
    escape_into(&mut out, &reason.to_string());
    out.extend_from_slice(b"\",\"data\":{\"reason\":\"");
    out.extend_from_slice(reason.code().as_bytes());
    out.extend_from_slice(b"\"}}}");
    out
}
