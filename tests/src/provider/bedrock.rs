//! The Bedrock stand-in. Shapes from botocore's service model (`bedrock-runtime/2023-09-30/service-2.json`) and, of each
//! model's own, from the user guide, "Inference request parameters and response fields for foundation models".
//!
//! A request is signed (Signature Version 4, over the body too) or carries a bearer token; a signature that does not fit
//! is refused, so whoever edits a signed body is caught.

mod converse;
mod invoke;
mod signature;

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Arrival;
use super::log::{Log, Served};
use super::reply::{Body, Event, Unframed, read, streamed_as, whole};
use super::script::Script;

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    let signature = signature::check(&request);
    let (json, target) = (request.json.clone(), request.target.clone());
    let Some((model, operation)) = operation(&target) else {
        log.begin(request);
        return refused(404, "UnknownOperationException", "Unknown operation", None, None);
    };
    let served = log.begin_as(request, model.clone(), operation.ends_with("stream"));
    if let Err(why) = signature {
        let message = format!("The request signature we calculated does not match: {why}");
        return refused(403, "InvalidSignatureException", &message, None, Some(&served));
    }
    let Some(asked) = (match operation {
        "converse" | "converse-stream" => Some(converse::asked(&json)),
        _ => invoke::Family::of(&model).map(|family| family.asked(&json)),
    }) else {
        let message = "The provided model identifier is invalid.";
        return refused(400, "ValidationException", message, None, Some(&served));
    };
    let script = Script::of("", &asked.prompt, asked.tool.as_deref(), asked.limit, &headers);
    if let Some(status) = script.status {
        let (name, message) = (error_name(status), "Scripted error");
        return refused(status, name, message, Some(&script), Some(&served));
    }
    match operation {
        "converse" => {
            let answer = converse::whole(&json, &script, &served);
            served.sent(&script.text());
            tokio::time::sleep(script.delay).await;
            whole(200, &answer, Some(&script), Some(&served))
        }
        "converse-stream" => streamed(converse::events(&json, &script, &served)?, script, served),
        "invoke" => invoke::whole(&json, &script, &served).await,
        _ => streamed(invoke::events(&json, &script, &served)?, script, served),
    }
}

/// What decides an answer.
struct Asked {
    prompt: String,
    tool: Option<String>,
    limit: Option<u64>,
}

/// The model, decoded, and the operation of `POST /model/{model}/{operation}`.
fn operation(target: &str) -> Option<(String, &str)> {
    let (model, operation) = target.strip_prefix("POST /model/")?.split_once('/')?;
    let known = [
        "converse",
        "converse-stream",
        "invoke",
        "invoke-with-response-stream",
    ];
    known
        .contains(&operation)
        .then(|| (model.replace("%3A", ":").replace("%2F", "/"), operation))
}

/// An error as every operation's: its name is in a header.
fn refused(
    status: u16,
    name: &'static str,
    message: &str,
    script: Option<&Script>,
    served: Option<&Served>,
) -> Result<Response<Body>> {
    let mut response = whole(status, &json!({"message": message}), script, served)?;
    let name = http::HeaderValue::from_static(name);
    response.headers_mut().insert("x-amzn-errortype", name);
    Ok(response)
}

fn error_name(status: u16) -> &'static str {
    match status {
        400 => "ValidationException",
        403 => "AccessDeniedException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

fn streamed(events: Vec<Event>, script: Script, served: Arc<Served>) -> Result<Response<Body>> {
    let broken = message(
        &[
            (":exception-type", "modelStreamErrorException"),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        &json!({"message": "The model failed in the stream."}),
    )?;
    let content_type = "application/vnd.amazon.eventstream";
    Ok(streamed_as(content_type, events, broken, script, served))
}

/// An event of a stream in its frame.
fn framed(name: &'static str, event: Unframed) -> Result<Event> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    let wire = message(&headers, &event.data)?;
    Ok(event.framed(wire))
}

fn message(headers: &[(&'static str, &'static str)], payload: &Value) -> Result<Bytes> {
    let mut message = Message::new(payload.to_string());
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, HeaderValue::String((*value).into())));
    }
    let mut wire = Vec::new();
    write_message_to(&message, &mut wire).context("framing an event")?;
    Ok(wire.into())
}

/// Filler of a length that changes, as the service pads its events.
fn padding(index: usize) -> &'static str {
    let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    alphabet.get(..index * 7 % alphabet.len()).unwrap_or_default()
}
