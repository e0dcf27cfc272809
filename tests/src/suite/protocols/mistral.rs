//! mistralai: OpenAI's shapes by an SDK of its own.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What the calls have in common. The SDK has one class for every status it has no model of.
const MISTRAL: Case = Case {
    name: "",
    arguments: &["chat"],
    prompt: "Write 21 words",
    provider: "mistral",
    operation: "chat_completions",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("SDKError", 429)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("SDKError", 403)),
};

/// mistralai.
pub(super) fn python() -> Sdk {
    Sdk {
        name: "mistralai",
        program: Program::Python("mistral_client.py"),
        cases: vec![
            Case {
                name: "chat",
                ..MISTRAL
            },
            Case {
                name: "chat_streamed",
                arguments: &["chat", "--stream"],
                streamed: true,
                ..MISTRAL
            },
        ],
    }
}
