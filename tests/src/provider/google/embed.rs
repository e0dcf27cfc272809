//! `embedContent` and `batchEmbedContents` of Gemini, and Vertex's embeddings by `predict`.

use anyhow::Result;
use http::Response;
use serde_json::{Value, json};

use super::super::count;
use super::super::log::Served;
use super::super::reply::{Body, whole};

/// The vector of every text.
const VALUES: [f64; 4] = [0.25, -0.5, 0.125, 1.0];

/// Answers one of them. Vertex tells the tokens of each text, Gemini those of all.
pub(super) fn answer(method: &str, json: &Value, served: &Served) -> Result<Response<Body>> {
    let vector = json!({"values": VALUES});
    let answer = match method {
        "embedContent" => {
            let tokens = count::members(&json["content"], "text");
            served.told(tokens, 0);
            json!({"embedding": vector, "usageMetadata": usage(tokens)})
        }
        "batchEmbedContents" => {
            let tokens = count::members(&json["requests"], "text");
            served.told(tokens, 0);
            let vectors = vec![vector; json["requests"].as_array().map_or(0, Vec::len)];
            json!({"embeddings": vectors, "usageMetadata": usage(tokens)})
        }
        _ => {
            let instances = json["instances"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            served.told(count::members(&json["instances"], "content"), 0);
            let predictions: Vec<Value> = instances
                .iter()
                .map(|instance| {
                    let tokens = count::members(instance, "content");
                    let statistics = json!({"token_count": tokens, "truncated": false});
                    json!({"embeddings": {"values": VALUES, "statistics": statistics}})
                })
                .collect();
            json!({"predictions": predictions, "metadata": {"billableCharacterCount": 0}})
        }
    };
    whole(200, &answer, None, Some(served))
}

fn usage(tokens: u64) -> Value {
    json!({"promptTokenCount": tokens, "promptTokensDetails": super::by_modality(tokens)})
}
