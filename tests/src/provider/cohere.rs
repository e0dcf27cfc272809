//! The Cohere stand-in, version 2 of the API. Shapes from cohere-python's typed models: `v2/types/v2chat_response.py`,
//! `types/chat_*_event.py`, `types/usage.py`, `types/api_meta.py`.

use std::sync::Arc;

use anyhow::Result;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::{Log, Served};
use super::reply::{Body, Unframed, read, streamed, whole};
use super::script::Script;
use super::{Arrival, anthropic, count};

/// Tokens of the preamble that the model reads and nobody is billed for.
const PREAMBLE: u64 = 60;

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    let (json, target) = (request.json.clone(), request.target.clone());
    let served = log.begin(request);
    if !json.is_object() {
        let message = "invalid request: could not decode JSON";
        return whole(400, &error(message), None, Some(&served));
    }
    match target.as_str() {
        "POST /v2/chat" => chat(&json, &headers, served).await,
        "POST /v2/embed" => {
            let texts = json["texts"].as_array().map(Vec::as_slice).unwrap_or_default();
            let tokens = texts
                .iter()
                .filter_map(Value::as_str)
                .map(|text| count::text("", text))
                .sum();
            served.told(tokens, 0);
            let vectors = vec![[0.25, -0.5, 0.125]; texts.len()];
            let answer = json!({
                "id": "lab", "embeddings": {"float": vectors}, "texts": texts, "response_type": "embeddings_by_type",
                "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}},
            });
            whole(200, &answer, None, Some(&served))
        }
        "POST /v2/rerank" => {
            let documents = json["documents"].as_array().map_or(0, Vec::len);
            let results: Vec<Value> = (0..documents)
                .map(|index| json!({"index": index, "relevance_score": 0.5}))
                .collect();
            let answer = json!({
                "id": "lab", "results": results,
                "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
            });
            whole(200, &answer, None, Some(&served))
        }
        _ => whole(404, &error("invalid request: unknown path"), None, Some(&served)),
    }
}

async fn chat(json: &Value, headers: &HeaderMap, served: Arc<Served>) -> Result<Response<Body>> {
    let tool = json["tools"][0]["function"]["name"].as_str();
    let limit = json["max_tokens"].as_u64();
    let script = Script::of("", &anthropic::last_user_text(json), tool, limit, headers);
    if let Some(status) = script.status {
        return whole(status, &error("Scripted error"), Some(&script), Some(&served));
    }
    let tools = match &json["tools"] {
        Value::Null => 0,
        tools => count::text("", &tools.to_string()),
    };
    let messages = &json["messages"];
    let input = tools + count::members(messages, "text") + count::members(messages, "content");
    let name = script.tool.as_deref().unwrap_or_default();
    let output = count::text("", name) + count::text("", &script.text());
    served.told(input + PREAMBLE, output);
    let usage = json!({
        "billed_units": {"input_tokens": input, "output_tokens": output},
        "tokens": {"input_tokens": input + PREAMBLE, "output_tokens": output},
    });
    if served.stream {
        let events = events(&script, &usage).into_iter().map(|event| {
            let name = event.data["type"].as_str().unwrap_or_default();
            let wire = format!("event: {name}\ndata: {}\n\n", event.data);
            event.framed(wire)
        });
        let mut events: Vec<_> = events.collect();
        events.push(Unframed::of(Value::Null).framed("data: [DONE]\n\n"));
        let broken = json!({"type": "message-end", "id": "lab", "delta": {"finish_reason": "ERROR", "error": "broken"}});
        let broken = format!("event: message-end\ndata: {broken}\n\n");
        return Ok(streamed(events, broken, script, served));
    }
    let message = match &script.tool {
        None => json!({"role": "assistant", "content": [{"type": "text", "text": script.text()}]}),
        Some(tool) => json!({"role": "assistant", "tool_plan": "Look it up.", "tool_calls": [
            {"id": "call_lab", "type": "function", "function": {"name": tool, "arguments": script.text()}},
        ]}),
    };
    let answer = json!({"id": "lab", "message": message, "finish_reason": finish(&script), "usage": usage});
    served.sent(&script.text());
    tokio::time::sleep(script.delay).await;
    whole(200, &answer, Some(&script), Some(&served))
}

fn finish(script: &Script) -> &'static str {
    match (&script.tool, script.limited) {
        (Some(_), _) => "TOOL_CALL",
        (None, true) => "MAX_TOKENS",
        (None, false) => "COMPLETE",
    }
}

fn events(script: &Script, usage: &Value) -> Vec<Unframed> {
    let start =
        json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let mut events = vec![Unframed::of(
        json!({"type": "message-start", "id": "lab", "delta": {"message": start}}),
    )];
    let (kind, opened) = match &script.tool {
        None => ("content", json!({"content": {"type": "text", "text": ""}})),
        Some(tool) => {
            let function = json!({"name": tool, "arguments": ""});
            (
                "tool-call",
                json!({"tool_calls": {"id": "call_lab", "type": "function", "function": function}}),
            )
        }
    };
    let event = |step: &str, message: Value| json!({"type": format!("{kind}-{step}"), "index": 0, "delta": {"message": message}});
    events.push(Unframed::of(event("start", opened)));
    for piece in &script.pieces {
        let delta = match &script.tool {
            None => json!({"content": {"text": piece}}),
            Some(_) => json!({"tool_calls": {"function": {"arguments": piece}}}),
        };
        events.push(Unframed::piece(event("delta", delta), piece));
    }
    events.push(Unframed::of(json!({"type": format!("{kind}-end"), "index": 0})));
    events.push(Unframed::of(json!({
        "type": "message-end", "id": "lab", "delta": {"finish_reason": finish(script), "usage": usage},
    })));
    events
}

fn error(message: &str) -> Value {
    json!({"id": "lab", "message": message})
}
