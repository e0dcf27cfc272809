//! What a request's head asks of its provider.

use crate::{Api, Operation};

/// The head of a request, as far as it tells what is asked.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'h> {
    /// The method; `CONNECT` for a WebSocket over HTTP/2 (RFC 8441).
    pub method: &'h str,
    /// Path and query, or the absolute form `https://host/path`.
    pub target: &'h str,
    /// It asks for a WebSocket: `upgrade: websocket` in HTTP/1.1, `:protocol` in HTTP/2.
    pub websocket: bool,
}

impl<'h> RequestLine<'h> {
    /// A `POST`, which most operations are.
    #[must_use]
    pub const fn post(target: &'h str) -> Self {
        Self {
            method: "POST",
            target,
            websocket: false,
        }
    }
}

/// One call of a provider's API, as far as its head tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose shapes its bodies have. Not always those of the host: Anthropic's also serves chat completions, Vertex serves
    /// Anthropic's messages.
    pub shape: Api,
    /// What is asked.
    pub operation: Operation,
    /// The model that the path names: an Azure deployment, a Gemini model, a Bedrock model id; in lower case.
    pub model: Option<String>,
    /// The path asks for a stream (`:streamGenerateContent`, `/converse-stream`). Where it does not, the body may.
    pub streams: bool,
    /// It asks for a WebSocket, whose messages are its bodies.
    pub websocket: bool,
}

impl Call {
    /// A call of `operation` in `shape` whose path says nothing more.
    #[must_use]
    pub const fn new(shape: Api, operation: Operation) -> Self {
        Self {
            shape,
            operation,
            model: None,
            streams: false,
            websocket: false,
        }
    }

    /// A request that is not read.
    #[must_use]
    pub const fn other(api: Api) -> Self {
        Self::new(api, Operation::Other)
    }

    /// The same, for the model that the path names.
    #[must_use]
    pub fn with_model(self, model: Option<String>) -> Self {
        Self { model, ..self }
    }

    /// The same, whose path asks for a stream or not.
    #[must_use]
    pub fn with_streams(self, streams: bool) -> Self {
        Self { streams, ..self }
    }
}
