//! A real SDK for each framing of answers.

use anyhow::Result;
use serde_json::Value;

use crate::lab::workload::Truth;
use crate::suite::stage::{Report, Stage};

/// A program that asks for an answer in one of the framings there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// Its name in the tests'.
    pub(super) name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// Whether its answers come in pieces.
    pub(super) streams: bool,
    /// The exception that tells of an answer that a rule has ended.
    pub(super) raises: &'static str,
}

impl Client {
    /// Makes the call; who made it, and what the SDK handed out.
    pub(super) async fn run(self, stage: &Stage, cgroup: &str, prompt: &str) -> Result<(Truth, Report)> {
        let arguments = [self.arguments, &["--prompt", prompt]].concat();
        stage
            .report(stage.python(cgroup, self.program, &arguments)?)
            .await
    }
}

/// An SDK for each framing, and one for answers that come whole.
pub(super) fn clients() -> [Client; 8] {
    let client = |name: &'static str, program, arguments, raises| Client {
        name,
        program,
        arguments,
        streams: name != "whole_body",
        raises,
    };
    [
        client(
            "whole_body",
            "openai_client.py",
            &["chat"],
            "PermissionDeniedError",
        ),
        client("sse", "openai_client.py", &["chat", "--stream"], "APIError"),
        client(
            "sse_with_repeats",
            "openai_client.py",
            &["responses", "--stream"],
            "APIError",
        ),
        client(
            "sse_of_named_events",
            "anthropic_client.py",
            &["messages", "--stream"],
            "APIStatusError",
        ),
        client(
            "sse_of_gemini",
            "genai_client.py",
            &["generate", "--stream"],
            "ClientError",
        ),
        client(
            "ndjson",
            "ollama_client.py",
            &["chat", "--stream"],
            "ResponseError",
        ),
        client(
            "eventstream",
            "boto3_client.py",
            &["converse", "--stream", "--variant", "bearer"],
            "EventStreamError",
        ),
        client(
            "websocket",
            "openai_client.py",
            &["realtime", "--model", "gpt-realtime"],
            "ConnectionClosedError",
        ),
    ]
}

/// All text of an answer, whatever the SDK calls its parts.
pub(super) fn answer_text(answer: &Value) -> String {
    match answer {
        Value::String(text) => format!("{text}\n"),
        Value::Array(parts) => parts.iter().map(answer_text).collect(),
        Value::Object(parts) => parts.values().map(answer_text).collect(),
        _ => String::new(),
    }
}
