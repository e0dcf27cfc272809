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
    over_budget: Some(Raised {
        class: "RateLimitError",
        status: Some(429),
    }),
    blocked: Some(Raised {
        class: "PermissionDeniedError",
        status: Some(403),
    }),
};

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
