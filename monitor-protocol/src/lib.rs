//! LLM wire protocols: recognise, read, edit, refuse, usage.
//!
//! Bytes in, values out: nothing here opens a socket, knows an HTTP library or keeps state between exchanges
//! (only [`FrameDecoder`] keeps the bytes of the frame that is still arriving). The way of an exchange:
//!
//! 1. [`Catalog::lookup`]: host name → [`Provider`] and the [`Api`] it speaks.
//! 2. [`recognise`]: method and path → [`Call`]: the [`Operation`], and whose shapes its bodies have.
//! 3. [`read_request`]: body → [`Request`]: model, limits, every text with its [`Role`] and [`Place`].
//! 4. [`prompt_count`]: what to hand to a tokenizer, and what to add to its count.
//! 5. [`edit`]: the same body with some strings replaced, every other byte as it was.
//! 6. [`read_response`] for a whole answer; [`FrameDecoder`] and [`read_event`] for a streamed one;
//!    [`Frame::edited`] replaces text inside a frame.
//! 7. [`refuse`] and [`cut`]: the provider's own way of saying no, before and in mid-stream.
//!
//! A provider's shapes live in one module each behind one trait (`shape`); framing (`frame`) is
//! apart from shapes, because several providers share one framing.
//!
//! The truth about a shape is the provider's own SDK. Facts here are cited against openai-python 3.54.0,
//! anthropic-python 2.12.0 and google-genai 3.4.0.
#![forbid(unsafe_code)]

mod answer;
mod anthropic;
mod api;
mod bedrock;
mod call;
mod catalog;
mod cohere;
mod edit;
mod error;
mod frame;
mod gemini;
mod image;
mod json;
mod literal;
mod mcp;
mod multipart;
mod ollama;
mod openai;
mod operation;
mod prompt;
mod reading;
mod recognise;
mod refusal;
mod request;
mod response;
mod rewrite;
mod shape;
mod stream;
mod target;
mod tools;
mod usage;
mod websocket;
#[cfg(test)]
mod work;

pub use api::{Api, UnknownApi};
pub use bedrock::USAGE_FIELDS;
pub use call::{Call, RequestLine};
pub use catalog::{Catalog, CatalogError, Provider};
pub use edit::{Edit, EditError, RawSpans, Replacement, edit};
pub use error::ReadError;
pub use frame::{
    Document, EventStreamDecoder, Frame, FrameDecoder, FrameError, Framing, JsonArrayDecoder,
    MAX_FRAME_BYTES, Message, NdjsonDecoder, SseDecoder, SseEvent,
};
pub use json::{JsonError, JsonFault, MAX_DEPTH, escape_into, unescape};
pub use literal::Literal;
pub use multipart::FormFault;
pub use operation::{Operation, UnknownOperation};
pub use prompt::{PromptCount, prompt_count};
pub use recognise::recognise;
pub use refusal::{Refusal, RefusalReason, cut, refuse};
pub use request::{Attachments, OutputLimit, Place, Request, Role, Text, read_request};
pub use response::{Response, ResponseText, read_response};
pub use rewrite::{Rewrite, lower_output_limit, min_output_limit, with_model_in_body, with_model_in_target};
pub use stream::{Channel, Delta, Finish, Part, StreamEvent, Telling, read_event};
pub use tools::tool_names;
pub use usage::{Certainty, Modalities, Usage, UsageCounters};
pub use websocket::{
    CLOSE_REASON_BYTES, CloseCode, MAX_MESSAGE_BYTES, MaskingKey, MessageKind, Sender, WebSocketDecoder,
    WebSocketError, WebSocketMessage, close_payload, encode_message,
};
