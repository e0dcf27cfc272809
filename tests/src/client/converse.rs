//! OpenAI's responses over WebSocket over HTTP/2 (extended CONNECT, RFC 8441), as Codex speaks it and no SDK does. Arguments
//! and reports are those of the clients' programs (`tests/clients/common.py`).

use std::env;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::lab::address::OPENAI;
use crate::screen;

/// How long a server may take to say that it knows extended CONNECT, or to send the next message.
const PATIENCE: Duration = Duration::from_secs(10);

/// The calls to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Converse {
    /// JSON file with the arguments of each call.
    #[arg(long)]
    plan: PathBuf,
    /// The credential.
    #[arg(long)]
    key: String,
}

/// One conversation of two turns.
#[derive(Debug, Parser)]
struct Call {
    #[arg(long)]
    prompt: String,
}

/// The server closed the conversation, with this code.
#[derive(Debug)]
struct Closed(u16);

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "closed with {}", self.0)
    }
}

impl std::error::Error for Closed {}

/// What came of a conversation.
#[derive(Debug, Default)]
struct Heard {
    events: Vec<String>,
    texts: Vec<String>,
    errors: Vec<Value>,
    usage: Vec<Value>,
}

impl Converse {
    /// Makes one call after the other.
    pub(crate) async fn run(self) -> Result<()> {
        let calls: Vec<Vec<String>> = serde_json::from_slice(&fs::read(&self.plan)?)?;
        for call in calls {
            let call = Call::try_parse_from(std::iter::once("call".to_owned()).chain(call))?;
            let (began, mut heard) = (now(), Heard::default());
            let outcome = heard.converse(&call, &self.key).await;
            let error = outcome.err().map(|error| {
                let code = error.downcast_ref::<Closed>().map(|closed| closed.0);
                let kind = if code.is_some() { "Closed" } else { "Failed" };
                json!({"type": kind, "status": code, "message": format!("{error:#}")})
            });
            let answer = json!({"events": heard.events, "texts": heard.texts, "errors": heard.errors});
            let report = json!({
                "answer": answer, "usage": heard.usage, "error": error, "began": began, "ended": now(),
            });
            screen::line(&report.to_string());
        }
        Ok(())
    }
}

impl Heard {
    async fn converse(&mut self, call: &Call, key: &str) -> Result<()> {
        let mut socket = connect(key).await?;
        let mut previous = Value::Null;
        for _ in 0..2 {
            let asked = json!({
                "type": "response.create", "model": "gpt-4o-mini", "input": call.prompt,
                "previous_response_id": previous,
            });
            socket.send(Message::text(asked.to_string())).await?;
            let response = self.answer(&mut socket).await?;
            previous = response["id"].clone();
            self.usage.push(response["usage"].clone());
        }
        Ok(socket.close(None).await?)
    }

    async fn answer(&mut self, socket: &mut WebSocketStream<TokioIo<Upgraded>>) -> Result<Value> {
        let mut text = String::new();
        loop {
            let message = timeout(PATIENCE, socket.next()).await.context("nothing more")?;
            let event: Value = match message.context("gone without a close frame")?? {
                Message::Text(event) => serde_json::from_str(&event)?,
                Message::Close(frame) => {
                    return Err(Closed(frame.map_or(1005, |frame| frame.code.into())).into());
                }
                Message::Ping(_) => continue,
                other => bail!("not an event: {other:?}"),
            };
            let kind = event["type"].as_str().unwrap_or_default();
            self.events.push(kind.to_owned());
            match kind {
                "error" => self
                    .errors
                    .push(json!([event["error"]["type"], event["error"]["code"]])),
                "response.output_text.delta" => text += event["delta"].as_str().unwrap_or_default(),
                "response.completed" => {
                    self.texts.push(text);
                    return Ok(event["response"].clone());
                }
                _ => {}
            }
        }
    }
}

async fn connect(key: &str) -> Result<WebSocketStream<TokioIo<Upgraded>>> {
    let mut roots = RootCertStore::empty();
    let bundle = env::var_os("SSL_CERT_FILE").context("SSL_CERT_FILE is not set")?;
    for certificate in CertificateDer::pem_file_iter(bundle)? {
        roots.add(certificate?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect((OPENAI.name, 443)).await.context("connect")?;
    let connector = TlsConnector::from(Arc::new(config));
    let tls = connector
        .connect(ServerName::try_from(OPENAI.name)?, stream)
        .await
        .context("TLS")?;
    let (mut sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(tls)).await?;
    // The handshake has spawned what reads the server's settings; nothing tells when they have come.
    let offered = async {
        while !connection.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let offered = timeout(PATIENCE, offered).await;
    offered.context("extended CONNECT was not offered")?;
    tokio::spawn(connection);
    let request = Request::connect(format!("https://{}/v1/responses", OPENAI.name))
        .extension(Protocol::from_static("websocket"))
        .header("authorization", format!("Bearer {key}"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(Empty::new())?;
    let response = timeout(PATIENCE, sender.send_request(request))
        .await
        .context("no answer")??;
    if response.status() != StatusCode::OK {
        bail!("answered {}", response.status());
    }
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await?);
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
}

/// As the agent's records have it.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
