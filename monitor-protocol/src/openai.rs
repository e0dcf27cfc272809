//! OpenAI's chat completions, and what compatible servers add to them.
//!
//! Shapes: openai-python 3.54.0, `src/openai/types/chat/completion_create_params.py`, `chat_completion.py`,
//! `chat_completion_chunk.py`, `types/completion_usage.py`.

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

/// `finish_reason`: openai-python 3.54.0, `types/chat/chat_completion.py`; `error` is OpenRouter's.
fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        "error" => Finish::Error,
        _ => Finish::Other,
    }
}
