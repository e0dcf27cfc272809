//! Budgets over the local API: the accounts of the ledger as they stand, and changed by hand.

mod account;
mod change;
mod find;
mod history;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use monitor_budget::{AccountState, Glob};
use serde::Deserialize;
use serde_json::json;

use self::account::{Account, Definition, Described, policy, taken, used_percent};
use super::Sources;
use super::routes::{Parameters, Refused};

/// Longest body of a request: an override has some hundred bytes.
const MAX_BODY_BYTES: usize = 4 << 10;

/// The routes below `/v1/budgets`.
pub(super) fn router() -> Router<Arc<Sources>> {
    Router::new()
        .route("/v1/budgets", get(list))
        .route("/v1/budgets/history", get(history::history))
        .route("/v1/budgets/{key}", get(one))
        .route(
            "/v1/budgets/{key}/override",
            put(change::put_override).delete(change::delete_override),
        )
        .route("/v1/budgets/{key}/reset", post(change::post_reset))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Which accounts are listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// Of policies whose name matches.
    policy: Option<String>,
    /// Of namespaces whose name matches.
    namespace: Option<String>,
    /// Of whose limit at least this many percent are taken.
    over: Option<u64>,
}

/// The accounts, by key.
async fn list(State(sources): State<Arc<Sources>>, query: Parameters<Chosen>) -> Result<Response, Refused> {
    let chosen = query?.0;
    let glob = |pattern: Option<String>| pattern.map(|pattern| Glob::new(&pattern)).transpose();
    let bad = |error: monitor_budget::GlobError| Refused(StatusCode::BAD_REQUEST, error.to_string());
    let (policies, namespaces) = (
        glob(chosen.policy).map_err(bad)?,
        glob(chosen.namespace).map_err(bad)?,
    );
    let wanted = |account: &AccountState| {
        policies
            .as_ref()
            .is_none_or(|glob| glob.matches(policy(&account.key)))
            && namespaces
                .as_ref()
                .is_none_or(|glob| namespace(&account.key).is_some_and(|found| glob.matches(found)))
            && chosen
                .over
                .is_none_or(|percent| used_percent(taken(account), account.limit) >= percent)
    };
    let mut accounts = sources.ledger.snapshot();
    accounts.retain(wanted);
    accounts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let budgets: Vec<_> = accounts
        .into_iter()
        .map(|account| {
            let owner = (sources.owner_of)(&account.key);
            Account::from(account).of(owner)
        })
        .collect();
    Ok(Json(json!({"budgets": budgets})).into_response())
}

/// The namespace that a key names: grouped by it, or by a service account of it.
fn namespace(key: &str) -> Option<&str> {
    let grouping = key.splitn(3, '/').nth(2)?;
    ["namespace:", "service_account:"].iter().find_map(|name| {
        let (before, value) = grouping.split_once(name)?;
        // At the beginning of a part, and not in another one's value.
        let starts = before.is_empty() || !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let end = value.find(['/', ',']).unwrap_or(value.len());
        starts.then(|| &value[..end])
    })
}

/// One account in full; the key may be an unambiguous part of it.
async fn one(
    State(sources): State<Arc<Sources>>,
    key: Result<Path<String>, PathRejection>,
) -> Result<Response, Refused> {
    let key = key.map_err(bad_key)?.0;
    let keys: Vec<_> = sources
        .ledger
        .snapshot()
        .into_iter()
        .map(|account| account.key)
        .collect();
    let key = match find::find(&key, &keys) {
        // A whole key also finds a budget that was not used yet.
        Err(refused) if refused.0 == StatusCode::NOT_FOUND && is_asked_for(&sources, &key) => key.into(),
        found => found?,
    };
    let definition = (sources.budget_of)(&key);
    let state = sources.ledger.account(&key);
    let opened = state.is_some();
    let account = match (state, &definition) {
        (Some(state), _) => Account::from(state),
        (None, Some(budget)) => Account::from(budget),
        // It was dropped since the keys were listed.
        (None, None) => return Err(find::unknown(&key, &[])),
    };
    let definition = definition.as_ref().map(Definition::from);
    Ok(Json(Described {
        account: account.of((sources.owner_of)(&key)),
        opened,
        definition,
    })
    .into_response())
}

/// Whether a policy has a budget that keeps its account under this key.
fn is_asked_for(sources: &Sources, key: &str) -> bool {
    let is_whole = key
        .splitn(3, '/')
        .nth(2)
        .is_some_and(|grouping| !grouping.is_empty());
    is_whole && (sources.budget_of)(key).is_some()
}

fn bad_key(rejection: PathRejection) -> Refused {
    Refused(
        StatusCode::BAD_REQUEST,
        format!("the key is not readable: {}", rejection.body_text()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_read_from_the_grouping_alone() {
        assert_eq!(namespace("p/0/namespace:billing"), Some("billing"));
        assert_eq!(namespace("p/0/service_account:billing/bot"), Some("billing"));
        assert_eq!(namespace("p/0/namespace:billing/model:gpt"), Some("billing"));
        assert_eq!(namespace("p/0/model:gpt/namespace:billing"), Some("billing"));
        assert_eq!(namespace("namespace:a/0/workload:/x"), None);
        assert_eq!(namespace("p/0/workload:/my_namespace:x"), None);
        assert_eq!(namespace("p"), None);
    }
}
