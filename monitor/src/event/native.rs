//! Weir's own records: one JSON object a line, every key always there.

use std::net::SocketAddr;

use monitor_budget::{Figures, Unit};
use serde::Serialize;

use super::workload::{PlacementView, WorkloadView, view};
use super::{
    Audit, BudgetThreshold, BudgetUse, Bypass, Connection, Cost, Event, Exchange, FindingCount, OwnCount,
    TokenUsage,
};
use crate::exchange::Fingerprint;
use crate::identity::AttributionReason;

/// Appends the record of an event and a line feed.
///
/// # Errors
///
/// None that can occur: every key is a string and every number finite. The error is passed on rather than hidden.
pub fn encode(event: &Event, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match event {
        Event::Exchange(exchange) => serde_json::to_writer(&mut *line, &ExchangeRecord::from(&**exchange))?,
        Event::Connection(connection) => {
            serde_json::to_writer(&mut *line, &ConnectionRecord::from(&**connection))?
        }
        Event::Bypass(bypass) => serde_json::to_writer(&mut *line, &BypassRecord::from(&**bypass))?,
        Event::Audit(audit) => serde_json::to_writer(&mut *line, &AuditRecord::from(&**audit))?,
        Event::BudgetThreshold(threshold) => {
            serde_json::to_writer(&mut *line, &BudgetThresholdRecord::from(&**threshold))?
        }
    }
    line.push(b'\n');
    Ok(())
}

/// An exchange as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct ExchangeRecord<'a> {
    kind: &'static str,
    id: super::ExchangeId,
    time: String,
    duration_us: u64,
    time_to_first_byte_us: Option<u64>,
    workload: Option<WorkloadView<'a>>,
    attribution: &'static str,
    attribution_reason: Option<&'static str>,
    client: SocketAddr,
    original_destination: SocketAddr,
    provider: &'a str,
    host: &'a str,
    api: &'static str,
    operation: &'static str,
    model: Option<&'a str>,
    streamed: bool,
    http: HttpRecord<'a>,
    usage: Option<TokenUsage>,
    cost_micro_usd: Option<u64>,
    price_from: Option<String>,
    counted: Option<OwnCount>,
    verdict: super::Verdict,
    observed: Option<super::Verdict>,
    requested_model: Option<&'a str>,
    clamped: Option<u64>,
    slowed: Option<u64>,
    actions: &'a [super::LimitAction],
    observed_actions: &'a [super::LimitAction],
    reason: Option<super::Reason>,
    rule: Option<&'a str>,
    owasp: Option<super::Owasp>,
    faults: &'a [super::Fault],
    policy: Option<&'a str>,
    owner: Option<&'a str>,
    api_key: Option<&'a str>,
    findings: &'a [FindingCount],
    budgets: Vec<BudgetRecord<'a>>,
    error: Option<super::ErrorClass>,
}

#[derive(Debug, Serialize)]
struct HttpRecord<'a> {
    version: &'static str,
    method: &'a str,
    path: &'a str,
    status: Option<u16>,
    request_bytes: u64,
    response_bytes: u64,
}

#[derive(Debug, Serialize)]
struct BudgetRecord<'a> {
    key: &'a str,
    unit: &'static str,
    limit: u64,
    reserved: u64,
    settled: u64,
    debt: u64,
}

impl<'a> From<&'a BudgetUse> for BudgetRecord<'a> {
    fn from(budget: &'a BudgetUse) -> Self {
        let BudgetUse {
            key,
            unit,
            limit,
            reserved,
            settled,
            debt,
        } = budget;
        Self {
            key,
            unit: unit.name(),
            limit: *limit,
            reserved: *reserved,
            settled: *settled,
            debt: *debt,
        }
    }
}

