//! The OpenAI stand-in, also as Azure has it: a module for each operation. Errors from the API reference, "Error codes".

mod chat;
mod completions;
mod embeddings;
mod moderations;
mod realtime;
mod responses;

use std::sync::Arc;

use anyhow::Result;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::{Log, Served};
use super::reply::{Body, read, whole};
use super::script::Script;
use super::{Arrival, count, websocket};

const CREATED: u64 = 1_760_000_000;

/// A request that one of the operations answers.
struct Asked {
    json: Value,
    headers: HeaderMap,
    served: Arc<Served>,
}

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    if websocket::is_handshake(&request) {
        return match below_root(request.uri().path()) {
            (_, "realtime") => websocket::accept(request, arrival, log, realtime::converse),
            (_, "responses") => websocket::accept(request, arrival, log, responses::converse),
            _ => whole(
                404,
                &error("Unknown request URL.", "invalid_request_error", "unknown_url"),
                None,
                None,
            ),
        };
    }
    let (request, headers) = read(request, arrival).await?;
    let target = request.target.clone();
    let (method, path) = target.split_once(' ').unwrap_or_default();
    let (deployment, operation) = below_root(path);
    if (method, operation) == ("GET", "models") {
        log.begin(request);
        let model = json!({"id": "gpt-4o-mini", "object": "model", "created": CREATED, "owned_by": "lab"});
        return whole(200, &json!({"object": "list", "data": [model]}), None, None);
    }
    let json = request.json.clone();
    let stream = json["stream"].as_bool().unwrap_or_default();
    let model = deployment.or_else(|| json["model"].as_str()).unwrap_or_default();
    let asked = Asked {
        headers,
        served: log.begin_as(request, model.to_owned(), stream),
        json,
    };
    match (method, operation) {
        ("POST", _) if !asked.json.is_object() => {
            let message = "We could not parse the JSON body of your request.";
            refuse(400, message, "invalid_json", &asked.served)
        }
        ("POST", "chat/completions") => chat::answer(asked).await,
        ("POST", "completions") => completions::answer(asked).await,
        ("POST", "responses") => responses::answer(asked).await,
        ("POST", "embeddings") => embeddings::answer(&asked),
        ("POST", "moderations") => moderations::answer(&asked),
        _ => refuse(
            404,
            &format!("Unknown request URL: {target}."),
            "unknown_url",
            &asked.served,
        ),
    }
}

/// What a path asks for below the API's root, and the Azure deployment that it names.
fn below_root(path: &str) -> (Option<&str>, &str) {
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        return rest
            .split_once('/')
            .map_or((None, rest), |(deployment, operation)| {
                (Some(deployment), operation)
            });
    }
    let path = path.strip_prefix("/openai").unwrap_or(path);
    let path = path.strip_prefix("/v1").unwrap_or(path);
    (None, path.trim_start_matches('/'))
}

impl Asked {
    /// The error that the script wants instead of an answer.
    fn refused(&self, script: &Script) -> Option<Result<Response<Body>>> {
        let status = script.status?;
        let message = "The server had an error while processing your request.";
        let body = error(message, "server_error", "lab");
        Some(whole(status, &body, Some(script), Some(&self.served)))
    }
}

/// An answer that says what is wrong with the request.
fn refuse(status: u16, message: &str, code: &str, served: &Served) -> Result<Response<Body>> {
    let body = error(message, "invalid_request_error", code);
    whole(status, &body, None, Some(served))
}

/// The event of a stream that fails.
fn broken() -> String {
    format!(
        "data: {}\n\n",
        error("The server had an error.", "server_error", "lab")
    )
}

/// The texts of an input that is a string or several.
fn texts(input: &Value) -> Vec<&str> {
    match input {
        Value::String(text) => vec![text],
        several => several
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// Tokens of an input that is a string or several.
fn tokens(model: &str, input: &Value) -> count::Tokens {
    texts(input)
        .into_iter()
        .map(|text| count::text(model, text))
        .sum()
}

fn error(message: &str, kind: &str, code: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}
