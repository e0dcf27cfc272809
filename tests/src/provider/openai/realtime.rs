//! `realtime`, text only. Shapes from openai-python's typed models: `types/realtime/`, `realtime_client_event.py`,
//! `realtime_server_event.py` and the models of the events.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use super::error;
use crate::provider::count::{self, Tokens};
use crate::provider::log::Served;
use crate::provider::reply::Unframed;
use crate::provider::script::Script;
use crate::provider::websocket::Conversation;

/// Framing per item of the conversation, by the stand-in's own rule: OpenAI publishes none.
const ITEM: Tokens = 4;

/// What a session has said so far.
struct Session {
    model: String,
    instructions: String,
    /// The conversation's messages.
    items: Vec<Value>,
    /// Events that were sent.
    events: usize,
}

/// Speaks with one client until it leaves.
pub(super) async fn converse(mut conversation: Conversation) -> Result<()> {
    let mut parameters = conversation.query.split('&');
    let model = parameters.find_map(|parameter| parameter.strip_prefix("model="));
    let mut session = Session {
        model: model.unwrap_or_default().to_owned(),
        instructions: String::new(),
        items: Vec::new(),
        events: 0,
    };
    let created = json!({"type": "session.created", "session": session.document()});
    conversation.say(&session.event(created)).await?;
    while let Some(message) = conversation.hear().await? {
        match message["type"].as_str().unwrap_or_default() {
            "session.update" => {
                if let Some(instructions) = message["session"]["instructions"].as_str() {
                    instructions.clone_into(&mut session.instructions);
                }
                let updated = json!({"type": "session.updated", "session": session.document()});
                conversation.say(&session.event(updated)).await?;
            }
            "conversation.item.create" => {
                let mut item = message["item"].clone();
                item["id"] = json!(format!("item_lab_{}", session.items.len()));
                item["status"] = json!("completed");
                for event in session.add(item) {
                    conversation.say(&event).await?;
                }
            }
            "response.create" => {
                let served = conversation.begin(&session.model);
                let script = session.script(&conversation);
                let events = session.answer(&script, &served);
                conversation.answer(events, &script, &served).await?;
            }
            other => {
                let refusal = error(
                    &format!("Invalid value: '{other}'."),
                    "invalid_request_error",
                    "invalid_value",
                );
                let refusal = json!({"type": "error", "error": refusal["error"]});
                conversation.say(&session.event(refusal)).await?;
            }
        }
    }
    Ok(())
}

impl Session {
    /// An event with its identifier.
    fn event(&mut self, mut event: Value) -> Value {
        event["event_id"] = json!(format!("event_lab_{}", self.events));
        self.events += 1;
        event
    }

    fn document(&self) -> Value {
        json!({
            "type": "realtime", "id": "sess_lab", "object": "realtime.session", "model": self.model,
            "output_modalities": ["text"], "instructions": self.instructions, "tools": [], "tool_choice": "auto",
            "max_output_tokens": "inf", "tracing": null, "truncation": "auto", "prompt": null, "include": null,
        })
    }

    /// Adds an item to the conversation, which is told in two events.
    fn add(&mut self, item: Value) -> [Value; 2] {
        let before = self.items.last().map(|item| item["id"].clone());
        let told = ["conversation.item.added", "conversation.item.done"]
            .map(|kind| self.event(json!({"type": kind, "previous_item_id": before, "item": item})));
        self.items.push(item);
        told
    }

    fn script(&self, conversation: &Conversation) -> Script {
        let last = self.items.iter().rfind(|item| item["role"] == "user");
        let prompt: String = last.into_iter().flat_map(texts).collect();
        Script::of(&self.model, &prompt, None, None, &conversation.headers)
    }

    /// The events of an answer, in order. It joins the conversation.
    fn answer(&mut self, script: &Script, served: &Arc<Served>) -> Vec<Unframed> {
        let count = |text: &str| count::text(&self.model, text);
        let said: Tokens = self.items.iter().flat_map(texts).map(count).sum();
        let input = count(&self.instructions) + said + ITEM * self.items.len() as Tokens;
        let output = script.tokens(&self.model);
        served.told(input, output);
        let (text, id) = (script.text(), format!("item_lab_{}", self.items.len()));
        let item = |status: &str, content: Value| {
            json!({
                "id": id, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
                "content": content,
            })
        };
        let (empty, whole) = (
            item("in_progress", json!([])),
            item("completed", json!([{"type": "output_text", "text": text}])),
        );
        let name = format!("resp_lab_{}", self.items.len());
        let response = |status: &str, output: Value, usage: Value| {
            json!({
                "object": "realtime.response", "id": name, "status": status, "status_details": null, "output": output,
                "conversation_id": "conv_lab", "output_modalities": ["text"], "max_output_tokens": "inf",
                "usage": usage, "metadata": null,
            })
        };
        let of_item = |kind: &str, item: &Value| json!({"type": kind, "response_id": name, "output_index": 0, "item": item});
        let of_part = |kind: &str, member: &str, value: Value| {
            let mut event = json!({
                "type": kind, "response_id": name, "item_id": id, "output_index": 0, "content_index": 0,
            });
            event[member] = value;
            event
        };
        let part = |text: &str| json!({"type": "text", "text": text});
        let before = self.items.last().map(|item| item["id"].clone());
        let of_conversation =
            |kind: &str, item: &Value| json!({"type": kind, "previous_item_id": before, "item": item});
        let mut events = vec![
            Unframed::of(
                json!({"type": "response.created", "response": response("in_progress", json!([]), Value::Null)}),
            ),
            Unframed::of(of_item("response.output_item.added", &empty)),
            Unframed::of(of_conversation("conversation.item.added", &empty)),
            Unframed::of(of_part("response.content_part.added", "part", part(""))),
        ];
        events.extend(script.pieces.iter().map(|piece| {
            Unframed::piece(
                of_part("response.output_text.delta", "delta", json!(piece)),
                piece,
            )
        }));
        let usage = json!({
            "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
            "input_token_details": {"text_tokens": input, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}},
            "output_token_details": {"text_tokens": output, "audio_tokens": 0},
        });
        events.extend([
            Unframed::of(of_part("response.output_text.done", "text", json!(text))),
            Unframed::of(of_part("response.content_part.done", "part", part(&text))),
            Unframed::of(of_conversation("conversation.item.done", &whole)),
            Unframed::of(of_item("response.output_item.done", &whole)),
            Unframed::of(
                json!({"type": "response.done", "response": response("completed", json!([whole]), usage)}),
            ),
        ]);
        for event in &mut events {
            event.data = self.event(event.data.take());
        }
        self.items.push(whole);
        events
    }
}

/// The texts of an item.
fn texts(item: &Value) -> impl Iterator<Item = &str> {
    let parts = item["content"].as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str())
}
