//! `responses`. Shapes from openai-python's typed models: `types/responses/response.py`, `response_usage.py`,
//! `response_*_event.py`; every event carries its `type` and a `sequence_number`. Over WebSocket, where they are the same:
//! `types/responses/responses_client_event.py`, `responses_server_event.py`.

use anyhow::Result;
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::{Asked, CREATED, error};
use crate::provider::count::{self, Tokens};
use crate::provider::reply::{Body, Event, Unframed, streamed, whole};
use crate::provider::script::Script;
use crate::provider::websocket::Conversation;

/// Framing per input item, by the stand-in's own rule: OpenAI publishes none.
const ITEM: Tokens = 4;

/// Answers.
pub(super) async fn answer(asked: Asked) -> Result<Response<Body>> {
    let script = script(&asked.json, &asked.headers);
    if let Some(refusal) = asked.refused(&script) {
        return refusal;
    }
    let Asked { json, served, .. } = asked;
    let (input, output) = (prompt(&served.model, &json), script.tokens(&served.model));
    served.told(input, output);
    let answer = Answer {
        model: &served.model,
        script: &script,
        usage: usage(input, output),
    };
    if served.stream {
        let events = answer.events();
        let mut failed = answer.response("failed", json!([]));
        failed["error"] = json!({"code": "server_error", "message": "The server had an error."});
        let number = events.len();
        let failed = json!({"type": "response.failed", "sequence_number": number, "response": failed});
        let wire = format!("event: response.failed\ndata: {failed}\n\n");
        let events = events.into_iter().map(sse).collect();
        return Ok(streamed(events, wire, script, served));
    }
    let body = answer.response(answer.status(), json!([answer.item("completed", &script.text())]));
    served.sent(&script.text());
    script.pause().await;
    whole(200, &body, Some(&script), Some(&served))
}

/// Speaks with one client over WebSocket until it leaves. A continued response costs what led to it again.
pub(super) async fn converse(mut conversation: Conversation) -> Result<()> {
    let mut before = 0;
    while let Some(json) = conversation.hear().await? {
        if json["type"] != "response.create" {
            let refusal = error("Unknown event type.", "invalid_request_error", "invalid_value");
            let refusal = json!({"type": "error", "status": 400, "error": refusal["error"]});
            conversation.say(&refusal).await?;
            continue;
        }
        let served = conversation.begin(json["model"].as_str().unwrap_or_default());
        let script = script(&json, &conversation.headers);
        let continued = if json["previous_response_id"].is_null() {
            0
        } else {
            before
        };
        let input = continued + prompt(&served.model, &json);
        let output = script.tokens(&served.model);
        before = input + output;
        served.told(input, output);
        let answer = Answer {
            model: &served.model,
            script: &script,
            usage: usage(input, output),
        };
        conversation.answer(answer.events(), &script, &served).await?;
    }
    Ok(())
}

/// What a request makes of the script.
pub(super) fn script(json: &Value, headers: &HeaderMap) -> Script {
    let last = items(&json["input"])
        .into_iter()
        .rfind(|item| item["role"] == "user");
    let prompt = match &json["input"] {
        Value::String(text) => text.clone(),
        _ => last
            .map(|item| content(&item["content"]).concat())
            .unwrap_or_default(),
    };
    let tool = json["tools"][0]["name"].as_str();
    let model = json["model"].as_str().unwrap_or_default();
    Script::of(model, &prompt, tool, json["max_output_tokens"].as_u64(), headers)
}

/// Tokens of a request, by the stand-in's own rule.
pub(super) fn prompt(model: &str, json: &Value) -> Tokens {
    let count = |text: &str| count::text(model, text);
    let instructions = json["instructions"].as_str().map_or(0, count);
    let tools = json["tools"].as_array().into_iter().flatten();
    let tools: Tokens = tools.map(|tool| count(&tool.to_string())).sum();
    let input = match &json["input"] {
        Value::String(text) => ITEM + count(text),
        input => items(input)
            .into_iter()
            .map(|item| {
                let texts = content(&item["content"])
                    .into_iter()
                    .chain(item["output"].as_str());
                ITEM + texts.map(count).sum::<Tokens>()
            })
            .sum(),
    };
    instructions + tools + input
}

