//! Exchange → API Activity.

use serde::Serialize;

use super::class::{Class, Control};
use super::objects::{
    Actor, Endpoint, Metadata, PolicyName, STATUS_FAILURE, STATUS_SUCCESS, Severity, Workload,
};
use crate::event::workload::view;
use crate::event::{
    BudgetUse, Cost, Exchange, Fault, FindingCount, LimitAction, Owasp, OwnCount, Reason, Verdict,
};
use crate::exchange::Fingerprint;
use crate::identity::AttributionReason;

const PROFILES: &[&str] = &["ai_operation", "container", "security_control"];
/// The methods that the schema's `http_request.http_method` admits.
const METHODS: [&str; 9] = [
    "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH",
];
/// The name of a model that a request did not name: the schema requires one.
const UNKNOWN_MODEL: &str = "unknown";

#[derive(Serialize)]
pub(super) struct ApiActivity<'a> {
    #[serde(flatten)]
    class: Class,
    severity_id: u8,
    time: u64,
    start_time: u64,
    end_time: u64,
    /// Milliseconds.
    duration: u64,
    status_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'static str>,
    metadata: Metadata,
    actor: Actor<'a>,
    api: Api<'a>,
    src_endpoint: Endpoint<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Endpoint<'a>>,
    http_request: HttpRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse>,
    ai_model: AiModel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_context: Option<MessageContext<'a>>,
    #[serde(flatten)]
    control: Control,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyName<'a>>,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'static str,
    service: Service<'a>,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_method: Option<&'static str>,
    url: Url<'a>,
    version: &'static str,
    body_length: u64,
}

#[derive(Serialize)]
struct Url<'a> {
    scheme: &'static str,
    hostname: &'a str,
    port: u16,
    path: &'a str,
}

#[derive(Serialize)]
struct HttpResponse {
    code: u16,
    body_length: u64,
}

#[derive(Serialize)]
struct AiModel<'a> {
    ai_provider: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct MessageContext<'a> {
    service: Service<'a>,
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    attribution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload<'a>>,
    streamed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_first_byte_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micro_usd: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<OwnCount>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Verdict>,
    /// The rule of the policy that decided, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// The risk that the decision is against, of the OWASP Top 10 for LLM applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    owasp: Option<Owasp>,
    /// What kept policies from deciding by what they say.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    faults: &'a [Fault],
    /// Who answers for the policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clamped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slowed: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    actions: &'a [LimitAction],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    observed_actions: &'a [LimitAction],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<crate::event::ErrorClass>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [FindingCount],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    budgets: Vec<Budget<'a>>,
}

/// The buckets that `message_context` lacks.
#[derive(Serialize)]
struct Usage {
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    modalities: crate::event::ModalityTokens,
    certainty: crate::event::Certainty,
}

#[derive(Serialize)]
struct Budget<'a> {
    key: &'a str,
    unit: &'static str,
    limit: u64,
    reserved: u64,
    settled: u64,
    debt: u64,
}

impl<'a> From<&'a Exchange> for ApiActivity<'a> {
    fn from(exchange: &'a Exchange) -> Self {
        let workload = view(&exchange.workload);
        let method = METHODS
            .into_iter()
            .find(|method| *method == exchange.http.method.as_str());
        let (activity_id, activity_name) = activity(method);
        let duration = exchange.duration_us / 1_000;
        Self {
            class: Class::api_activity(activity_id, activity_name),
            severity_id: severity(exchange) as u8,
            time: exchange.started_ms,
            start_time: exchange.started_ms,
            end_time: exchange.started_ms.saturating_add(duration),
            duration,
            status_id: if succeeded(exchange) {
                STATUS_SUCCESS
            } else {
                STATUS_FAILURE
            },
            status_code: exchange.http.status.map(|status| status.to_string()),
            status_detail: exchange
                .reason
                .map(|reason| reason.name())
                .or_else(|| exchange.error.map(|error| error.name())),
            metadata: Metadata::new(PROFILES, Some(exchange.id)),
            actor: Actor::new(workload).with_credential(exchange.api_key.as_ref().map(Fingerprint::as_str)),
            api: Api {
                operation: exchange.operation,
                service: Service {
                    name: &exchange.provider,
                },
            },
            src_endpoint: Endpoint::new(exchange.client),
            dst_endpoint: Endpoint::named(Some(exchange.original_destination), Some(&exchange.host)),
            http_request: HttpRequest {
                http_method: method,
                url: Url {
                    scheme: "https",
                    hostname: &exchange.host,
                    port: exchange.original_destination.port(),
                    path: exchange.http.path.as_str(),
                },
                version: exchange.http.version,
                body_length: exchange.http.request_bytes,
            },
            http_response: exchange.http.status.map(|code| HttpResponse {
                code,
                body_length: exchange.http.response_bytes,
            }),
            ai_model: AiModel {
                ai_provider: &exchange.provider,
                name: exchange
                    .model
                    .as_ref()
                    .map_or(UNKNOWN_MODEL, |model| model.as_str()),
            },
            message_context: exchange.usage.map(|usage| MessageContext {
                service: Service {
                    name: &exchange.provider,
                },
                prompt_tokens: usage.input,
                completion_tokens: usage.output,
                total_tokens: usage.input.saturating_add(usage.output),
            }),
            control: control(exchange),
            policy: exchange.policy.as_deref().map(|name| PolicyName { name }),
            unmapped: unmapped(exchange),
        }
    }
}

