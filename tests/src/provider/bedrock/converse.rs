//! `Converse` and `ConverseStream`: one shape for every model.

use anyhow::Result;
use serde_json::{Value, json};

use super::super::count;
use super::super::log::Served;
use super::super::reply::{Event, Unframed};
use super::super::script::Script;
use super::{Asked, framed, padding};

pub(super) fn asked(json: &Value) -> Asked {
    let tool = &json["toolConfig"]["tools"][0]["toolSpec"]["name"];
    Asked {
        prompt: last_user_text(json),
        tool: tool.as_str().map(str::to_owned),
        limit: json["inferenceConfig"]["maxTokens"].as_u64(),
    }
}

/// The text of the last message by a user: its blocks' together.
pub(super) fn last_user_text(json: &Value) -> String {
    let messages = json["messages"].as_array();
    let last = messages.and_then(|messages| messages.iter().rfind(|message| message["role"] == "user"));
    last.and_then(|message| message["content"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|block| block["text"].as_str())
        .collect()
}

/// The tokens of an exchange, put down as told: input and output.
pub(super) fn told(json: &Value, script: &Script, served: &Served) -> (u64, u64) {
    let tools = match &json["toolConfig"] {
        Value::Null => 0,
        tools => count::text("", &tools.to_string()),
    };
    let input = tools + count::members(&json["messages"], "text") + count::members(&json["system"], "text");
    let name = script.tool.as_deref().unwrap_or_default();
    let output = count::text("", name) + count::text("", &script.text());
    served.told(input, output);
    (input, output)
}

pub(super) fn stop_reason(script: &Script) -> &'static str {
    match (&script.tool, script.limited) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn usage((input, output): (u64, u64)) -> Value {
    json!({
        "inputTokens": input, "outputTokens": output, "totalTokens": input + output,
        "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0,
    })
}

pub(super) fn whole(json: &Value, script: &Script, served: &Served) -> Value {
    let block = match &script.tool {
        None => json!({"text": script.text()}),
        Some(tool) => {
            let input: Value = serde_json::from_str(&script.text()).unwrap_or_default();
            json!({"toolUse": {"toolUseId": "tooluse_lab", "name": tool, "input": input}})
        }
    };
    json!({
        "metrics": {"latencyMs": 7},
        "output": {"message": {"content": [block], "role": "assistant"}},
        "stopReason": stop_reason(script),
        "usage": usage(told(json, script, served)),
    })
}

pub(super) fn events(json: &Value, script: &Script, served: &Served) -> Result<Vec<Event>> {
    let mut events = vec![framed(
        "messageStart",
        Unframed::of(json!({"p": padding(1), "role": "assistant"})),
    )?];
    if let Some(tool) = &script.tool {
        let start = json!({"toolUse": {"toolUseId": "tooluse_lab", "name": tool}});
        let start = json!({"contentBlockIndex": 0, "p": padding(2), "start": start});
        events.push(framed("contentBlockStart", Unframed::of(start))?);
    }
    for (index, piece) in script.pieces.iter().enumerate() {
        let delta = match &script.tool {
            None => json!({"text": piece}),
            Some(_) => json!({"toolUse": {"input": piece}}),
        };
        let delta = json!({"contentBlockIndex": 0, "delta": delta, "p": padding(index)});
        events.push(framed("contentBlockDelta", Unframed::piece(delta, piece))?);
    }
    let stop = json!({"contentBlockIndex": 0, "p": padding(3)});
    events.push(framed("contentBlockStop", Unframed::of(stop))?);
    let stop = json!({"p": padding(4), "stopReason": stop_reason(script)});
    events.push(framed("messageStop", Unframed::of(stop))?);
    let usage = usage(told(json, script, served));
    let metadata = json!({"metrics": {"latencyMs": 7}, "p": padding(5), "usage": usage});
    events.push(framed("metadata", Unframed::of(metadata))?);
    Ok(events)
}
