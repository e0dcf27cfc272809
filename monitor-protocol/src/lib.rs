//! LLM wire protocols: recognise, read, edit, refuse, usage.
//!
//! Bytes in, values out: nothing here opens a socket, knows an HTTP library or keeps state between exchanges
//! (only [`SseDecoder`] keeps the bytes of the event that is still arriving). The way of an exchange:
//!
//! 1. [`Catalog::lookup`]: host name → [`Provider`] and the [`Api`] it speaks.
//! 2. [`recognise`]: method and path → [`Operation`].
//! 3. [`read_request`]: body → [`Request`]: model, limits, every text with its [`Role`] and [`Place`].
//! 4. [`prompt_count`]: what to hand to a tokenizer, and what to add to its count.
//! 5. [`edit`]: the same body with some strings replaced, every other byte as it was.
//! 6. [`read_response`] for a whole answer; [`SseDecoder`] and [`read_event`] for a streamed one;
//!    [`edit_event`] replaces text inside an event.
//! 7. [`refuse`] and [`cut`]: the provider's own way of saying no, before and in mid-stream.
//!
//! A provider's shapes live in one module each (`openai`, `anthropic`), reached by a
//! `match` on [`Api`]: adding one adds a variant, and the compiler names every place that must learn it. Framing
//! (`sse`) is apart from shapes, because several providers share one framing.
//!
//! The truth about a shape is the provider's own SDK. Facts here are cited against openai-python 3.54.0 and
//! anthropic-python 2.12.0.
#![forbid(unsafe_code)]

mod anthropic;
mod api;
mod catalog;
mod edit;
mod error;
mod json;
mod openai;
mod prompt;
mod recognise;
mod refusal;
mod request;
mod response;
mod sse;
mod stream;
mod usage;
#[cfg(test)]
mod work;

pub use api::{Api, Operation, UnknownApi};
pub use catalog::{Catalog, CatalogError, Provider};
pub use edit::{Edit, EditError, RawSpans, Replacement, edit};
pub use error::ReadError;
pub use json::{JsonError, JsonFault, MAX_DEPTH, escape_into, unescape};
pub use prompt::{PromptCount, prompt_count};
pub use recognise::{deployment, recognise};
pub use refusal::{Refusal, RefusalReason, cut, refuse};
pub use request::{Attachments, OutputLimit, Place, Request, Role, Text, read_request};
pub use response::{Response, ResponseText, read_response};
pub use sse::{EventTooLarge, MAX_EVENT_BYTES, SseDecoder, SseEvent};
pub use stream::{Channel, Delta, Finish, Part, StreamEvent, edit_event, read_event};
pub use usage::{Certainty, Usage, UsageCounters};