impl<'a> From<&'a Exchange> for ExchangeRecord<'a> {
    fn from(exchange: &'a Exchange) -> Self {
        Self {
            kind: "exchange",
            id: exchange.id,
            time: rfc3339(exchange.started_ms),
            duration_us: exchange.duration_us,
            time_to_first_byte_us: exchange.time_to_first_byte_us,
            workload: view(&exchange.workload),
            attribution: exchange.attribution.name(),
            attribution_reason: exchange.attribution.reason().map(AttributionReason::name),
            client: exchange.client,
            original_destination: exchange.original_destination,
            provider: &exchange.provider,
            host: &exchange.host,
            api: exchange.api,
            operation: exchange.operation,
            model: exchange.model.as_ref().map(|model| model.as_str()),
            streamed: exchange.streamed,
            http: HttpRecord {
                version: exchange.http.version,
                method: exchange.http.method.as_str(),
                path: exchange.http.path.as_str(),
                status: exchange.http.status,
                request_bytes: exchange.http.request_bytes,
                response_bytes: exchange.http.response_bytes,
            },
            usage: exchange.usage,
            cost_micro_usd: exchange.cost.map(|cost| cost.amount.0),
            price_from: exchange.cost.and_then(Cost::day),
            counted: exchange.counted,
            verdict: exchange.verdict,
            observed: exchange.observed,
            requested_model: exchange.requested_model.as_ref().map(|model| model.as_str()),
            clamped: exchange.clamped,
            slowed: exchange.slowed,
            actions: &exchange.actions,
            observed_actions: &exchange.observed_actions,
            reason: exchange.reason,
            rule: exchange.rule.as_deref(),
            owasp: exchange.owasp,
            faults: &exchange.faults,
            policy: exchange.policy.as_deref(),
            owner: exchange.owner.as_deref(),
            api_key: exchange.api_key.as_ref().map(Fingerprint::as_str),
            findings: &exchange.findings,
            budgets: exchange.budgets.iter().map(BudgetRecord::from).collect(),
            error: exchange.error,
        }
    }
}

/// A connection as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionRecord<'a> {
    kind: &'static str,
    time: String,
    closed: Option<String>,
    workload: Option<WorkloadView<'a>>,
    attribution: &'static str,
    attribution_reason: Option<&'static str>,
    client: SocketAddr,
    original_destination: Option<SocketAddr>,
    server_name: Option<&'a str>,
    outcome: super::Outcome,
    alpn: Option<&'static str>,
    bytes_up: u64,
    bytes_down: u64,
    exchanges: u64,
}

impl<'a> From<&'a Connection> for ConnectionRecord<'a> {
    fn from(connection: &'a Connection) -> Self {
        Self {
            kind: "connection",
            time: rfc3339(connection.opened_ms),
            closed: connection.closed_ms.map(rfc3339),
            workload: view(&connection.workload),
            attribution: connection.attribution.name(),
            attribution_reason: connection.attribution.reason().map(AttributionReason::name),
            client: connection.client,
            original_destination: connection.original_destination,
            server_name: connection.server_name.as_deref(),
            outcome: connection.outcome,
            alpn: connection.alpn,
            bytes_up: connection.bytes_up,
            bytes_down: connection.bytes_down,
            exchanges: connection.exchanges,
        }
    }
}

/// A bypass as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct BypassRecord<'a> {
    kind: &'static str,
    time: String,
    workload: Option<WorkloadView<'a>>,
    attribution: &'static str,
    attribution_reason: Option<&'static str>,
    placement: Option<PlacementView<'a>>,
    reason: super::BypassReason,
    verdict: &'static str,
    transport: super::Transport,
    destination: Option<SocketAddr>,
    server_name: Option<&'a str>,
    unreported: u32,
}

impl<'a> From<&'a Bypass> for BypassRecord<'a> {
    fn from(bypass: &'a Bypass) -> Self {
        Self {
            kind: "bypass",
            time: rfc3339(bypass.at_ms),
            workload: view(&bypass.workload),
            attribution: bypass.attribution.name(),
            attribution_reason: bypass.attribution.reason().map(AttributionReason::name),
            placement: bypass.placement.as_deref().map(PlacementView::from),
            reason: bypass.reason,
            verdict: bypass.verdict(),
            transport: bypass.transport,
            destination: bypass.destination,
            server_name: bypass.server_name.as_deref(),
            unreported: bypass.unreported,
        }
    }
}

/// A change of a budget by hand as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct AuditRecord<'a> {
    kind: &'static str,
    time: String,
    change: &'static str,
    outcome: super::AuditOutcome,
    reason: Option<&'a str>,
    uid: u32,
    login_uid: Option<u32>,
    pid: Option<u32>,
    workload: Option<WorkloadView<'a>>,
    budget: &'a str,
    unit: Option<&'static str>,
    before: Option<FiguresRecord>,
    after: Option<FiguresRecord>,
}

/// The figures of a budget that a change by hand may touch.
#[derive(Debug, Serialize)]
pub(crate) struct FiguresRecord {
    limit: u64,
    override_until: Option<String>,
    settled: u64,
    debt: u64,
}

