//! ollama-python, at a server of the operator's own.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What most calls have in common.
const OLLAMA: Case = Case {
    name: "",
    arguments: &["chat"],
    prompt: "Write 21 words",
    provider: "ollama.own.test",
    operation: "chat",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("ResponseError", 429)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("ResponseError", 403)),
};

/// ollama-python.
pub(super) fn python() -> Sdk {
    Sdk {
        name: "ollama_python",
        program: Program::Python("ollama_client.py"),
        cases: vec![
            Case {
                name: "chat",
                ..OLLAMA
            },
            Case {
                name: "chat_streamed",
                arguments: &["chat", "--stream"],
                streamed: true,
                ..OLLAMA
            },
            Case {
                name: "chat_with_tools_streamed",
                arguments: &["chat", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                ..OLLAMA
            },
            Case {
                name: "generate",
                arguments: &["generate"],
                operation: "generate",
                ..OLLAMA
            },
            Case {
                name: "generate_streamed",
                arguments: &["generate", "--stream"],
                operation: "generate",
                streamed: true,
                ..OLLAMA
            },
            Case {
                name: "embed",
                arguments: &["embed"],
                operation: "embed",
                ..OLLAMA
            },
        ],
    }
}
