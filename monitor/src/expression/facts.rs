//! The values that expressions read.

use std::borrow::Cow;
use std::collections::HashMap;

use cel::Value;

use super::{MAX_FINDINGS, MAX_TOOLS, NotEvaluated};
use crate::event::Part;
use crate::identity::Workload;

/// What is known of a request: the members of `request`.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'r> {
    /// The operation, by its name on record.
    pub operation: &'r str,
    /// The model that is asked for; empty where none is named.
    pub model: &'r str,
    /// The provider.
    pub provider: &'r str,
    /// Its protocol.
    pub api: &'r str,
    /// The server's name.
    pub host: &'r str,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// How many messages there are.
    pub messages: u32,
    /// Bytes of its texts as they are written.
    pub prompt_bytes: u64,
    /// Names of the tools that it offers.
    pub tools: &'r [Cow<'r, str>],
    /// Its output limit a choice; 0 where it sets none.
    pub max_output_tokens: u64,
}

/// What detectors have found: an element of `findings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingFacts {
    /// The detector.
    pub detector: &'static str,
    /// Where.
    pub part: Part,
    /// The most certain one's confidence, 0 to 100.
    pub confidence: u8,
    /// How often.
    pub count: u32,
}

fn count(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// `request`.
///
/// # Errors
/// It has more tools than are handed to an expression.
pub(crate) fn request_value(facts: &RequestFacts<'_>) -> Result<Value, NotEvaluated> {
    if facts.tools.len() > MAX_TOOLS {
        return Err(NotEvaluated);
    }
    let tools: Vec<&str> = facts.tools.iter().map(AsRef::as_ref).collect();
    Ok(HashMap::from([
        ("api", facts.api.into()),
        ("host", facts.host.into()),
        ("max_output_tokens", count(facts.max_output_tokens)),
        ("messages", count(u64::from(facts.messages))),
        ("model", facts.model.into()),
        ("operation", facts.operation.into()),
        ("prompt_bytes", count(facts.prompt_bytes)),
        ("provider", facts.provider.into()),
        ("stream", Value::Bool(facts.stream)),
        ("tools", tools.into()),
    ])
    .into())
}

/// `workload`. What there is not of a workload is empty; what is not known yet is missing, so that reading it is an error.
pub(crate) fn workload_value(workload: Option<&Workload>) -> Value {
    let mut members: HashMap<&str, Value> = HashMap::new();
    let Some(workload) = workload else {
        return members.into();
    };
    let placement = &workload.placement;
    let (pod, container) = (placement.pod.as_deref(), placement.container.as_ref());
    let mut text = |name, value: Option<&str>| members.insert(name, value.unwrap_or_default().into());
    if let Some(exe) = &workload.exe {
        text("exe", Some(exe));
    }
    match &workload.user {
        Some(user) => text("user", Some(user)),
        None => text("user", Some(&workload.uid.to_string())),
    };
    if placement.cgroup.is_empty() {
        return members.into();
    }
    text("cgroup", Some(&placement.cgroup));
    text("unit", placement.unit.as_deref());
    // A pod's names follow its cgroup a moment later.
    if pod.is_some_and(|pod| pod.namespace.is_none()) {
        return members.into();
    }
    text("namespace", pod.and_then(|pod| pod.namespace.as_deref()));
    text("pod", pod.and_then(|pod| pod.name.as_deref()));
    text(
        "service_account",
        pod.and_then(|pod| pod.service_account.as_deref()),
    );
    text(
        "container",
        container.and_then(|container| container.name.as_deref()),
    );
    text(
        "image",
        container.and_then(|container| container.image.as_deref()),
    );
    text(
        "spiffe",
        placement.spiffe.as_ref().map(|spiffe| spiffe.id.as_str()),
    );
    let labels: HashMap<&str, &str> = pod
        .into_iter()
        .flat_map(|pod| &pod.labels)
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    members.insert("labels", labels.into());
    members.into()
}

/// `findings`.
///
/// # Errors
/// There are more than are handed to an expression.
pub(crate) fn findings_value(findings: &[FindingFacts]) -> Result<Value, NotEvaluated> {
    if findings.len() > MAX_FINDINGS {
        return Err(NotEvaluated);
    }
    let each = |finding: &FindingFacts| -> Value {
        HashMap::from([
            ("detector", finding.detector.into()),
            ("part", finding.part.name().into()),
            ("confidence", count(u64::from(finding.confidence))),
            ("count", count(u64::from(finding.count))),
        ])
        .into()
    };
    Ok(findings.iter().map(each).collect::<Vec<_>>().into())
}
