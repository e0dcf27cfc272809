//! `generateContent` whole, as server-sent events, and as one JSON array that grows.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::super::count;
use super::super::log::Served;
use super::super::reply::{Body, Unframed, streamed_as, whole};
use super::super::script::Script;
use super::{by_modality, error, prompt_tokens};

/// What a model that may think thinks first.
const THOUGHT: &str = "The question asks for words, so words it will be.";

/// A whole answer.
pub(super) async fn once(json: &Value, headers: &HeaderMap, served: &Arc<Served>) -> Result<Response<Body>> {
    let script = script(json, headers, &served.model);
    if let Some(status) = script.status {
        return whole(status, &scripted_error(status), Some(&script), Some(served));
    }
    let spent = Spent::of(json, &script, served);
    let mut parts: Vec<Value> = thought(json).into_iter().collect();
    parts.push(part(&script, &script.text()));
    served.sent(&script.text());
    tokio::time::sleep(script.delay).await;
    let answer = chunk(
        &served.model,
        &json!(parts),
        Some(finish(&script)),
        &spent.told(spent.output),
    );
    whole(200, &answer, Some(&script), Some(served))
}

/// A streamed answer.
pub(super) fn streamed(
    json: &Value,
    headers: &HeaderMap,
    as_events: bool,
    served: Arc<Served>,
) -> Result<Response<Body>> {
    let script = script(json, headers, &served.model);
    if let Some(status) = script.status {
        // Without `alt=sse` an error is an array too.
        let document = scripted_error(status);
        let document = if as_events { document } else { json!([document]) };
        return whole(status, &document, Some(&script), Some(&served));
    }
    let spent = Spent::of(json, &script, &served);
    let chunks = chunks(json, &served.model, &script, &spent);
    let broken = error(
        503,
        "UNAVAILABLE",
        "The model is overloaded. Please try again later.",
    );
    if as_events {
        let events = chunks.into_iter().map(|chunk| {
            let wire = format!("data: {}\r\n\r\n", chunk.data);
            chunk.framed(wire)
        });
        let broken = Bytes::from(format!("data: {broken}\r\n\r\n"));
        return Ok(streamed_as(
            "text/event-stream",
            events.collect(),
            broken,
            script,
            served,
        ));
    }
    let last = chunks.len() - 1;
    let items = chunks.into_iter().enumerate().map(|(index, chunk)| {
        let start = if index == 0 { "[" } else { ",\r\n" };
        let end = if index == last { "\n]\n" } else { "\n" };
        let wire = format!("{start}{:#}{end}", chunk.data);
        chunk.framed(wire)
    });
    let broken = Bytes::from(format!(",\r\n{broken:#}\n]\n"));
    Ok(streamed_as(
        "application/json; charset=UTF-8",
        items.collect(),
        broken,
        script,
        served,
    ))
}

/// The chunks of a stream: each has the usage so far, the prompt's from the first on.
fn chunks(json: &Value, model: &str, script: &Script, spent: &Spent) -> Vec<Unframed> {
    let mut chunks = Vec::new();
    if let Some(thought) = thought(json) {
        chunks.push(Unframed::of(chunk(
            model,
            &json!([thought]),
            None,
            &spent.told(0),
        )));
    }
    if script.tool.is_some() {
        // A call is never split: its arguments are an object, not a text.
        let parts = json!([part(script, &script.text())]);
        let told = spent.told(spent.output);
        chunks.push(Unframed::piece(
            chunk(model, &parts, Some(finish(script)), &told),
            &script.text(),
        ));
        return chunks;
    }
    let mut so_far = String::new();
    for piece in &script.pieces {
        so_far.push_str(piece);
        let told = spent.told(count::text("", &so_far));
        chunks.push(Unframed::piece(
            chunk(model, &json!([part(script, piece)]), None, &told),
            piece,
        ));
    }
    let told = spent.told(spent.output);
    let last = chunk(model, &json!([{"text": ""}]), Some(finish(script)), &told);
    chunks.push(Unframed::of(last));
    chunks
}

/// Tokens of one exchange.
struct Spent {
    input: u64,
    thoughts: u64,
    output: u64,
}

impl Spent {
    fn of(json: &Value, script: &Script, served: &Served) -> Self {
        let name = script.tool.as_deref().unwrap_or_default();
        let spent = Self {
            input: prompt_tokens(json),
            thoughts: if thinks(json) { count::text("", THOUGHT) } else { 0 },
            output: count::text("", name) + count::text("", &script.text()),
        };
        served.told(spent.input, spent.output);
        served.told_reasoning(spent.thoughts);
        spent
    }

    /// The `usageMetadata` when `output` of the answer is there: thoughts stand beside candidates.
    fn told(&self, output: u64) -> Value {
        let mut usage = json!({
            "promptTokenCount": self.input,
            "totalTokenCount": self.input + self.thoughts + output,
            "promptTokensDetails": by_modality(self.input),
        });
        if output > 0 {
            usage["candidatesTokenCount"] = json!(output);
        }
        if self.thoughts > 0 {
            usage["thoughtsTokenCount"] = json!(self.thoughts);
        }
        usage
    }
}

fn thinks(json: &Value) -> bool {
    json["generationConfig"]["thinkingConfig"].is_object()
}

/// The thought as shown, if the request asks for it.
fn thought(json: &Value) -> Option<Value> {
    // The SDK sends this one member as protobuf spells it, and the service takes either spelling.
    let config = &json["generationConfig"]["thinkingConfig"];
    config["includeThoughts"]
        .as_bool()
        .or_else(|| config["include_thoughts"].as_bool())
        .filter(|include| *include)
        .map(|_| json!({"text": THOUGHT, "thought": true}))
}

fn part(script: &Script, text: &str) -> Value {
    match &script.tool {
        None => json!({"text": text}),
        Some(tool) => {
            let arguments: Value = serde_json::from_str(text).unwrap_or_default();
            json!({"functionCall": {"name": tool, "args": arguments}})
        }
    }
}

fn finish(script: &Script) -> &'static str {
    if script.limited { "MAX_TOKENS" } else { "STOP" }
}

fn chunk(model: &str, parts: &Value, finish: Option<&str>, usage: &Value) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({
        "candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "lab",
    })
}

fn script(json: &Value, headers: &HeaderMap, model: &str) -> Script {
    let contents = json["contents"].as_array();
    let last = contents.and_then(|contents| contents.iter().rfind(|content| content["role"] != "model"));
    let prompt: String = last
        .and_then(|content| content["parts"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|part| part["text"].as_str())
        .collect();
    let tool = json["tools"][0]["functionDeclarations"][0]["name"].as_str();
    let limit = json["generationConfig"]["maxOutputTokens"].as_u64();
    Script::of(model, &prompt, tool, limit, headers)
}

fn scripted_error(status: u16) -> Value {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    error(status, name, "Scripted error")
}
