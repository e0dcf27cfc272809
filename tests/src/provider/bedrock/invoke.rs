//! `InvokeModel` and `InvokeModelWithResponseStream`: the shapes of the models themselves.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::super::log::Served;
use super::super::reply::{Body, Event, Unframed, whole as answer};
use super::super::script::Script;
use super::super::{anthropic, count};
use super::{Asked, converse, framed, padding};

/// Models of one shape.
#[derive(Clone, Copy)]
pub(super) enum Family {
    Anthropic,
    Nova,
    Titan,
    TitanEmbedding,
    Llama,
}

impl Family {
    /// By the model's identifier, that of an inference profile too (`us.anthropic.…`).
    pub(super) fn of(model: &str) -> Option<Self> {
        let families = [
            ("anthropic.", Self::Anthropic),
            ("amazon.nova", Self::Nova),
            ("amazon.titan-text", Self::Titan),
            ("amazon.titan-embed", Self::TitanEmbedding),
            ("meta.llama", Self::Llama),
        ];
        let family = families.into_iter().find(|(part, _)| model.contains(part));
        family.map(|(_, family)| family)
    }

    pub(super) fn asked(self, json: &Value) -> Asked {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (prompt, limit) = match self {
            Self::Anthropic => (anthropic::last_user_text(json), json["max_tokens"].as_u64()),
            Self::Nova => (
                converse::last_user_text(json),
                json["inferenceConfig"]["maxTokens"].as_u64(),
            ),
            Self::Titan => (
                text(&json["inputText"]),
                json["textGenerationConfig"]["maxTokenCount"].as_u64(),
            ),
            Self::TitanEmbedding => (text(&json["inputText"]), None),
            Self::Llama => (text(&json["prompt"]), json["max_gen_len"].as_u64()),
        };
        let tool = match self {
            Self::Anthropic => json["tools"][0]["name"].as_str().map(str::to_owned),
            _ => None,
        };
        Asked { prompt, tool, limit }
    }

    /// The tokens of an exchange, put down as told: input and output.
    fn told(self, json: &Value, script: &Script, served: &Served) -> (u64, u64) {
        let string = |value: &Value| count::text("", value.as_str().unwrap_or_default());
        let output = count::text("", &script.text());
        let (input, output) = match self {
            Self::Anthropic => return anthropic::told(json, script, served),
            Self::Nova => return converse::told(json, script, served),
            Self::Titan => (string(&json["inputText"]), output),
            Self::TitanEmbedding => (string(&json["inputText"]), 0),
            Self::Llama => (string(&json["prompt"]), output),
        };
        served.told(input, output);
        (input, output)
    }

    fn whole(self, model: &str, script: &Script, (input, output): (u64, u64)) -> Value {
        match self {
            Self::Anthropic => anthropic::answered(model, script, input, output),
            Self::Nova => json!({
                "output": {"message": {"content": [{"text": script.text()}], "role": "assistant"}},
                "stopReason": converse::stop_reason(script),
                "usage": {
                    "inputTokens": input, "outputTokens": output, "totalTokens": input + output,
                    "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 0,
                },
            }),
            Self::Titan => {
                let reason = if script.limited { "LENGTH" } else { "FINISH" };
                let result =
                    json!({"tokenCount": output, "outputText": script.text(), "completionReason": reason});
                json!({"inputTextTokenCount": input, "results": [result]})
            }
            Self::TitanEmbedding => json!({"embedding": [0.25, -0.5, 0.125], "inputTextTokenCount": input}),
            Self::Llama => json!({
                "generation": script.text(), "prompt_token_count": input, "generation_token_count": output,
                "stop_reason": stop_reason(script),
            }),
        }
    }

