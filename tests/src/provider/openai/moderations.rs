//! `moderations`. Shapes from openai-python's typed models: `types/moderation_create_response.py`, `moderation.py`.

use anyhow::Result;
use http::Response;
use serde_json::{Map, Value, json};

use super::{Asked, texts};
use crate::provider::reply::{Body, whole};
use crate::provider::script::Script;

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Answers: nothing is flagged. No tokens are told, for moderation is free.
pub(super) fn answer(asked: &Asked) -> Result<Response<Body>> {
    let script = Script::of("", "", None, None, &asked.headers);
    if let Some(refusal) = asked.refused(&script) {
        return refusal;
    }
    let each = |value: Value| -> Map<String, Value> {
        let pairs = CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone()));
        pairs.collect()
    };
    let result = json!({
        "flagged": false, "categories": each(json!(false)), "category_scores": each(json!(0.0001)),
        "category_applied_input_types": each(json!(["text"])),
    });
    let results = vec![result; texts(&asked.json["input"]).len()];
    let answer = json!({"id": "modr-lab", "model": asked.served.model, "results": results});
    whole(200, &answer, Some(&script), Some(&asked.served))
}
