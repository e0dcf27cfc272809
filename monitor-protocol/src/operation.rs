//! What a request asks its provider to do.

use std::{fmt, str::FromStr};

/// What a request asks its provider to do, by the word of the provider's API. One word may be used by several shapes
/// (`count_tokens`, `embed`): [`crate::Call::shape`] tells whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// OpenAI `…/chat/completions`.
    ChatCompletions,
    /// OpenAI `…/completions`: one prompt, no messages.
    Completions,
    /// OpenAI `…/responses`, also over WebSocket.
    Responses,
    /// OpenAI `…/realtime`: a conversation over WebSocket.
    Realtime,
    /// OpenAI `…/embeddings`.
    Embeddings,
    /// OpenAI `…/moderations`.
    Moderations,
    /// OpenAI `…/images/generations`, `edits` and `variations`.
    Images,
    /// OpenAI `…/audio/transcriptions` and `translations`.
    Transcriptions,
    /// OpenAI `…/audio/speech`.
    Speech,
    /// OpenAI `…/files`: an upload, perhaps of requests for a batch.
    Files,
    /// A batch of requests: OpenAI `…/batches`, Anthropic `…/messages/batches`, Gemini `:batchGenerateContent`.
    Batches,
    /// Anthropic `…/messages`.
    Messages,
    /// Counting a prompt without answering it: Anthropic `…/messages/count_tokens`, Gemini `:countTokens`.
    CountTokens,
    /// Anthropic `…/complete`: one prompt, no messages.
    Complete,
    /// Gemini `:generateContent` and `:streamGenerateContent`.
    GenerateContent,
    /// Gemini `:embedContent` and `:batchEmbedContents`.
    EmbedContent,
    /// Gemini `…/cachedContents`: contents kept for later prompts, which name them and do not repeat them.
    CachedContents,
    /// Vertex `:predict`.
    Predict,
    /// Gemini `…BidiGenerateContent`: a conversation over WebSocket.
    Live,
    /// Bedrock `…/converse` and `…/converse-stream`.
    Converse,
    /// Bedrock `…/invoke` and `…/invoke-with-response-stream`: the model's own shapes.
    InvokeModel,
    /// Cohere `…/v2/chat`, Ollama `/api/chat`.
    Chat,
    /// Ollama `/api/generate`, TGI and SGLang `/generate`, llama.cpp `/completion`.
    Generate,
    /// Cohere `…/v2/embed`, Ollama `/api/embed`, TGI `/embed`.
    Embed,
    /// Cohere `…/v2/rerank`, and `…/rerank` of self-hosted servers.
    Rerank,
    /// A JSON-RPC message to an MCP server.
    Mcp,
    /// Any other request to a known provider: attributed and recorded, not read.
    Other,
}

impl Operation {
    /// Every variant, for help texts and tests.
    pub const ALL: &[Self] = &[
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Realtime,
        Self::Embeddings,
        Self::Moderations,
        Self::Images,
        Self::Transcriptions,
        Self::Speech,
        Self::Files,
        Self::Batches,
        Self::Messages,
        Self::CountTokens,
        Self::Complete,
        Self::GenerateContent,
        Self::EmbedContent,
        Self::CachedContents,
        Self::Predict,
        Self::Live,
        Self::Converse,
        Self::InvokeModel,
        Self::Chat,
        Self::Generate,
        Self::Embed,
        Self::Rerank,
        Self::Mcp,
        Self::Other,
    ];

    /// The name used in configuration, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Realtime => "realtime",
            Self::Embeddings => "embeddings",
            Self::Moderations => "moderations",
            Self::Images => "images",
            Self::Transcriptions => "transcriptions",
            Self::Speech => "speech",
            Self::Files => "files",
            Self::Batches => "batches",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Complete => "complete",
            Self::GenerateContent => "generate_content",
            Self::EmbedContent => "embed_content",
            Self::CachedContents => "cached_contents",
            Self::Predict => "predict",
            Self::Live => "live",
            Self::Converse => "converse",
            Self::InvokeModel => "invoke_model",
            Self::Chat => "chat",
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::Rerank => "rerank",
            Self::Mcp => "mcp",
            Self::Other => "other",
        }
    }

    /// Whether a model writes an answer, so that there is output to reserve tokens for.
    #[must_use]
    pub const fn generates(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Responses
                | Self::Realtime
                | Self::Messages
                | Self::Complete
                | Self::GenerateContent
                | Self::Live
                | Self::Converse
                | Self::InvokeModel
                | Self::Chat
                | Self::Generate
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown operation `{0}`")]
pub struct UnknownOperation(pub String);

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| UnknownOperation(name.to_owned()))
    }
}