fn items(input: &Value) -> Vec<&Value> {
    input.as_array().into_iter().flatten().collect()
}

/// The texts of an item's content: a string, or parts.
fn content(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        parts => items(parts)
            .into_iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
    }
}

fn usage(input: Tokens, output: Tokens) -> Value {
    json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + output,
    })
}

/// An answer before it is sent.
pub(super) struct Answer<'a> {
    model: &'a str,
    script: &'a Script,
    usage: Value,
}

impl Answer<'_> {
    fn status(&self) -> &'static str {
        if self.script.limited {
            "incomplete"
        } else {
            "completed"
        }
    }

    fn response(&self, status: &str, output: Value) -> Value {
        let ended = status != "in_progress";
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        json!({
            "id": "resp_lab", "object": "response", "created_at": CREATED, "status": status, "background": false,
            "error": null, "incomplete_details": incomplete, "instructions": null, "max_output_tokens": null,
            "model": self.model, "output": output, "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null}, "service_tier": "default", "store": true,
            "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "truncation": "disabled", "usage": if ended { self.usage.clone() } else { Value::Null },
            "user": null, "metadata": {},
        })
    }

    /// The one item of the output, as far as its text has come.
    fn item(&self, status: &str, text: &str) -> Value {
        match &self.script.tool {
            Some(tool) => json!({
                "type": "function_call", "id": "fc_lab", "call_id": "call_lab", "name": tool, "arguments": text,
                "status": status,
            }),
            None => {
                let content = if status == "completed" {
                    json!([part(text)])
                } else {
                    json!([])
                };
                json!({"type": "message", "id": "msg_lab", "role": "assistant", "status": status, "content": content})
            }
        }
    }

    /// The typed events of the answer, in order.
    pub(super) fn events(&self) -> Vec<Unframed> {
        let text = self.script.text();
        let mut events = vec![
            Unframed::of(
                json!({"type": "response.created", "response": self.response("in_progress", json!([]))}),
            ),
            Unframed::of(
                json!({"type": "response.in_progress", "response": self.response("in_progress", json!([]))}),
            ),
            Unframed::of(
                json!({"type": "response.output_item.added", "output_index": 0, "item": self.item("in_progress", "")}),
            ),
        ];
        if self.script.tool.is_some() {
            let place = |kind: &str| json!({"type": kind, "item_id": "fc_lab", "output_index": 0});
            for piece in &self.script.pieces {
                let delta = with(
                    place("response.function_call_arguments.delta"),
                    "delta",
                    json!(piece),
                );
                events.push(Unframed::piece(delta, piece));
            }
            let mut done = with(
                place("response.function_call_arguments.done"),
                "arguments",
                json!(text),
            );
            done["name"] = json!(self.script.tool);
            events.push(Unframed::of(done));
        } else {
            let place = |kind: &str| json!({"type": kind, "item_id": "msg_lab", "output_index": 0, "content_index": 0});
            let added = with(place("response.content_part.added"), "part", part(""));
            events.push(Unframed::of(added));
            for piece in &self.script.pieces {
                let mut delta = with(place("response.output_text.delta"), "delta", json!(piece));
                delta["logprobs"] = json!([]);
                events.push(Unframed::piece(delta, piece));
            }
            let mut done = with(place("response.output_text.done"), "text", json!(text));
            done["logprobs"] = json!([]);
            events.push(Unframed::of(done));
            let done = with(place("response.content_part.done"), "part", part(&text));
            events.push(Unframed::of(done));
        }
        let item = self.item("completed", &text);
        events.push(Unframed::of(
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        ));
        let status = self.status();
        let response = self.response(status, json!([item]));
        events.push(Unframed::of(
            json!({"type": format!("response.{status}"), "response": response}),
        ));
        for (number, event) in events.iter_mut().enumerate() {
            event.data["sequence_number"] = json!(number);
        }
        events
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn with(mut event: Value, name: &str, value: Value) -> Value {
    event[name] = value;
    event
}

fn sse(event: Unframed) -> Event {
    let name = event.data["type"].as_str().unwrap_or_default();
    let wire = format!("event: {name}\ndata: {}\n\n", event.data);
    event.framed(wire)
}
