//! `chat/completions`. Shapes from openai-python's typed models: `types/chat/chat_completion.py`,
//! `chat_completion_chunk.py`, `completion_usage.py`.

use anyhow::Result;
use http::Response;
use serde_json::{Value, json};

use super::{Asked, CREATED, broken};
use crate::lab::address::MISTRAL;
use crate::provider::count;
use crate::provider::log::Served;
use crate::provider::reply::{Body, Event, streamed, whole};
use crate::provider::script::Script;

/// Answers.
pub(super) async fn answer(asked: Asked) -> Result<Response<Body>> {
    let script = script(&asked.json, &asked.headers);
    if let Some(refusal) = asked.refused(&script) {
        return refusal;
    }
    let Asked { json, served, .. } = asked;
    let input = count::openai_prompt(&json);
    let choices = json["n"].as_u64().unwrap_or(1);
    let output = script.tokens(&served.model) * choices;
    served.told(input, output);
    if served.stream {
        let include_usage = json["stream_options"]["include_usage"]
            .as_bool()
            .unwrap_or_default();
        let told = if served.arrival.host == MISTRAL.name {
            Told::WithTheFinish(usage(input, output))
        } else if include_usage {
            Told::Apart(usage(input, output))
        } else {
            Told::Never
        };
        let events = events(&served, &script, choices, told);
        return Ok(streamed(events, broken(), script, served));
    }
    let body = completion(&served, &script, choices, usage(input, output));
    served.sent(&script.text().repeat(usize::try_from(choices).unwrap_or(1)));
    script.pause().await;
    whole(200, &body, Some(&script), Some(&served))
}

fn script(json: &Value, headers: &http::HeaderMap) -> Script {
    let last = json["messages"]
        .as_array()
        .and_then(|messages| messages.iter().rfind(|message| message["role"] == "user"));
    let prompt = last.map(|message| match &message["content"] {
        Value::String(text) => text.clone(),
        parts => parts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .collect(),
    });
    // A tool's result ends the turn: answer in words.
    let answered = json["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .is_some_and(|last| last["role"] == "tool");
    let tool = json["tools"][0]["function"]["name"]
        .as_str()
        .filter(|_| !answered);
    let limit = json["max_completion_tokens"]
        .as_u64()
        .or_else(|| json["max_tokens"].as_u64());
    let model = json["model"].as_str().unwrap_or_default();
    Script::of(model, prompt.as_deref().unwrap_or_default(), tool, limit, headers)
}

/// `completion_usage.py`.
pub(super) fn usage(input: u64, output: u64) -> Value {
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

fn finish_reason(script: &Script) -> &'static str {
    match (&script.tool, script.limited) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

fn completion(served: &Served, script: &Script, choices: u64, usage: Value) -> Value {
    let message = match &script.tool {
        None => json!({"role": "assistant", "content": script.text(), "refusal": null, "annotations": []}),
        Some(tool) => json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
            {"id": "call_lab", "type": "function", "function": {"name": tool, "arguments": script.text()}},
        ]}),
    };
    let choices: Vec<Value> = (0..choices)
        .map(|index| json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish_reason(script)}))
        .collect();
    json!({
        "id": "chatcmpl-lab", "object": "chat.completion", "created": CREATED, "model": served.model,
        "choices": choices, "usage": usage, "service_tier": "default", "system_fingerprint": "fp_lab",
    })
}

/// Where in a stream the usage is told.
enum Told {
    /// Nowhere: it was not asked for.
    Never,
    /// In a chunk without choices at the end, and as null in all others.
    Apart(Value),
    /// In the last chunk that has a choice, as Mistral does without being asked.
    WithTheFinish(Value),
}

/// The events of a stream: role first, the pieces of every choice in turn, the finish reasons, the usage.
fn events(served: &Served, script: &Script, choices: u64, told: Told) -> Vec<Event> {
    let with_usage = matches!(told, Told::Apart(_));
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": "chatcmpl-lab", "object": "chat.completion.chunk", "created": CREATED, "model": served.model,
            "service_tier": "default", "system_fingerprint": "fp_lab", "choices": choices,
        });
        if with_usage || !usage.is_null() {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let choice = |index: u64, delta: Value, finish: Value| {
        let usage = match &told {
            Told::WithTheFinish(usage) if !finish.is_null() && index + 1 == choices => usage.clone(),
            _ => Value::Null,
        };
        chunk(
            json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]),
            usage,
        )
    };
    let plain = |wire: String| Event {
        wire: wire.into(),
        text: String::new(),
        paced: false,
    };
    let mut events = Vec::new();
    for index in 0..choices {
        let first = match &script.tool {
            None => json!({"role": "assistant", "content": "", "refusal": null}),
            Some(tool) => json!({"role": "assistant", "content": null, "tool_calls": [
                {"index": 0, "id": "call_lab", "type": "function", "function": {"name": tool, "arguments": ""}},
            ]}),
        };
        events.push(plain(choice(index, first, Value::Null)));
    }
    for piece in &script.pieces {
        for index in 0..choices {
            let delta = match &script.tool {
                None => json!({"content": piece}),
                Some(_) => json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
            };
            events.push(Event {
                wire: choice(index, delta, Value::Null).into(),
                text: piece.clone(),
                paced: true,
            });
        }
    }
    for index in 0..choices {
        events.push(plain(choice(index, json!({}), json!(finish_reason(script)))));
    }
    if let Told::Apart(usage) = &told {
        events.push(plain(chunk(json!([]), usage.clone())));
    }
    events.push(plain("data: [DONE]\n\n".to_owned()));
    events
}
