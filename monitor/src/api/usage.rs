//! `/v1/usage`: what was spent, from the history.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Sources;
use super::routes::{Parameters, Refused};
use crate::config::Glob;
use crate::history::{Dimension, Level, Moment, Order, Question};

/// What usage is split by when nothing is said.
const DEFAULT_BY: &str = "workload,provider,model";
/// The time that is summed when nothing is said: a day.
const DEFAULT_SINCE: Moment = Moment::Ago(86_400_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    by: Option<String>,
    since: Option<String>,
    until: Option<String>,
    step: Option<String>,
    sort: Option<String>,
    limit: Option<usize>,
    workload: Option<String>,
    namespace: Option<String>,
    service_account: Option<String>,
    pod: Option<String>,
    unit: Option<String>,
    user: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    operation: Option<String>,
}

pub(super) async fn usage(
    State(sources): State<Arc<Sources>>,
    query: Parameters<Asked>,
) -> Result<Response, Refused> {
    let Query(asked) = query?;
    let question = asked.question(sources.history.now_ms()).map_err(wrong)?;
    let history = sources.history.clone();
    // The disk may be slow, and this runtime serves the agent's control as well.
    let answer = tokio::task::spawn_blocking(move || history.answer(&question)).await;
    let failed = |error: String| Refused(StatusCode::SERVICE_UNAVAILABLE, error);
    match answer.map_err(|error| failed(error.to_string()))? {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(error) if error.is_question() => Err(wrong(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn wrong(message: String) -> Refused {
    Refused(StatusCode::BAD_REQUEST, message)
}

impl Asked {
    fn question(self, now_ms: u64) -> Result<Question, String> {
        let moment = |text: Option<String>| {
            text.map(|text| text.parse::<Moment>().map_err(|e| e.to_string()))
                .transpose()
        };
        let mut step = self.step.as_deref().map(level).transpose()?;
        let mut by = Vec::new();
        for name in self
            .by
            .as_deref()
            .unwrap_or(DEFAULT_BY)
            .split(',')
            .filter(|name| !name.is_empty())
        {
            if let Some(level) = Level::parse(name) {
                if step.is_some_and(|step| step != level) {
                    return Err(format!(
                        "usage has one step: it cannot be split by {name} as well"
                    ));
                }
                step = Some(level);
                continue;
            }
            let dimension = Dimension::parse(name).ok_or_else(|| {
                let names: Vec<_> = Dimension::ALL.iter().map(|dimension| dimension.name()).collect();
                format!(
                    "usage is not split by `{name}`: use {}, minute, hour or day, or several with commas",
                    names.join(", ")
                )
            })?;
            if !by.contains(&dimension) {
                by.push(dimension);
            }
        }
        by.sort_unstable();
        let order = self.sort.as_deref().map_or(Ok(Order::default()), |name| {
            Order::parse(name)
                .ok_or_else(|| format!("usage is not sorted by `{name}`: use tokens, exchanges or cost"))
        })?;
        let patterns = [
            (Dimension::Workload, self.workload),
            (Dimension::Namespace, self.namespace),
            (Dimension::ServiceAccount, self.service_account),
            (Dimension::Pod, self.pod),
            (Dimension::Unit, self.unit),
            (Dimension::User, self.user),
            (Dimension::Provider, self.provider),
            (Dimension::Model, self.model),
            (Dimension::Operation, self.operation),
        ];
        let mut only = Vec::new();
        for (dimension, pattern) in patterns {
            if let Some(pattern) = pattern {
                let glob = Glob::new(&pattern).map_err(|error| format!("{}: {error}", dimension.name()))?;
                only.push((dimension, glob));
            }
        }
        let since = moment(self.since)?.unwrap_or(DEFAULT_SINCE);
        Ok(Question {
            by,
            step,
            since_ms: since.unix_ms(now_ms),
            until_ms: moment(self.until)?.map(|until| until.unix_ms(now_ms)),
            only,
            order,
            limit: self.limit,
        })
    }
}

fn level(name: &str) -> Result<Level, String> {
    Level::parse(name).ok_or_else(|| format!("there is no step `{name}`: use minute, hour or day"))
}
