//! The Anthropic stand-in. Shapes from anthropic-python's typed models: `types/message.py`, `raw_message_*_event.py`,
//! `usage.py`; errors from the API reference, "Errors".

use std::sync::Arc;

use anyhow::Result;
use http::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::{Log, Served};
use super::reply::{Body, Unframed, read, streamed, whole};
use super::script::Script;
use super::{Arrival, count};

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    match request.target.as_str() {
        "POST /v1/messages" => {}
        "POST /v1/messages/count_tokens" if request.json.is_object() => {
            let told = json!({"input_tokens": count::anthropic_prompt(&request.json)});
            let served = log.begin(request);
            return whole(200, &told, None, Some(&served));
        }
        "GET /v1/models" => {
            log.begin(request);
            let model = json!({"type": "model", "id": "claude-sonnet-5-5", "display_name": "Claude Sonnet 5.5",
                "created_at": "2025-09-29T00:00:00Z"});
            let list = json!({"data": [model], "has_more": false, "first_id": "claude-sonnet-5-5", "last_id": "claude-sonnet-5-5"});
            return whole(200, &list, None, None);
        }
        _ => {
            log.begin(request);
            return whole(404, &error("not_found_error", "Not Found"), None, None);
        }
    }
    if !request.json.is_object() {
        log.begin(request);
        return whole(
            400,
            &error("invalid_request_error", "The request body is not valid JSON"),
            None,
            None,
        );
    }
    let (json, served) = (request.json.clone(), log.begin(request));
    messages(&json, &headers, served).await
}

/// Answers `…/messages`, at whichever provider the model is.
pub(super) async fn messages(
    json: &Value,
    headers: &http::HeaderMap,
    served: Arc<Served>,
) -> Result<Response<Body>> {
    let script = script(json, headers);
    if let Some(status) = script.status {
        let body = error(
            if status == 529 {
                "overloaded_error"
            } else {
                "api_error"
            },
            "Scripted error",
        );
        return whole(status, &body, Some(&script), Some(&served));
    }
    let (input, output) = told(json, &script, &served);
    if served.stream {
        let events = events(&served.model, &script, input, output)
            .into_iter()
            .map(|unframed| {
                let name = unframed.data["type"].as_str().unwrap_or_default();
                let wire = format!("event: {name}\ndata: {}\n\n", unframed.data);
                unframed.framed(wire)
            })
            .collect();
        let broken = format!(
            "event: error\ndata: {}\n\n",
            error("overloaded_error", "Overloaded")
        );
        return Ok(streamed(events, broken, script, served));
    }
    served.sent(&script.text());
    if !script.delay.is_zero() {
        tokio::time::sleep(script.delay).await;
    }
    whole(
        200,
        &answered(&served.model, &script, input, output),
        Some(&script),
        Some(&served),
    )
}

/// The tokens of an exchange, put down as told: input and output.
pub(super) fn told(json: &Value, script: &Script, served: &Served) -> (u64, u64) {
    let name = script.tool.as_deref().unwrap_or_default();
    let input = count::anthropic_prompt(json);
    let output = count::text("", name) + count::text("", &script.text());
    served.told(input, output);
    (input, output)
}

/// The whole message that answers.
pub(super) fn answered(model: &str, script: &Script, input: u64, output: u64) -> Value {
    let content = match &script.tool {
        None => json!({"type": "text", "text": script.text()}),
        Some(tool) => {
            let input: Value = serde_json::from_str(&script.text()).unwrap_or_default();
            json!({"type": "tool_use", "id": "toolu_lab", "name": tool, "input": input})
        }
    };
    let mut message = message(model, usage(input, output));
    message["content"] = json!([content]);
    message["stop_reason"] = json!(stop_reason(script));
    message
}

fn script(json: &Value, headers: &http::HeaderMap) -> Script {
    let tool = json["tools"][0]["name"].as_str();
    let limit = json["max_tokens"].as_u64();
    Script::of("", &last_user_text(json), tool, limit, headers)
}

/// The text of the last message by a user: its blocks' together.
pub(super) fn last_user_text(json: &Value) -> String {
    let last = json["messages"]
        .as_array()
        .and_then(|messages| messages.iter().rfind(|message| message["role"] == "user"));
    let content = last.map_or(&Value::Null, |message| &message["content"]);
    match content {
        Value::String(text) => text.clone(),
        blocks => blocks
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|block| block["text"].as_str())
            .collect(),
    }
}

fn message(model: &str, usage: Value) -> Value {
    json!({
        "id": "msg_lab", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage,
    })
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output, "service_tier": "standard",
    })
}

fn stop_reason(script: &Script) -> &'static str {
    match (&script.tool, script.limited) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

/// The events of a stream.
pub(super) fn events(model: &str, script: &Script, input: u64, output: u64) -> Vec<Unframed> {
    let block = match &script.tool {
        None => json!({"type": "text", "text": ""}),
        Some(tool) => json!({"type": "tool_use", "id": "toolu_lab", "name": tool, "input": {}}),
    };
    let mut events = vec![
        Unframed::of(json!({"type": "message_start", "message": message(model, usage(input, 1))})),
        Unframed::of(json!({"type": "content_block_start", "index": 0, "content_block": block})),
        Unframed::of(json!({"type": "ping"})),
    ];
    for piece in &script.pieces {
        let delta = match &script.tool {
            None => json!({"type": "text_delta", "text": piece}),
            Some(_) => json!({"type": "input_json_delta", "partial_json": piece}),
        };
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": delta});
        events.push(Unframed::piece(delta, piece));
    }
    events.push(Unframed::of(json!({"type": "content_block_stop", "index": 0})));
    events.push(Unframed::of(json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(script), "stop_sequence": null},
        "usage": {"output_tokens": output},
    })));
    events.push(Unframed::of(json!({"type": "message_stop"})));
    events
}

fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_lab"})
}
