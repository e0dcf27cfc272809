//! Anthropic's SDKs.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What most calls have in common.
const ANTHROPIC: Case = Case {
    name: "",
    arguments: &[],
    prompt: "Write 21 words",
    provider: "anthropic",
    operation: "messages",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("RateLimitError", 429)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("PermissionDeniedError", 403)),
};

/// anthropic-python.
pub(super) fn python() -> Sdk {
    Sdk {
        name: "anthropic_python",
        program: Program::Python("anthropic_client.py"),
        cases: vec![
            Case {
                name: "messages",
                arguments: &["messages"],
                ..ANTHROPIC
            },
            Case {
                name: "messages_streamed",
                arguments: &["messages", "--stream"],
                streamed: true,
                ..ANTHROPIC
            },
            Case {
                name: "messages_tools",
                arguments: &["messages", "--tools"],
                prompt: "Use the tool",
                ..ANTHROPIC
            },
            Case {
                name: "messages_tools_streamed",
                arguments: &["messages", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                ..ANTHROPIC
            },
            Case {
                name: "count_tokens",
                arguments: &["count_tokens"],
                operation: "count_tokens",
                tokens: Tokens::None,
                over_budget: None,
                ..ANTHROPIC
            },
        ],
    }
}

/// anthropic-sdk-typescript.
pub(super) fn node() -> Sdk {
    Sdk {
        name: "anthropic_node",
        program: Program::Node("anthropic_client.cjs"),
        cases: vec![
            Case {
                name: "messages",
                arguments: &["messages"],
                ..ANTHROPIC
            },
            Case {
                name: "messages_streamed",
                arguments: &["messages", "--stream"],
                streamed: true,
                ..ANTHROPIC
            },
            Case {
                name: "messages_tools_streamed",
                arguments: &["messages", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                ..ANTHROPIC
            },
        ],
    }
}

/// anthropic-python's client for models at Vertex.
pub(super) fn vertex() -> Sdk {
    let vertex = Case {
        arguments: &["messages", "--variant", "vertex"],
        provider: "vertex",
        ..ANTHROPIC
    };
    Sdk {
        name: "anthropic_vertex",
        program: Program::Python("anthropic_clouds_client.py"),
        cases: vec![
            Case {
                name: "messages",
                ..vertex
            },
            Case {
                name: "messages_streamed",
                arguments: &["messages", "--variant", "vertex", "--stream"],
                streamed: true,
                ..vertex
            },
        ],
    }
}
