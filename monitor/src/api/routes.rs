//! What the local API answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::feed::{Feed, add_line};
use super::{DEFAULT_LIMIT, NodeStatus, Sources, budgets, policies, usage};
use crate::event::native::{ConnectionRecord, rfc3339};
use crate::event::{MAX_RECENT, RecordKind};

/// The content type of JSON lines.
const JSON_LINES: &str = "application/x-ndjson";

pub(super) fn router(sources: Arc<Sources>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/workloads", get(workloads))
        .route("/v1/connections", get(connections))
        .route("/v1/records", get(records))
        .route("/v1/usage", get(usage::usage))
        .merge(budgets::router())
        .merge(policies::router())
        .fallback(async || Refused(StatusCode::NOT_FOUND, "no such endpoint".to_owned()))
        .with_state(sources)
}

/// An error with its reason.
#[derive(Debug)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

pub(super) type Parameters<T> = Result<Query<T>, QueryRejection>;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    pid: u32,
    started: String,
    ready: bool,
    missing: Vec<String>,
    #[serde(flatten)]
    node: NodeStatus,
}

async fn status(State(sources): State<Arc<Sources>>) -> Json<Status> {
    let missing = (sources.missing)();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        started: rfc3339(sources.started_ms),
        ready: missing.is_empty(),
        missing,
        node: (sources.node)(),
    })
}

async fn workloads(State(sources): State<Arc<Sources>>) -> Response {
    Json(json!({"workloads": sources.store.workloads()})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    limit: Option<usize>,
}

/// Open connections first, then the last closed ones, latest first.
async fn connections(
    State(sources): State<Arc<Sources>>,
    query: Parameters<Last>,
) -> Result<Response, Refused> {
    let limit = limit(query?.limit)?;
    let open = (sources.open_connections)();
    let closed = sources.store.connections(limit);
    let records: Vec<_> = open
        .iter()
        .rev()
        .chain(closed.iter().rev().map(AsRef::as_ref))
        .take(limit)
        .map(ConnectionRecord::from)
        .collect();
    Ok(Json(json!({"connections": records})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    limit: Option<usize>,
    kind: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// Exchanges, bypasses, changes of budgets or all of them as JSON lines, oldest first; with `follow`, without an end.
async fn records(
    State(sources): State<Arc<Sources>>,
    query: Parameters<Records>,
) -> Result<Response, Refused> {
    let Query(query) = query?;
    let limit = limit(query.limit)?;
    let kind = match query.kind.as_deref() {
        None => RecordKind::Any,
        Some(name) => RecordKind::parse(name).ok_or_else(|| {
            let message = format!(
                "there are no records of kind `{name}`: use exchange, bypass, audit or budget_threshold, or leave it out"
            );
            Refused(StatusCode::BAD_REQUEST, message)
        })?,
    };
    let body = if query.follow {
        let (past, live) = sources.store.follow(kind, limit);
        Body::new(Feed::start(kind, past, live))
    } else {
        let mut lines = Vec::new();
        let records = sources.store.records(kind, limit);
        records.iter().for_each(|event| add_line(&mut lines, event));
        Body::from(lines)
    };
    Ok(([(CONTENT_TYPE, JSON_LINES)], body).into_response())
}

fn limit(asked: Option<usize>) -> Result<usize, Refused> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if limit <= MAX_RECENT => Ok(limit),
        Some(limit) => Err(Refused(
            StatusCode::BAD_REQUEST,
            format!("limit {limit} is too large: {MAX_RECENT} records are kept"),
        )),
    }
}
