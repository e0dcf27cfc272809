//! Requests and their answers, as the API's reference has them for `list` and `watch`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::store::is_on;
use super::{Shared, TOKEN};

/// How often a watch is told how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(1);

type Answer = Response<BoxBody<Bytes, std::io::Error>>;

pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let answered = answer_or_status(&shared, &request)
        .unwrap_or_else(|(code, reason)| status(code, reason, "the lab's API server says no"));
    Ok(answered)
}

fn answer_or_status(
    shared: &Arc<Shared>,
    request: &Request<Incoming>,
) -> Result<Answer, (u16, &'static str)> {
    let authorization = request
        .headers()
        .get("authorization")
        .map(|value| value.as_bytes());
    if authorization != Some(format!("Bearer {TOKEN}").as_bytes()) {
        return Err((401, "Unauthorized"));
    }
    if shared.forbidding.load(Ordering::SeqCst) {
        return Err((403, "Forbidden"));
    }
    if request.uri().path() != "/api/v1/pods" {
        return Err((404, "NotFound"));
    }
    let query = query(request.uri().query().unwrap_or_default());
    let node = query
        .get("fieldSelector")
        .and_then(|selector| selector.strip_prefix("spec.nodeName="))
        .ok_or((400, "BadRequest"))?;
    let number = |key: &str| query.get(key).and_then(|value| value.parse::<u64>().ok());
    if query.get("watch").is_none_or(|watch| watch != "true") {
        shared.lists.fetch_add(1, Ordering::SeqCst);
        let after = query.get("continue").map_or("", String::as_str);
        let limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
        let store = shared.store.lock();
        let (items, more) = store.page(node, after, limit.unwrap_or(usize::MAX));
        let list = json!({
            "apiVersion": "v1", "kind": "PodList",
            "metadata": {"resourceVersion": store.version().to_string(), "continue": more.unwrap_or_default()},
            "items": items
        });
        return Ok(whole(StatusCode::OK, &list));
    }
    shared.watches.fetch_add(1, Ordering::SeqCst);
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    let watch = Watch {
        shared: shared.clone(),
        node: node.to_owned(),
        version: number("resourceVersion").ok_or((400, "BadRequest"))?,
        bookmarks: query
            .get("allowWatchBookmarks")
            .is_some_and(|allow| allow == "true"),
    };
    let limit = Duration::from_secs(number("timeoutSeconds").unwrap_or(300));
    tokio::spawn(watch.run(sender, limit));
    let response = Response::builder().header("content-type", "application/json");
    response.body(body.boxed()).map_err(|_| (500, "InternalError"))
}

/// One watch.
struct Watch {
    shared: Arc<Shared>,
    node: String,
    version: u64,
    bookmarks: bool,
}

impl Watch {
    /// Ends orderly after `limit`, and in the middle of a chunk when it is cut.
    async fn run(mut self, mut sender: Sender<Bytes, std::io::Error>, limit: Duration) {
        let mut cuts = self.shared.cuts.subscribe();
        let cut = tokio::select! {
            // The client is gone, or has been told that its version is.
            _ = self.events(&mut sender) => false,
            () = tokio::time::sleep(limit) => false,
            _ = cuts.changed() => true,
        };
        if cut {
            sender.abort(std::io::Error::other("cut"));
        }
    }

    async fn events(&mut self, sender: &mut Sender<Bytes, std::io::Error>) -> Result<()> {
        let mut versions = self.shared.version.subscribe();
        let mut bookmarks = tokio::time::interval(BOOKMARK_EVERY);
        loop {
            let changes = self.shared.store.lock().since(self.version);
            let Some(changes) = changes else {
                self.shared.gone.fetch_add(1, Ordering::SeqCst);
                let gone = status_object(410, "Expired", "too old resource version");
                return line(sender, "ERROR", &gone).await;
            };
            for change in changes {
                self.version = change.version;
                if is_on(&change.object, &self.node) {
                    line(sender, change.kind, &change.object).await?;
                }
            }
            tokio::select! {
                changed = versions.changed() => changed?,
                _ = bookmarks.tick() => if self.bookmarks {
                    let bookmark = json!({
                        "apiVersion": "v1", "kind": "Pod",
                        "metadata": {"resourceVersion": self.version.to_string(), "creationTimestamp": null},
                        "spec": {"containers": null}, "status": {}
                    });
                    line(sender, "BOOKMARK", &bookmark).await?;
                },
            }
        }
    }
}

async fn line(sender: &mut Sender<Bytes, std::io::Error>, kind: &str, object: &Value) -> Result<()> {
    let mut line = serde_json::to_vec(&json!({"type": kind, "object": object}))?;
    line.push(b'\n');
    sender
        .send_data(line.into())
        .await
        .map_err(|_| anyhow::anyhow!("gone"))
        .context("sending an event")
}

fn status_object(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {},
        "status": "Failure", "message": message, "reason": reason, "code": code
    })
}

fn status(code: u16, reason: &str, message: &str) -> Answer {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    whole(code, &status_object(code.as_u16(), reason, message))
}

fn whole(code: StatusCode, object: &Value) -> Answer {
    let body = Full::from(object.to_string())
        .map_err(|never| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// The parameters of a query, decoded.
fn query(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            b'+' => b' ',
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
