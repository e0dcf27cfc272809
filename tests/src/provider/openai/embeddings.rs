//! `embeddings`. Shapes from openai-python's typed models: `types/create_embedding_response.py`, `embedding.py`. The SDK asks
//! for base64 unless told otherwise (`resources/embeddings.py`).

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use serde_json::{Value, json};

use super::{Asked, texts, tokens};
use crate::provider::reply::{Body, whole};
use crate::provider::script::Script;

/// Numbers in an embedding: a tenth of what is usual.
const DIMENSIONS: u16 = 154;

/// Answers.
pub(super) fn answer(asked: &Asked) -> Result<Response<Body>> {
    let input = &asked.json["input"];
    let model = &asked.served.model;
    let script = Script::of(model, "", None, None, &asked.headers);
    if let Some(refusal) = asked.refused(&script) {
        return refusal;
    }
    let told = tokens(model, input);
    asked.served.told(told, 0);
    let encoded = asked.json["encoding_format"] == "base64";
    let data: Vec<Value> = texts(input)
        .into_iter()
        .enumerate()
        .map(|(index, text)| {
            let embedding = if encoded {
                let bytes: Vec<u8> = numbers(text).flat_map(f32::to_le_bytes).collect();
                json!(STANDARD.encode(bytes))
            } else {
                json!(numbers(text).collect::<Vec<f32>>())
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let answer = json!({
        "object": "list", "data": data, "model": model, "usage": {"prompt_tokens": told, "total_tokens": told},
    });
    whole(200, &answer, Some(&script), Some(&asked.served))
}

/// Numbers that only this text has.
fn numbers(text: &str) -> impl Iterator<Item = f32> {
    let seed = text.bytes().fold(7_u16, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u16::from(byte))
    });
    (0..DIMENSIONS).map(move |index| f32::from(seed.wrapping_mul(index | 1)) / f32::from(u16::MAX) - 0.5)
}
