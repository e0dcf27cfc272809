//! Responses, over HTTP and as messages of a WebSocket.
//!
//! Shapes: openai-python 3.54.0, `types/responses/response_create_params.py`, `response_input_item_param.py`, `response.py`,
//! `response_stream_event.py`, `responses_client_event_param.py`.

mod item;
mod output;
mod request;
mod stream;

pub(super) use item::item;
pub(super) use output::read_response;
pub(super) use request::{read_request, session};
pub(super) use stream::{Event, read_event};
