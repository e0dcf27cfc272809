//! The Gemini and Vertex stand-ins. Shapes from google-genai's typed models (`types.py`: `GenerateContentResponse`,
//! `GenerateContentResponseUsageMetadata`, `EmbedContentResponse`); errors from the API reference, "Troubleshooting".
//!
//! Vertex serves the same methods below `/publishers/google`, and Anthropic's messages below `/publishers/anthropic`.

mod embed;
mod generate;

use std::sync::Arc;

use anyhow::Result;
use http::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::Log;
use super::reply::{Body, read, whole};
use super::{Arrival, anthropic, count};

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    let target = request.target.clone();
    let method = target.rsplit_once('/').and_then(|(_, last)| last.split_once(':'));
    let Some((model, method)) = method.filter(|_| target.starts_with("POST /")) else {
        log.begin(request);
        return whole(
            404,
            &error(404, "NOT_FOUND", "Requested entity was not found."),
            None,
            None,
        );
    };
    let stream = method.starts_with("stream");
    let (json, as_events) = (request.json.clone(), request.query.contains("alt=sse"));
    let served = log.begin_as(request, model.to_owned(), stream);
    if !json.is_object() {
        let message = "Invalid JSON payload received.";
        return whole(400, &error(400, "INVALID_ARGUMENT", message), None, Some(&served));
    }
    match method {
        "rawPredict" | "streamRawPredict" if target.contains("/publishers/anthropic/") => {
            anthropic::messages(&json, &headers, served).await
        }
        "generateContent" => generate::once(&json, &headers, &served).await,
        "streamGenerateContent" => generate::streamed(&json, &headers, as_events, served),
        "embedContent" | "batchEmbedContents" | "predict" => embed::answer(method, &json, &served),
        "countTokens" => {
            let tokens = prompt_tokens(&json);
            let counted = json!({"totalTokens": tokens, "promptTokensDetails": by_modality(tokens)});
            whole(200, &counted, None, Some(&served))
        }
        _ => whole(
            404,
            &error(404, "NOT_FOUND", "No such method."),
            None,
            Some(&served),
        ),
    }
}

/// Prompt tokens of a request, by the stand-in's own rule.
fn prompt_tokens(json: &Value) -> u64 {
    let tools = match &json["tools"] {
        Value::Null => 0,
        tools => count::text("", &tools.to_string()),
    };
    tools + count::members(&json["contents"], "text") + count::members(&json["systemInstruction"], "text")
}

fn by_modality(tokens: u64) -> Value {
    json!([{"modality": "TEXT", "tokenCount": tokens}])
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}
