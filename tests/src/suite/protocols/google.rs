//! google-genai, towards Gemini and towards Vertex.

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};

/// What most calls have in common. The SDK has one class for every 4xx; its status is its `code`.
const GEMINI: Case = Case {
    name: "",
    arguments: &["generate"],
    prompt: "Write 21 words",
    provider: "google",
    operation: "generate_content",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("ClientError", 429)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("ClientError", 403)),
};

/// As [`GEMINI`], at Vertex.
const VERTEX: Case = Case {
    arguments: &["generate", "--variant", "vertex"],
    provider: "vertex",
    ..GEMINI
};

/// google-genai.
pub(super) fn genai() -> Sdk {
    Sdk {
        name: "google_genai",
        program: Program::Python("genai_client.py"),
        cases: vec![
            Case {
                name: "generate",
                ..GEMINI
            },
            Case {
                name: "generate_streamed",
                arguments: &["generate", "--stream"],
                streamed: true,
                ..GEMINI
            },
            Case {
                name: "generate_with_thoughts_streamed",
                arguments: &["generate", "--stream", "--variant", "thinking"],
                streamed: true,
                ..GEMINI
            },
            Case {
                name: "generate_with_tools",
                arguments: &["generate", "--tools"],
                prompt: "Use the tool",
                ..GEMINI
            },
            Case {
                name: "generate_with_tools_streamed",
                arguments: &["generate", "--tools", "--stream"],
                prompt: "Use the tool",
                streamed: true,
                ..GEMINI
            },
            Case {
                name: "embed",
                arguments: &["embed"],
                operation: "embed_content",
                ..GEMINI
            },
            Case {
                name: "count",
                arguments: &["count"],
                operation: "count_tokens",
                tokens: Tokens::None,
                over_budget: None,
                ..GEMINI
            },
            Case {
                name: "vertex_generate",
                ..VERTEX
            },
            Case {
                name: "vertex_generate_streamed",
                arguments: &["generate", "--variant", "vertex", "--stream"],
                streamed: true,
                ..VERTEX
            },
        ],
    }
}