impl From<Figures> for FiguresRecord {
    fn from(figures: Figures) -> Self {
        Self {
            limit: figures.limit,
            override_until: figures.override_until_ms.map(rfc3339),
            settled: figures.settled,
            debt: figures.debt,
        }
    }
}

impl<'a> From<&'a Audit> for AuditRecord<'a> {
    fn from(audit: &'a Audit) -> Self {
        Self {
            kind: "audit",
            time: rfc3339(audit.at_ms),
            change: audit.change.name(),
            outcome: audit.outcome,
            reason: audit.reason.as_ref().map(|reason| reason.as_str()),
            uid: audit.actor.uid,
            login_uid: audit.actor.login_uid,
            pid: audit.actor.pid,
            workload: view(&audit.actor.workload),
            budget: &audit.budget,
            unit: audit.unit.map(Unit::name),
            before: audit.before.map(FiguresRecord::from),
            after: audit.after.map(FiguresRecord::from),
        }
    }
}

/// The passing of a budget's threshold as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct BudgetThresholdRecord<'a> {
    kind: &'static str,
    time: String,
    key: &'a str,
    policy: &'a str,
    budget: &'a str,
    unit: &'static str,
    limit: u64,
    settled: u64,
    percent: u8,
    window: Option<String>,
    owner: Option<&'a str>,
}

impl<'a> From<&'a BudgetThreshold> for BudgetThresholdRecord<'a> {
    fn from(threshold: &'a BudgetThreshold) -> Self {
        let (policy, budget) = threshold.policy_and_budget();
        Self {
            kind: "budget_threshold",
            time: rfc3339(threshold.at_ms),
            key: &threshold.key,
            policy,
            budget,
            unit: threshold.unit.name(),
            limit: threshold.limit,
            settled: threshold.settled,
            percent: threshold.percent,
            window: threshold.window.as_ref().map(ToString::to_string),
            owner: threshold.owner.as_deref(),
        }
    }
}

