//! The HTTP side shared by the stand-in providers: read a request, send a whole answer or paced events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;

use super::Arrival;
use super::encoding::Encoder;
use super::log::{Ended, Request, Served};
use super::script::Script;

/// Body of every answer. The error aborts the connection: how a script breaks off.
pub(super) type Body = BoxBody<Bytes, BrokenOff>;

/// The answer is broken off on purpose.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("broken off by the script")
    }
}

impl std::error::Error for BrokenOff {}

/// Reads a whole request; a body that is not JSON reads as null.
pub(super) async fn read(request: http::Request<Incoming>, arrival: Arrival) -> Result<(Request, HeaderMap)> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.context("reading the request")?.to_bytes();
    let (target, headers) = line_and_headers(&head);
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let query = head.uri.query().unwrap_or_default().to_owned();
    Ok((
        Request {
            arrival,
            target,
            query,
            headers,
            body,
            json,
        },
        head.headers,
    ))
}

/// Method and path of a request, and its header lines in order of arrival, names lower-case.
pub(super) fn line_and_headers(head: &http::request::Parts) -> (String, Vec<(String, String)>) {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    let target = format!("{} {}", head.method, head.uri.path());
    (target, head.headers.iter().map(line).collect())
}

/// A whole answer.
pub(super) fn whole(
    status: u16,
    json: &Value,
    script: Option<&Script>,
    served: Option<&Served>,
) -> Result<Response<Body>> {
    let mut encoder = Encoder::new(script.and_then(|script| script.encoding))?;
    let mut body = encoder.push(json.to_string().as_bytes())?;
    body.extend(encoder.finish()?);
    if let Some(served) = served {
        served.end(if status < 400 {
            Ended::Whole
        } else {
            Ended::Refused
        });
    }
    let body = Full::new(Bytes::from(body))
        .map_err(|never: Infallible| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status)?;
    headers(response.headers_mut(), "application/json", script);
    Ok(response)
}

/// One event of a stream and the text it carries, for the log.
#[derive(Debug)]
pub(super) struct Event {
    /// The event as sent, its framing included.
    pub(super) wire: Bytes,
    /// The answer's text in it.
    pub(super) text: String,
    /// Whether to pause before it.
    pub(super) paced: bool,
}

/// An event before it is framed.
#[derive(Debug)]
pub(super) struct Unframed {
    /// The document it carries.
    pub(super) data: Value,
    text: String,
    paced: bool,
}

impl Unframed {
    /// One that carries none of the answer's text.
    pub(super) fn of(data: Value) -> Self {
        Self {
            data,
            text: String::new(),
            paced: false,
        }
    }

    /// One that carries a piece of the answer.
    pub(super) fn piece(data: Value, text: &str) -> Self {
        Self {
            data,
            text: text.to_owned(),
            paced: true,
        }
    }

    /// As it is sent.
    pub(super) fn framed(self, wire: impl Into<Bytes>) -> Event {
        Event {
            wire: wire.into(),
            text: self.text,
            paced: self.paced,
        }
    }
}

/// A stream of server-sent events, one after the other, paced as the script says. `error` is the provider's error event.
pub(super) fn streamed(
    events: Vec<Event>,
    error: String,
    script: Script,
    served: Arc<Served>,
) -> Response<Body> {
    streamed_as(
        "text/event-stream; charset=utf-8",
        events,
        Bytes::from(error),
        script,
        served,
    )
}

/// As [`streamed`], in another framing.
pub(super) fn streamed_as(
    content_type: &'static str,
    events: Vec<Event>,
    error: Bytes,
    script: Script,
    served: Arc<Served>,
) -> Response<Body> {
    let (sender, channel) = Channel::new(1);
    let mut response = Response::new(BodyExt::boxed(channel));
    headers(response.headers_mut(), content_type, Some(&script));
    tokio::spawn(async move {
        let ended = send(sender, events, &error, &script, &served).await;
        served.end(ended.unwrap_or(Ended::ClientGone));
    });
    response
}

async fn send(
    mut sender: Sender<Bytes, BrokenOff>,
    events: Vec<Event>,
    error: &[u8],
    script: &Script,
    served: &Served,
) -> Result<Ended> {
    let mut encoder = Encoder::new(script.encoding)?;
    let mut pieces = 0;
    for event in events {
        if event.paced {
            if script.break_after == Some(pieces) {
                // Let what was sent reach the other side before the connection goes.
                tokio::time::sleep(Duration::from_millis(50)).await;
                sender.abort(BrokenOff);
                return Ok(Ended::BrokenOff);
            }
            if script.error_after == Some(pieces) {
                sender.send_data(Bytes::from(encoder.push(error)?)).await?;
                return Ok(Ended::BrokenOff);
            }
            pieces += 1;
            if !script.delay.is_zero() {
                tokio::time::sleep(script.delay).await;
            }
            served.sending();
        }
        let wire = Bytes::from(encoder.push(&event.wire)?);
        if let Err(gone) = sender.send_data(wire).await {
            served.lost(&event.text);
            return Err(gone.into());
        }
        served.sent(&event.text);
    }
    let rest = encoder.finish()?;
    if !rest.is_empty() {
        sender.send_data(Bytes::from(rest)).await?;
    }
    if script.trailers {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-lab-checksum", HeaderValue::from_static("0a1b2c3d"));
        sender.send_trailers(trailers).await?;
    }
    Ok(Ended::Whole)
}

fn headers(headers: &mut HeaderMap, content_type: &'static str, script: Option<&Script>) {
    headers.insert("content-type", HeaderValue::from_static(content_type));
    // Providers behind a CDN offer HTTP/3; a client that takes it up leaves the inspected path.
    headers.insert("alt-svc", HeaderValue::from_static("h3=\":443\"; ma=86400"));
    headers.insert("x-request-id", HeaderValue::from_static("req_lab"));
    if let Some(encoding) = script.and_then(|script| script.encoding) {
        headers.insert("content-encoding", HeaderValue::from_static(encoding.name()));
    }
    if script.is_some_and(|script| script.trailers) {
        headers.insert("trailer", HeaderValue::from_static("x-lab-checksum"));
    }
}
