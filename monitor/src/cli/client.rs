//! A client of the local API.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::CliError;

/// Largest answer, and longest line of a feed, that is taken in: many times what the agent sends.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Asks one agent.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The JSON at a path.
    pub(super) fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask_for(Method::GET, path, None)
    }

    /// The JSON that a request is answered with; what it has to say goes as JSON as well.
    pub(super) fn ask_for(&self, method: Method, path: &str, say: Option<&Value>) -> Result<Value, CliError> {
        let mut request = Request::builder().method(method).uri(path);
        if say.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = say.map_or_else(String::new, Value::to_string);
        let mut answer = Vec::new();
        self.read(request, body, |piece| {
            answer.extend_from_slice(piece);
            if answer.len() > MAX_ANSWER_BYTES {
                return Err(CliError::Answer("an answer without an end".to_owned()));
            }
            Ok(())
        })?;
        parse(&answer)
    }

    /// The JSON lines at a path, each as it comes, until they end or `each` fails.
    pub(super) fn lines(
        &self,
        path: &str,
        mut each: impl FnMut(&Value) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut held = Vec::new();
        self.read(Request::get(path), String::new(), |piece| {
            held.extend_from_slice(piece);
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &held) {
                each(&parse(&held[start..end])?)?;
                start = end + 1;
            }
            held.drain(..start);
            if held.len() > MAX_ANSWER_BYTES {
                return Err(CliError::Answer("a line without an end".to_owned()));
            }
            Ok(())
        })
    }

    fn read(
        &self,
        request: Builder,
        body: String,
        each: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(CliError::Start)?
            .block_on(self.ask(request, body, each))
    }

    async fn ask(
        &self,
        request: Builder,
        body: String,
        mut each: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| self.unreachable(error))?;
        let broken = |error: hyper::Error| CliError::Answer(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = request
            .header("host", "weir")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CliError::Answer(error.to_string()))?;
        let exchange = async {
            let mut response = sender.send_request(request).await.map_err(broken)?;
            if !response.status().is_success() {
                return Err(refused(response).await);
            }
            while let Some(frame) = response.body_mut().frame().await {
                if let Ok(data) = frame.map_err(broken)?.into_data() {
                    each(&data)?;
                }
            }
            Ok(())
        };
        tokio::pin!(exchange);
        // The connection is driven beside the exchange; an error of it reaches the exchange as well.
        tokio::select! {
            result = &mut exchange => result,
            _ended = connection => exchange.await,
        }
    }

    fn unreachable(&self, error: io::Error) -> CliError {
        if error.kind() == io::ErrorKind::PermissionDenied {
            let reason = format!(
                "{} is not open to it; ask as root, or add the user to node.api_users",
                self.socket.display()
            );
            return CliError::NotAllowed { reason };
        }
        CliError::NotRunning {
            socket: self.socket.clone(),
            source: error,
        }
    }
}

/// A text as one segment of a path, or one value of a query.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

/// A path with the parameters that have a value.
pub(super) fn query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let mut query = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        query.push(separator);
        query.push_str(name);
        query.push('=');
        query.push_str(&segment(value));
        separator = '&';
    }
    query
}

async fn refused(response: Response<Incoming>) -> CliError {
    let status = response.status().as_u16();
    let limited = http_body_util::Limited::new(response.into_body(), 64 << 10);
    let body = limited
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let reason = parse(&body)
        .ok()
        .and_then(|body| body.get("error").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_else(|| "no reason given".to_owned());
    if status == 403 {
        CliError::NotAllowed { reason }
    } else {
        CliError::Refused { status, reason }
    }
}

fn parse(json: &[u8]) -> Result<Value, CliError> {
    serde_json::from_slice(json).map_err(|error| CliError::Answer(error.to_string()))
}