/// A time as RFC 3339 writes it, in UTC, to the millisecond.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(|milliseconds| jiff::Timestamp::from_millisecond(milliseconds).ok())
        .map_or_else(
            || "9999-12-30T22:00:00.999Z".to_owned(),
            |time| format!("{time:.3}"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    fn line(event: Event) -> String {
        let mut line = Vec::new();
        encode(&event, &mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn exchange() {
        let line = line(Event::Exchange(samples::exchange().into()));
        assert_eq!(
            line,
            concat!(
                r#"{"kind":"exchange","id":"0193a390-dc00-7000-8000-000000000001","time":"2024-12-08T00:00:00.000Z","#,
                r#""duration_us":1250000,"time_to_first_byte_us":310000,"#,
                r#""workload":{"pid":4711,"started":"2024-12-07T23:59:00.000Z","uid":1001,"user":"bot","euid":1001,"#,
                r#""exe":"/usr/bin/python3.11","#,
                r#""exe_sha256":"abababababababababababababababababababababababababababababababab","#,
                r#""command_line":null,"ancestors":[{"pid":4700,"exe":"/usr/bin/bash"}],"comm":"python3","#,
                r#""netns":4026531840,"cgroup":"/system.slice/bot.service","unit":"bot.service","slice":"system.slice","#,
                r#""container":null,"pod":null,"spiffe":null},"#,
                r#""attribution":"exact","attribution_reason":null,"#,
                r#""client":"10.0.0.7:40312","original_destination":"162.159.140.245:443","#,
                r#""provider":"openai","host":"api.openai.com","api":"openai","operation":"chat_completions","#,
                r#""model":"gpt-4o-mini","streamed":true,"#,
                r#""http":{"version":"1.1","method":"POST","path":"/v1/chat/completions","status":200,"#,
                r#""request_bytes":812,"response_bytes":20480},"#,
                r#""usage":{"input":120,"output":300,"cache_read":64,"cache_write":0,"reasoning":40,"#,
                r#""modalities":{"input_audio":0,"input_image":12,"input_video":0,"output_audio":0,"output_image":0},"certainty":"exact"},"#,
                r#""cost_micro_usd":194,"price_from":"2024-10-01","#,
                r#""counted":{"input":120,"output":260},"verdict":"cut","observed":null,"requested_model":null,"clamped":null,"slowed":null,"actions":[],"observed_actions":[],"reason":"budget","rule":null,"owasp":"LLM10","faults":[],"#,
                r#""policy":"billing-bots","owner":"team-payments","api_key":"45c8e87031fdbc7f","findings":[{"detector":"pii.credit_card","part":"user","policy":"billing-bots","rule":"0","action":"redact","enforced":true,"owasp":"LLM02","confidence_percent":95,"explanation":"issuer range, length and Luhn check digit","count":2,"hashes":["759b46c845817dce"]}],"#,
                r#""budgets":[{"key":"billing-bots/0/workload:/system.slice/bot.service","unit":"tokens","limit":200000,"#,
                r#""reserved":600,"settled":420,"debt":0}],"error":null}"#,
                "\n",
            )
        );
    }

    #[test]
    fn connection() {
        let line = line(Event::Connection(samples::connection().into()));
        assert_eq!(
            line,
            concat!(
                r#"{"kind":"connection","time":"2024-12-08T00:00:00.000Z","closed":"2024-12-08T00:00:02.500Z","#,
                r#""workload":null,"attribution":"unknown","attribution_reason":"no_record","client":"[fd00::7]:40312","original_destination":null,"#,
                r#""server_name":"example.com","outcome":"spliced_not_listed","alpn":null,"#,
                r#""bytes_up":517,"bytes_down":4096,"exchanges":0}"#,
                "\n",
            )
        );
    }

    #[test]
    fn bypass() {
        let line = line(Event::Bypass(samples::bypass().into()));
        assert_eq!(
            line,
            concat!(
                r#"{"kind":"bypass","time":"2024-12-08T00:00:00.000Z","workload":null,"attribution":"ambiguous","#,
                r#""attribution_reason":"process_not_seen","#,
                r#""placement":{"cgroup":"/system.slice/bot.service","unit":"bot.service","slice":"system.slice","#,
                r#""container":null,"pod":null,"spiffe":null},"#,
                r#""reason":"older_quic","verdict":"refused","transport":"udp","#,
                r#""destination":"162.159.140.245:443","server_name":null,"unreported":3}"#,
                "\n",
            )
        );
    }

    #[test]
    fn budget_threshold() {
        let line = line(Event::BudgetThreshold(samples::budget_threshold().into()));
        assert_eq!(
            line,
            concat!(
                r#"{"kind":"budget_threshold","time":"2024-12-08T00:00:00.000Z","#,
                r#""key":"billing-bots/0/workload:/system.slice/bot.service","policy":"billing-bots","budget":"0","#,
                r#""unit":"tokens","limit":1000,"settled":815,"percent":80,"window":"rolling:3600000ms","owner":"team-payments"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn audit() {
        let line = line(Event::Audit(samples::audit().into()));
        let (head, rest) = line.split_once(r#""workload":{"#).unwrap();
        assert_eq!(
            head,
            concat!(
                r#"{"kind":"audit","time":"2024-12-08T00:00:00.000Z","change":"override","outcome":"done","reason":null,"#,
                r#""uid":0,"login_uid":1001,"pid":4711,"#
            )
        );
        let (_, rest) = rest.split_once(r#""spiffe":null},"#).unwrap();
        assert_eq!(
            rest,
            concat!(
                r#""budget":"billing-bots/0/workload:/system.slice/bot.service","unit":"tokens","#,
                r#""before":{"limit":1000,"override_until":null,"settled":400,"debt":0},"#,
                r#""after":{"limit":3000,"override_until":"2024-12-08T02:00:00.000Z","settled":400,"debt":0}}"#,
                "\n",
            )
        );
    }

    #[test]
    fn a_pod_is_shown_without_its_labels() {
        let mut exchange = samples::exchange();
        exchange.workload = Some(samples::pod_workload());
        let line = line(Event::Exchange(exchange.into()));
        let id = "c".repeat(64);
        let placement = [
            &format!(r#""cgroup":"/kubepods/burstable/pod{}/{id}","#, samples::POD_UID),
            r#""unit":null,"slice":null,"#,
            &format!(r#""container":{{"id":"{id}","runtime":"containerd","name":"main","image":"registry.example/bot:1"}},"#),
            &format!(r#""pod":{{"uid":"{}","namespace":"billing","name":"bot-7d9-x","service_account":"bot","#, samples::POD_UID),
            r#""owner":{"kind":"ReplicaSet","name":"bot-7d9"}},"#,
            r#""spiffe":{"id":"spiffe://example.org/ns/billing/sa/bot","source":"derived"}},"#,
        ]
        .concat();
        assert!(line.contains(&placement), "{line}");
        assert!(!line.contains("gold"), "{line}");
    }

    #[test]
    fn times_to_the_end_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_733_616_000_007), "2024-12-08T00:00:00.007Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-30T22:00:00.999Z");
    }
}
