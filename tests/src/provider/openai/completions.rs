//! `completions`. Shapes from openai-python's typed models: `types/completion.py`, `completion_choice.py`.

use anyhow::Result;
use http::Response;
use serde_json::{Value, json};

use super::{Asked, CREATED, broken, chat, texts, tokens};
use crate::provider::reply::{Body, Event, Unframed, streamed, whole};
use crate::provider::script::Script;

/// Answers.
pub(super) async fn answer(asked: Asked) -> Result<Response<Body>> {
    let Value::Object(body) = &asked.json else {
        anyhow::bail!("not an object")
    };
    let prompt = body.get("prompt").cloned().unwrap_or_default();
    let limit = asked.json["max_tokens"].as_u64();
    let model = asked.served.model.clone();
    let script = Script::of(&model, &texts(&prompt).concat(), None, limit, &asked.headers);
    if let Some(refusal) = asked.refused(&script) {
        return refusal;
    }
    let (input, output) = (tokens(&model, &prompt), script.tokens(&model));
    asked.served.told(input, output);
    let finish = if script.limited { "length" } else { "stop" };
    let choice = |text: &str, finish: Option<&str>| json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}]);
    let completion = |choices: Value| json!({"id": "cmpl-lab", "object": "text_completion", "created": CREATED, "model": model, "choices": choices});
    let usage = chat::usage(input, output);
    if asked.served.stream {
        let include_usage = asked.json["stream_options"]["include_usage"] == true;
        let mut events: Vec<Event> = Vec::new();
        for piece in &script.pieces {
            events.push(sse(Unframed::piece(completion(choice(piece, None)), piece)));
        }
        events.push(sse(Unframed::of(completion(choice("", Some(finish))))));
        if include_usage {
            let mut last = completion(json!([]));
            last["usage"] = usage;
            events.push(sse(Unframed::of(last)));
        }
        events.push(Unframed::of(Value::Null).framed("data: [DONE]\n\n"));
        return Ok(streamed(events, broken(), script, asked.served));
    }
    let mut answer = completion(choice(&script.text(), Some(finish)));
    answer["usage"] = usage;
    asked.served.sent(&script.text());
    script.pause().await;
    whole(200, &answer, Some(&script), Some(&asked.served))
}

fn sse(event: Unframed) -> Event {
    let wire = format!("data: {}\n\n", event.data);
    event.framed(wire)
}
