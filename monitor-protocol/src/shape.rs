//! What every family of wire shapes can do. One module each; nothing else knows more of it than this.

use crate::{
    Api, Call, Frame, PromptCount, ReadError, RefusalReason, Request, Response, StreamEvent, anthropic,
    bedrock, cohere, gemini, mcp, ollama, openai, refusal::Kind, target::Target,
};

/// A family of wire shapes.
pub(crate) trait Shape: Sync {
    /// What `target` asks, if it is an operation of this family. `at_home`: the host is known to speak it; elsewhere only
    /// what cannot be taken for an operation of another family is recognised.
    fn recognise(&self, target: &Target<'_>, at_home: bool) -> Option<Call>;

    /// Reads a request's body, decoded. `boundary` is that of its `content-type`, where it is `multipart/form-data`. Of a
    /// WebSocket, the body is one message of the client's.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the body is not what the operation's are.
    fn read_request<'b>(
        &self,
        call: &Call,
        boundary: Option<&str>,
        body: &'b [u8],
    ) -> Result<Request<'b>, ReadError>;

    /// How to count the prompt of `request`, which was read from `body`.
    fn prompt_count(&self, call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount;

    /// Reads a whole answer, decoded.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the body is not what the operation's answers are.
    fn read_response<'b>(&self, call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError>;

    /// Reads one frame of a streamed answer.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the frame's data is not what the operation's streams carry.
    fn read_event<'e>(&self, call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError>;

    /// The HTTP status of a refusal, where the SDKs go by another than is usual.
    fn status(&self, _call: &Call, reason: &RefusalReason) -> u16 {
        reason.status()
    }

    /// The provider's error document for `reason`.
    fn error_document(&self, call: &Call, reason: &RefusalReason) -> Vec<u8>;

    /// The provider's name for the exception that `reason` is, and the header that carries it, where SDKs go by a header
    /// and not by the document.
    fn error_header(&self, _call: &Call, _reason: &RefusalReason) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Server-sent events that end a stream of them: an error as the SDK raises it, and the protocol's own end.
    fn cut_events(&self, call: &Call, reason: &RefusalReason) -> Vec<u8>;

    /// The document that ends a stream of documents (NDJSON, a JSON array).
    fn cut_document(&self, call: &Call, reason: &RefusalReason) -> Vec<u8> {
        self.error_document(call, reason)
    }

    /// The type of the exception that ends an AWS event stream. The ones named here are in both of Bedrock's unions of
    /// stream events (botocore 1.40, `bedrock-runtime` service model, `ConverseStreamOutput` and `ResponseStream`).
    fn cut_exception(&self, _call: &Call, reason: &RefusalReason) -> &'static str {
        match reason.kind() {
            Kind::Budget => "throttlingException",
            Kind::Policy | Kind::Request | Kind::TooLarge => "validationException",
            Kind::Upstream => "serviceUnavailableException",
        }
    }

    /// The message of a WebSocket that is the provider's error, where it has one. A close frame follows it.
    fn error_message(&self, _call: &Call, _reason: &RefusalReason) -> Option<Vec<u8>> {
        None
    }
}

impl Api {
    pub(crate) fn shape(self) -> &'static dyn Shape {
        match self {
            Self::OpenAi => &openai::OpenAi,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Gemini => &gemini::Gemini,
            Self::Bedrock => &bedrock::Bedrock,
            Self::Cohere => &cohere::Cohere,
            Self::Mcp => &mcp::Mcp,
            Self::Ollama => &ollama::Ollama,
        }
    }
}
