//! Conversations over WebSocket: the handshake over either HTTP, the client's messages, and answers of several messages.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::Arrival;
use super::log::{Ended, Log, Request, Served};
use super::reply::{Body, Unframed, line_and_headers};
use super::script::Script;

/// In every ping: its pong must repeat it (RFC 6455, section 5.5.3).
const PING: &[u8] = b"lab";

/// One client's conversation.
pub(super) struct Conversation {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    /// The handshake's.
    pub(super) headers: HeaderMap,
    /// The query of the handshake's path.
    pub(super) query: String,
    arrival: Arrival,
    target: String,
    lines: Vec<(String, String)>,
    log: Arc<Log>,
    /// What the client said since the last answer.
    heard: Vec<u8>,
}

/// Whether a request is a WebSocket's handshake: an upgrade (RFC 6455), or over HTTP/2 an extended CONNECT (RFC 8441).
pub(super) fn is_handshake(request: &http::Request<Incoming>) -> bool {
    let upgrade = request.headers().get("upgrade").map(HeaderValue::as_bytes);
    upgrade.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket")) || is_connect(request)
}

fn is_connect(request: &http::Request<Incoming>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Agrees to a handshake, and has `converse` speak.
pub(super) fn accept<F>(
    mut request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
    converse: impl FnOnce(Conversation) -> F + Send + 'static,
) -> Result<Response<Body>>
where
    F: Future<Output = Result<()>> + Send,
{
    let mut response = Response::new(
        Empty::new()
            .map_err(|never: std::convert::Infallible| match never {})
            .boxed(),
    );
    if !is_connect(&request) {
        let key = request.headers().get("sec-websocket-key").context("no key")?;
        let accepted = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))?;
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("sec-websocket-accept", accepted);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    tokio::spawn(async move {
        let socket = TokioIo::new(upgraded.await?);
        let (target, lines) = line_and_headers(&head);
        let conversation = Conversation {
            socket: WebSocketStream::from_raw_socket(socket, Role::Server, None).await,
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            arrival,
            target,
            lines,
            log,
            heard: Vec::new(),
        };
        // A client that goes away in the middle is a client's right; what it said is on record.
        converse(conversation).await
    });
    Ok(response)
}

impl Conversation {
    /// The client's next message; `None` when it has left. Each is in the log by itself.
    pub(super) async fn hear(&mut self) -> Result<Option<Value>> {
        while let Some(message) = self.socket.next().await {
            match message? {
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    let data = message.into_data();
                    self.heard.extend_from_slice(&data);
                    let json: Value = serde_json::from_slice(&data)?;
                    self.log.begin(self.request(data, json.clone()));
                    return Ok(Some(json));
                }
                Message::Close(_) => return Ok(None),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(None)
    }

    /// Starts the record of an answer: its request is all that was said since the last one.
    pub(super) fn begin(&mut self, model: &str) -> Arc<Served> {
        let said = Bytes::from(std::mem::take(&mut self.heard));
        let request = self.request(said, Value::Null);
        self.log.begin_as(request, model.to_owned(), true)
    }

    fn request(&self, body: Bytes, json: Value) -> Request {
        Request {
            arrival: self.arrival.clone(),
            target: self.target.clone(),
            query: self.query.clone(),
            headers: self.lines.clone(),
            body,
            json,
        }
    }

    /// Sends one message.
    pub(super) async fn say(&mut self, event: &Value) -> Result<()> {
        self.socket.send(Message::text(event.to_string())).await?;
        Ok(())
    }

    /// Sends an answer, paced as the script says. The message in the middle comes in two fragments with a ping between
    /// them, and nothing follows before its pong.
    pub(super) async fn answer(
        &mut self,
        events: Vec<Unframed>,
        script: &Script,
        served: &Served,
    ) -> Result<()> {
        let middle = events.len() / 2;
        for (number, event) in events.into_iter().enumerate() {
            let wire = event.data.to_string();
            let event = event.framed(wire);
            if event.paced {
                script.pause().await;
            }
            if number == middle {
                self.say_in_fragments(event.wire).await?;
            } else {
                let text = String::from_utf8(event.wire.into())?;
                self.socket.send(Message::text(text)).await?;
            }
            served.sent(&event.text);
        }
        served.end(Ended::Whole);
        Ok(())
    }

    async fn say_in_fragments(&mut self, mut text: Bytes) -> Result<()> {
        let rest = text.split_off(text.len() / 2);
        let first = Frame::message(text, OpCode::Data(Data::Text), false);
        let last = Frame::message(rest, OpCode::Data(Data::Continue), true);
        self.socket.feed(Message::Frame(first)).await?;
        self.socket.feed(Message::Ping(Bytes::from_static(PING))).await?;
        self.socket.send(Message::Frame(last)).await?;
        loop {
            match self.socket.next().await.context("gone before the pong")?? {
                Message::Pong(payload) if payload == PING => return Ok(()),
                Message::Ping(_) => {}
                other => bail!("expected a pong: {other:?}"),
            }
        }
    }
}
