//! What was changed by hand: the rows of the ledger's audit.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use monitor_budget::AuditEntry;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::routes::{Parameters, Refused};
use crate::api::{DEFAULT_LIMIT, Sources};
use crate::event::native::{FiguresRecord, rfc3339};

/// Most rows in one answer: some two megabytes.
const MAX_ROWS: usize = 4_096;

/// Which rows are listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// Of this key alone.
    key: Option<String>,
    /// Not before this moment, Unix milliseconds.
    since_ms: Option<u64>,
    limit: Option<usize>,
}

/// A row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    number: u64,
    time: String,
    by: String,
    key: Arc<str>,
    unit: &'static str,
    change: &'static str,
    before: FiguresRecord,
    after: FiguresRecord,
}

impl From<AuditEntry> for Row {
    fn from(entry: AuditEntry) -> Self {
        Self {
            number: entry.number,
            time: rfc3339(entry.at_ms),
            by: entry.by,
            key: entry.key,
            unit: entry.unit.name(),
            change: entry.change.name(),
            before: entry.before.into(),
            after: entry.after.into(),
        }
    }
}

/// The last rows, the latest first.
pub(super) async fn history(
    State(sources): State<Arc<Sources>>,
    query: Parameters<Chosen>,
) -> Result<Response, Refused> {
    let chosen = query?.0;
    let limit = chosen.limit.unwrap_or(DEFAULT_LIMIT);
    if limit > MAX_ROWS {
        let message = format!("limit {limit} is too large: at most {MAX_ROWS} rows are shown at once");
        return Err(Refused(StatusCode::BAD_REQUEST, message));
    }
    let failed = |error: &dyn std::fmt::Display| {
        Refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the ledger's audit cannot be read: {error}"),
        )
    };
    // The store is a file.
    let read = tokio::task::spawn_blocking(move || sources.ledger.audit(chosen.key.as_deref(), limit));
    let rows = read
        .await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
    let since_ms = chosen.since_ms.unwrap_or(0);
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.at_ms >= since_ms)
        .map(Row::from)
        .collect();
    Ok(Json(json!({"history": rows})).into_response())
}
