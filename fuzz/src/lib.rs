//! What must hold for any bytes, one module per kind of reader. Each `check` panics when it does not.
//!
//! The first bytes of an input choose what the rest is given to (`monitor_fuzz_seeds`), so that one corpus serves all operations.

pub mod bodies;
pub mod content;
pub mod edits;
pub mod event_stream;
pub mod events;
pub mod frames;
pub mod json;
mod memory;
pub mod recognise;
pub mod websocket;

/// What replaces a text: nothing a document would have, and with bytes that must be escaped.
const MARKER: &str = "~\"\\\n~";
