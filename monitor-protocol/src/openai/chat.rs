//! Chat completions, and what compatible servers add to them.
//!
//! Shapes: openai-python 3.54.0, `src/openai/types/chat/completion_create_params.py`, `chat_completion.py`,
//! `chat_completion_chunk.py`, `types/completion_usage.py`.

mod request;
mod response;
mod stream;

pub(super) use request::{choices, read_request};
pub(super) use response::{choices as read_choices, read_response};
pub(super) use stream::read_event;