fn unmapped(exchange: &Exchange) -> Unmapped<'_> {
    Unmapped {
        attribution: exchange.attribution.name(),
        attribution_reason: exchange.attribution.reason().map(AttributionReason::name),
        workload: view(&exchange.workload).map(Workload::from),
        streamed: exchange.streamed,
        time_to_first_byte_us: exchange.time_to_first_byte_us,
        usage: exchange.usage.map(|usage| Usage {
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
            modalities: usage.modalities,
            certainty: usage.certainty,
        }),
        cost_micro_usd: exchange.cost.map(|cost| cost.amount.0),
        price_from: exchange.cost.and_then(Cost::day),
        counted: exchange.counted,
        verdict: exchange.verdict,
        observed: exchange.observed,
        rule: exchange.rule.as_deref(),
        owasp: exchange.owasp,
        faults: &exchange.faults,
        owner: exchange.owner.as_deref(),
        requested_model: exchange.requested_model.as_ref().map(|model| model.as_str()),
        clamped: exchange.clamped,
        slowed: exchange.slowed,
        actions: &exchange.actions,
        observed_actions: &exchange.observed_actions,
        error: exchange.error,
        findings: &exchange.findings,
        budgets: exchange
            .budgets
            .iter()
            .map(
                |BudgetUse {
                     key,
                     unit,
                     limit,
                     reserved,
                     settled,
                     debt,
                 }| Budget {
                    key,
                    unit: unit.name(),
                    limit: *limit,
                    reserved: *reserved,
                    settled: *settled,
                    debt: *debt,
                },
            )
            .collect(),
    }
}

/// `activity_id` and its caption. A POST is a Create, although a chat creates nothing that lasts: the class has no
/// other activity for it.
fn activity(method: Option<&str>) -> (u32, &'static str) {
    match method {
        Some("POST") => (1, "Create"),
        Some("GET" | "HEAD" | "OPTIONS") => (2, "Read"),
        Some("PUT" | "PATCH") => (3, "Update"),
        Some("DELETE") => (4, "Delete"),
        _ => (99, "Other"),
    }
}

fn control(exchange: &Exchange) -> Control {
    match (exchange.verdict, exchange.observed) {
        (Verdict::Allowed, Some(_)) => Control::new((3, "Observed"), (15, "Detected")),
        (Verdict::Allowed, None) => Control::new((1, "Allowed"), (1, "Allowed")),
        (Verdict::Redacted, _) => Control::new((4, "Modified"), (11, "Corrected")),
        (Verdict::Cut | Verdict::Denied, _) => Control::new((2, "Denied"), (2, "Blocked")),
    }
}

fn succeeded(exchange: &Exchange) -> bool {
    matches!(exchange.verdict, Verdict::Allowed | Verdict::Redacted)
        && exchange.error.is_none()
        && exchange.http.status.is_some_and(|status| status < 400)
        && !matches!(
            exchange.reason,
            Some(Reason::UpstreamFailed | Reason::ClientGone | Reason::Shutdown)
        )
}

fn severity(exchange: &Exchange) -> Severity {
    match (exchange.verdict, exchange.reason) {
        (
            Verdict::Denied | Verdict::Cut,
            Some(
                Reason::Content
                | Reason::Model
                | Reason::Operation
                | Reason::Tool
                | Reason::Rule
                | Reason::Language
                | Reason::Unattributed,
            ),
        ) => Severity::Medium,
        (Verdict::Allowed, _) if exchange.observed.is_none() => Severity::Informational,
        _ => Severity::Low,
    }
}
