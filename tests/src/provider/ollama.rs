//! The Ollama stand-in. Shapes from ollama-python's typed models (`_types.py`: `ChatResponse`, `GenerateResponse`,
//! `EmbedResponse`); a stream is one JSON document a line.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::{Log, Served};
use super::reply::{Body, Unframed, read, streamed_as, whole};
use super::script::Script;
use super::{Arrival, anthropic, count};

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    let (json, target) = (request.json.clone(), request.target.clone());
    let model = json["model"].as_str().unwrap_or_default().to_owned();
    let generates = matches!(target.as_str(), "POST /api/chat" | "POST /api/generate");
    // Whoever does not say gets a stream.
    let stream = generates && json["stream"].as_bool().unwrap_or(true);
    let served = log.begin_as(request, model, stream);
    if !json.is_object() {
        let error = json!({"error": "invalid character in request"});
        return whole(400, &error, None, Some(&served));
    }
    match target.as_str() {
        "POST /api/chat" | "POST /api/generate" => generate(&json, &headers, served).await,
        "POST /api/embed" => {
            let texts = match &json["input"] {
                Value::Array(texts) => texts.clone(),
                text => vec![text.clone()],
            };
            let tokens = texts
                .iter()
                .filter_map(Value::as_str)
                .map(|text| count::text("", text))
                .sum();
            served.told(tokens, 0);
            let answer = json!({
                "model": served.model, "embeddings": vec![[0.25, -0.5, 0.125]; texts.len()],
                "total_duration": 14_143_917, "load_duration": 1_019_500, "prompt_eval_count": tokens,
            });
            whole(200, &answer, None, Some(&served))
        }
        _ => whole(404, &json!({"error": "not found"}), None, Some(&served)),
    }
}

async fn generate(json: &Value, headers: &HeaderMap, served: Arc<Served>) -> Result<Response<Body>> {
    let chat = json["messages"].is_array();
    let prompt = if chat {
        anthropic::last_user_text(json)
    } else {
        json["prompt"].as_str().unwrap_or_default().to_owned()
    };
    let tool = json["tools"][0]["function"]["name"].as_str();
    let limit = json["options"]["num_predict"].as_u64();
    let script = Script::of("", &prompt, tool, limit, headers);
    if let Some(status) = script.status {
        return whole(
            status,
            &json!({"error": "Scripted error"}),
            Some(&script),
            Some(&served),
        );
    }
    let tools = match &json["tools"] {
        Value::Null => 0,
        tools => count::text("", &tools.to_string()),
    };
    let input = tools
        + count::members(&json["messages"], "content")
        + count::members(json, "prompt")
        + count::members(json, "system");
    let name = script.tool.as_deref().unwrap_or_default();
    let output = count::text("", name) + count::text("", &script.text());
    served.told(input, output);
    let mut last = line(&served.model, chat, &script, "");
    if let Value::Object(last) = &mut last {
        let counts = json!({
            "done": true, "done_reason": if script.limited { "length" } else { "stop" },
            "total_duration": 5_191_566_416_u64, "load_duration": 2_154_458_u64,
            "prompt_eval_count": input, "prompt_eval_duration": 383_809_000_u64,
            "eval_count": output, "eval_duration": 4_799_921_000_u64,
        });
        last.extend(counts.as_object().cloned().unwrap_or_default());
    }
    if !served.stream {
        let said = line(&served.model, chat, &script, &script.text());
        for member in ["message", "response"] {
            if !said[member].is_null() {
                last[member] = said[member].clone();
            }
        }
        served.sent(&script.text());
        tokio::time::sleep(script.delay).await;
        return whole(200, &last, Some(&script), Some(&served));
    }
    let mut lines: Vec<Unframed> = if script.tool.is_some() {
        // A call is never split: its arguments are an object, not a text.
        let text = script.text();
        vec![Unframed::piece(line(&served.model, chat, &script, &text), &text)]
    } else {
        let pieces = script.pieces.iter();
        pieces
            .map(|piece| Unframed::piece(line(&served.model, chat, &script, piece), piece))
            .collect()
    };
    lines.push(Unframed::of(last));
    let events = lines.into_iter().map(|line| {
        let wire = format!("{}\n", line.data);
        line.framed(wire)
    });
    let broken = Bytes::from_static(b"{\"error\":\"the model runner has stopped\"}\n");
    let events = events.collect();
    Ok(streamed_as(
        "application/x-ndjson",
        events,
        broken,
        script,
        served,
    ))
}

/// A line of `/api/chat` or `/api/generate` that carries `text`.
fn line(model: &str, chat: bool, script: &Script, text: &str) -> Value {
    let mut line = json!({"model": model, "created_at": "2026-01-01T00:00:00.000000Z", "done": false});
    if !chat {
        line["response"] = json!(text);
        return line;
    }
    line["message"] = match &script.tool {
        Some(tool) if !text.is_empty() => {
            let arguments: Value = serde_json::from_str(text).unwrap_or_default();
            json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": tool, "arguments": arguments}}]})
        }
        _ => json!({"role": "assistant", "content": text}),
    };
    line
}
