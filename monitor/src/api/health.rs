//! Metrics and health checks, for anybody on this host.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Sources;

/// The content type of the Prometheus text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn router(sources: Arc<Sources>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .with_state(sources)
}

async fn metrics(State(sources): State<Arc<Sources>>) -> Response {
    match sources.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn readiness(State(sources): State<Arc<Sources>>) -> Response {
    let missing = (sources.missing)();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let list: String = missing
        .iter()
        .map(|missing| format!("missing: {missing}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, list).into_response()
}