    fn events(self, model: &str, script: &Script, (input, output): (u64, u64)) -> Vec<Unframed> {
        let pieces = script.pieces.iter();
        match self {
            Self::Anthropic => anthropic::events(model, script, input, output),
            Self::Nova => {
                let delta = |piece: &String| {
                    let delta = json!({"contentBlockIndex": 0, "delta": {"text": piece}});
                    Unframed::piece(json!({"contentBlockDelta": delta}), piece)
                };
                let stop = converse::stop_reason(script);
                let usage = json!({
                    "inputTokens": input, "outputTokens": output,
                    "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 0,
                });
                std::iter::once(Unframed::of(json!({"messageStart": {"role": "assistant"}})))
                    .chain(pieces.map(delta))
                    .chain(
                        [
                            json!({"contentBlockStop": {"contentBlockIndex": 0}}),
                            json!({"messageStop": {"stopReason": stop}}),
                            json!({"metadata": {"usage": usage, "metrics": {}, "trace": {}}}),
                        ]
                        .map(Unframed::of),
                    )
                    .collect()
            }
            Self::Titan | Self::TitanEmbedding => {
                let chunk = |text: &str, told: Value, reason: Value, input: Value| {
                    json!({
                        "outputText": text, "index": 0, "totalOutputTextTokenCount": told,
                        "completionReason": reason, "inputTextTokenCount": input,
                    })
                };
                let last = chunk("", json!(output), json!("FINISH"), json!(input));
                pieces
                    .map(|piece| {
                        let nothing = Value::Null;
                        let chunk = chunk(piece, nothing.clone(), nothing.clone(), nothing);
                        Unframed::piece(chunk, piece)
                    })
                    .chain([Unframed::of(last)])
                    .collect()
            }
            Self::Llama => {
                // The prompt's count is in the first chunk alone, the answer's grows.
                let chunk = |index: usize, text: &str, told: u64, stop: Value| {
                    let prompt = if index == 0 { json!(input) } else { Value::Null };
                    json!({
                        "generation": text, "prompt_token_count": prompt, "generation_token_count": told,
                        "stop_reason": stop,
                    })
                };
                let last = chunk(script.pieces.len(), "", output, json!(stop_reason(script)));
                let mut so_far = String::new();
                pieces
                    .enumerate()
                    .map(|(index, piece)| {
                        so_far.push_str(piece);
                        let told = count::text("", &so_far);
                        Unframed::piece(chunk(index, piece, told, Value::Null), piece)
                    })
                    .chain([Unframed::of(last)])
                    .collect()
            }
        }
    }
}

fn stop_reason(script: &Script) -> &'static str {
    if script.limited { "length" } else { "stop" }
}

/// A whole answer. The counts are in headers too.
pub(super) async fn whole(json: &Value, script: &Script, served: &Served) -> Result<Response<Body>> {
    let family = Family::of(&served.model).context("no model")?;
    let (input, output) = family.told(json, script, served);
    served.sent(&script.text());
    tokio::time::sleep(script.delay).await;
    let body = family.whole(&served.model, script, (input, output));
    let mut response = answer(200, &body, Some(script), Some(served))?;
    for (name, tokens) in [
        ("x-amzn-bedrock-input-token-count", input),
        ("x-amzn-bedrock-output-token-count", output),
    ] {
        response.headers_mut().insert(name, HeaderValue::from(tokens));
    }
    Ok(response)
}

/// A streamed answer: each event in base64, the last with the service's own counts.
pub(super) fn events(json: &Value, script: &Script, served: &Served) -> Result<Vec<Event>> {
    let family = Family::of(&served.model).context("no model")?;
    let (input, output) = family.told(json, script, served);
    let mut events = family.events(&served.model, script, (input, output));
    if let Some(last) = events.last_mut() {
        last.data["amazon-bedrock-invocationMetrics"] = json!({
            "inputTokenCount": input, "outputTokenCount": output,
            "invocationLatency": 7, "firstByteLatency": 3,
        });
    }
    let framed = events.into_iter().enumerate().map(|(index, mut event)| {
        let bytes = STANDARD.encode(event.data.to_string());
        event.data = json!({"bytes": bytes, "p": padding(index)});
        framed("chunk", event)
    });
    framed.collect()
}
