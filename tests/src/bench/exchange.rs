//! The exchanges whose whole cost is compared: a question in a protocol's shape, and its answer of [`PIECES`] pieces.
//!
//! Upstream and client are processes of their own that both know this table; a header of the request names the exchange.

mod answer;

use anyhow::{Context, Result};

/// Pieces of text in a streamed answer, each an event, a record of TLS and a token of its own.
pub(super) const PIECES: u64 = 64;
/// Tokens of the question, as every answer tells.
const PROMPT_TOKENS: u64 = 25;

/// The header that names the exchange to the upstream.
const HEADER: &str = "x-bench-exchange";

/// A question and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// As tables and figures have it, and what the client is told to send.
    pub(super) name: &'static str,
    /// The operation that the agent must have on record.
    pub(super) operation: &'static str,
    path: &'static str,
    /// The request's body before the question.
    before: &'static str,
    /// The request's body after the question.
    after: &'static str,
    answer: fn() -> Result<Answer>,
}

/// An answer's parts as they are sent.
#[derive(Debug)]
struct Answer {
    content_type: &'static str,
    /// The events of a stream with their framing; of a whole answer the only one.
    events: Vec<Vec<u8>>,
    whole: bool,
}

/// Of some length, and in all shapes the same.
const QUESTION: &str = "Say in one short sentence what a weir does, for somebody who has never seen one.";

/// Every exchange.
pub(super) const ALL: [Exchange; 8] = [
    Exchange {
        name: "chat-whole",
        operation: "chat_completions",
        path: "/v1/chat/completions",
        before: r#"{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::chat_whole,
    },
    Exchange {
        name: "chat-sse",
        operation: "chat_completions",
        path: "/v1/chat/completions",
        before: r#"{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You are brief."},{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::chat,
    },
    Exchange {
        name: "responses-sse",
        operation: "responses",
        path: "/v1/responses",
        before: r#"{"model":"gpt-4o-mini","stream":true,"instructions":"You are brief.","input":[{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::responses,
    },
    Exchange {
        name: "messages-sse",
        operation: "messages",
        path: "/v1/messages",
        before: r#"{"model":"claude-sonnet-4-5","max_tokens":256,"stream":true,"system":"You are brief.","messages":[{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::messages,
    },
    Exchange {
        name: "gemini-array",
        operation: "generate_content",
        path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        before: r#"{"systemInstruction":{"parts":[{"text":"You are brief."}]},"contents":[{"role":"user","parts":[{"text":""#,
        after: r#""}]}]}"#,
        answer: answer::gemini,
    },
    Exchange {
        name: "converse-stream",
        operation: "converse",
        path: "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
        before: r#"{"system":[{"text":"You are brief."}],"messages":[{"role":"user","content":[{"text":""#,
        after: r#""}]}]}"#,
        answer: answer::converse,
    },
    Exchange {
        name: "ollama-ndjson",
        operation: "chat",
        path: "/api/chat",
        before: r#"{"model":"llama3.2","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::ollama,
    },
    Exchange {
        name: "cohere-sse",
        operation: "chat",
        path: "/v2/chat",
        before: r#"{"model":"command-a-03-2025","stream":true,"messages":[{"role":"system","content":"You are brief."},{"role":"user","content":""#,
        after: r#""}]}"#,
        answer: answer::cohere,
    },
];

impl Exchange {
    /// The exchange of this name.
    pub(super) fn named(name: &str) -> Result<Self> {
        ALL.into_iter()
            .find(|exchange| exchange.name == name)
            .with_context(|| format!("no exchange {name}"))
    }

    /// The exchange that a request's head names.
    pub(super) fn asked(head: &str) -> Option<Self> {
        let name = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(HEADER))?
            .1;
        Self::named(name.trim()).ok()
    }

    /// The request as it is sent to this host.
    pub(super) fn request(&self, host: &str) -> Vec<u8> {
        let body = [self.before, QUESTION, self.after].concat();
        format!(
            "POST {} HTTP/1.1\r\nhost: {host}\r\n{HEADER}: {}\r\ncontent-type: application/json\r\nuser-agent: weir-lab\r\n\
             content-length: {}\r\n\r\n{body}",
            self.path,
            self.name,
            body.len()
        )
        .into_bytes()
    }

    /// Bytes of the answer's body, without what HTTP adds.
    pub(super) fn answer_bytes(&self) -> Result<usize> {
        Ok((self.answer)()?.events.iter().map(Vec::len).sum())
    }

    /// The answer's parts as they are written, one after the other.
    pub(super) fn answer_parts(&self) -> Result<Vec<Vec<u8>>> {
        let answer = (self.answer)()?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n", answer.content_type);
        if answer.whole {
            let body = answer.events.concat();
            let head = format!("{head}content-length: {}\r\n\r\n", body.len());
            return Ok(vec![[head.into_bytes(), body].concat()]);
        }
        let mut parts = vec![format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes()];
        parts.extend(answer.events.into_iter().map(|event| {
            let size = format!("{:x}\r\n", event.len());
            [size.as_bytes(), &event, b"\r\n"].concat()
        }));
        parts.push(b"0\r\n\r\n".to_vec());
        Ok(parts)
    }
}
