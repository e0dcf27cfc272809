//! The policies in force, as the configuration has them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Sources;
use super::routes::Refused;

/// The routes below `/v1/policies`.
pub(super) fn router() -> Router<Arc<Sources>> {
    Router::new()
        .route("/v1/policies", get(list))
        .route("/v1/policies/{name}", get(one))
}

/// All, in the configuration's order.
async fn list(State(sources): State<Arc<Sources>>) -> Response {
    Json(json!({"policies": (sources.policies)().written()})).into_response()
}

/// One, by its whole name.
async fn one(
    State(sources): State<Arc<Sources>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refused> {
    let name = name
        .map_err(|bad| Refused(StatusCode::BAD_REQUEST, bad.body_text()))?
        .0;
    let policies = (sources.policies)();
    let policy = policies.written().iter().find(|policy| policy.name == name);
    match policy {
        Some(policy) => Ok(Json(policy).into_response()),
        None => Err(Refused(
            StatusCode::NOT_FOUND,
            format!("no policy is called `{name}`"),
        )),
    }
}
