//! Anthropic's messages.
//!
//! Shapes: anthropic-python 2.12.0, `src/anthropic/types/message_create_params.py`, `message.py`,
//! `raw_message_stream_event.py`, `usage.py`, `message_delta_usage.py`, and `types/beta/` for what is in beta.

mod block;
mod prompt;
mod refusal;
mod request;
mod response;
mod stream;
mod usage;

pub(crate) use prompt::prompt_count;
pub(crate) use refusal::{cut, refusal_body};
pub(crate) use request::read_request;
pub(crate) use response::read_response;
pub(crate) use stream::read_event;

use crate::Finish;

/// `stop_reason`: anthropic-python 2.12.0, `types/stop_reason.py`.
fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filtered,
        "pause_turn" => Finish::Paused,
        _ => Finish::Other,
    }
}
