//! OpenAI's SDKs.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What most calls have in common.
const OPENAI: Case = Case {
    name: "",
    arguments: &[],
    prompt: "Write 21 words",
    provider: "openai",
    operation: "chat_completions",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("RateLimitError", 429)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("PermissionDeniedError", 403)),
};

/// The responses API.
const RESPONSES: Case = Case {
    operation: "responses",
    ..OPENAI
};

/// A conversation over WebSocket: policy ends it with the provider's own event and a close frame.
const CONVERSATION: Case = Case {
    streamed: true,
    turns: Some(2),
    over_budget: Some(Raised {
        class: "ConnectionClosedError",
        status: Some(1008),
        event: Some("insufficient_quota"),
    }),
    blocked: Some(Raised {
        class: "ConnectionClosedError",
        status: Some(1008),
        event: Some("permission_error"),
    }),
    ..OPENAI
};

/// Where the lab has Azure.
const AZURE: &str = "https://lab.openai.azure.com";

/// openai-python.
pub(super) fn python() -> Sdk {
    Sdk {
        name: "openai_python",
        program: Program::Python("openai_client.py"),
        cases: vec![
            Case {
                name: "chat",
                arguments: &["chat"],
                ..OPENAI
            },
            Case {
                name: "chat_streamed",
                arguments: &["chat", "--stream", "--include-usage"],
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "chat_streamed_without_usage",
                arguments: &["chat", "--stream"],
                streamed: true,
                tokens: Tokens::Counted,
                ..OPENAI
            },
            Case {
                name: "chat_choices",
                arguments: &["chat", "--choices", "3"],
                ..OPENAI
            },
            Case {
                name: "chat_choices_streamed",
                arguments: &["chat", "--choices", "3", "--stream", "--include-usage"],
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "chat_tools",
                arguments: &["chat", "--tools"],
                prompt: "Use the tool",
                ..OPENAI
            },
            Case {
                name: "chat_tools_streamed",
                arguments: &["chat", "--tools", "--stream", "--include-usage"],
                prompt: "Use the tool",
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "azure_chat_streamed",
                arguments: &["chat", "--stream", "--include-usage", "--base-url", AZURE],
                provider: "azure",
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "azure_embeddings",
                arguments: &["embeddings", "--base-url", AZURE],
                provider: "azure",
                operation: "embeddings",
                ..OPENAI
            },
            Case {
                name: "azure_responses",
                arguments: &["responses", "--base-url", AZURE],
                provider: "azure",
                operation: "responses",
                ..OPENAI
            },
            Case {
                name: "completions",
                arguments: &["completions"],
                operation: "completions",
                ..OPENAI
            },
            Case {
                name: "completions_streamed",
                arguments: &["completions", "--stream", "--include-usage"],
                operation: "completions",
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "responses",
                arguments: &["responses"],
                ..RESPONSES
            },
            Case {
                name: "responses_messages",
                arguments: &["responses", "--variant", "messages", "--system", "Be brief."],
                ..RESPONSES
            },
            Case {
                name: "responses_streamed",
                arguments: &["responses", "--stream"],
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "responses_stream_helper",
                arguments: &["responses", "--stream", "--variant", "helper"],
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "responses_incomplete",
                arguments: &["responses", "--stream", "--max-tokens", "10"],
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "responses_tools",
                arguments: &["responses", "--tools"],
                prompt: "Use the tool",
                ..RESPONSES
            },
            Case {
                name: "responses_tools_streamed",
                arguments: &["responses", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "embeddings",
                arguments: &["embeddings"],
                operation: "embeddings",
                ..OPENAI
            },
            Case {
                name: "realtime",
                arguments: &["realtime", "--model", "gpt-realtime"],
                operation: "realtime",
                ..CONVERSATION
            },
            Case {
                name: "responses_over_websocket",
                arguments: &["responses_over_websocket"],
                operation: "responses",
                ..CONVERSATION
            },
            Case {
                name: "embeddings_as_numbers",
                arguments: &["embeddings", "--variant", "float"],
                operation: "embeddings",
                ..OPENAI
            },
            Case {
                name: "embeddings_of_several",
                arguments: &["embeddings", "--variant", "several"],
                operation: "embeddings",
                ..OPENAI
            },
            Case {
                name: "moderations",
                arguments: &["moderations"],
                operation: "moderations",
                tokens: Tokens::None,
                over_budget: None,
                ..OPENAI
            },
            Case {
                name: "models",
                arguments: &["models"],
                operation: "other",
                tokens: Tokens::None,
                over_budget: None,
                blocked: None,
                ..OPENAI
            },
        ],
    }
}

/// openai-node.
pub(super) fn node() -> Sdk {
    Sdk {
        name: "openai_node",
        program: Program::Node("openai_client.cjs"),
        cases: vec![
            Case {
                name: "chat",
                arguments: &["chat"],
                ..OPENAI
            },
            Case {
                name: "chat_streamed",
                arguments: &["chat", "--stream", "--include-usage"],
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "chat_tools_streamed",
                arguments: &["chat", "--tools", "--stream", "--include-usage"],
                prompt: "Use the tool",
                streamed: true,
                ..OPENAI
            },
            Case {
                name: "responses",
                arguments: &["responses"],
                ..RESPONSES
            },
            Case {
                name: "responses_streamed",
                arguments: &["responses", "--stream"],
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "responses_stream_helper",
                arguments: &["responses", "--stream", "--variant", "helper"],
                streamed: true,
                ..RESPONSES
            },
            Case {
                name: "embeddings",
                arguments: &["embeddings"],
                operation: "embeddings",
                ..OPENAI
            },
        ],
    }
}

/// A WebSocket over HTTP/2, which none of the SDKs speaks.
pub(super) fn http2() -> Sdk {
    let closed = |event| {
        Some(Raised {
            class: "Closed",
            status: Some(1008),
            event: Some(event),
        })
    };
    Sdk {
        name: "openai_http2",
        program: Program::Own("converse"),
        cases: vec![Case {
            name: "responses_over_websocket",
            operation: "responses",
            over_budget: closed("insufficient_quota"),
            blocked: closed("permission_error"),
            ..CONVERSATION
        }],
    }
}
