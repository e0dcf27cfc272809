//! Golden cases: a fixture in the providers' own shapes, and the one right reading of it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share fails as tests do"
)]

#[path = "golden/anthropic.rs"]
mod anthropic;
#[path = "golden/bedrock.rs"]
mod bedrock;
#[path = "golden/cohere.rs"]
mod cohere;
#[path = "golden/event_stream.rs"]
mod event_stream;
#[path = "golden/frames.rs"]
mod frames;
#[path = "golden/gemini.rs"]
mod gemini;
#[path = "golden/mcp.rs"]
mod mcp;
#[path = "golden/ollama.rs"]
mod ollama;
#[path = "golden/openai.rs"]
mod openai;
#[path = "golden/prompt.rs"]
mod prompt;
#[path = "golden/reading.rs"]
mod reading;
#[path = "golden/splits.rs"]
mod splits;
