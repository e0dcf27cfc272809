//! cohere-python, the second version of the API.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What most calls have in common. The SDK retries a 429 twice by itself, whatever the answer's headers say,
/// but for streams.
const COHERE: Case = Case {
    name: "",
    arguments: &["chat"],
    prompt: "Write 21 words",
    provider: "cohere",
    operation: "chat",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("TooManyRequestsError", 429)),
    attempts: 3,
    turns: None,
    blocked: Some(Raised::http("ForbiddenError", 403)),
};

/// cohere-python.
pub(super) fn python() -> Sdk {
    Sdk {
        name: "cohere_python",
        program: Program::Python("cohere_client.py"),
        cases: vec![
            Case {
                name: "chat",
                ..COHERE
            },
            Case {
                name: "chat_streamed",
                arguments: &["chat", "--stream"],
                streamed: true,
                attempts: 1,
                turns: None,
                ..COHERE
            },
            Case {
                name: "chat_with_tools",
                arguments: &["chat", "--tools"],
                prompt: "Use the tool",
                over_budget: None,
                ..COHERE
            },
            Case {
                name: "chat_with_tools_streamed",
                arguments: &["chat", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                attempts: 1,
                turns: None,
                ..COHERE
            },
            Case {
                name: "embed",
                arguments: &["embed"],
                operation: "embed",
                ..COHERE
            },
            Case {
                name: "rerank",
                arguments: &["rerank"],
                operation: "rerank",
                tokens: Tokens::Estimated,
                ..COHERE
            },
        ],
    }
}
