use serde_json::{Value, json};

use super::*;
use crate::event::{Exchange, LimitAction, Outcome, Reason, ShortText, Verdict, samples};

fn record(event: Event) -> Value {
    let mut line = Vec::new();
    encode(&event, &mut line).unwrap();
    assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
    assert!(line.ends_with(b"\n"));
    serde_json::from_slice(&line).unwrap()
}

fn exchange(change: impl FnOnce(&mut Exchange)) -> Value {
    let mut exchange = samples::exchange();
    change(&mut exchange);
    record(Event::Exchange(exchange.into()))
}

#[test]
fn golden_api_activity() {
    let golden = include_str!("golden/api_activity.json").replace("VERSION", env!("CARGO_PKG_VERSION"));
    let expected: Value = serde_json::from_str(&golden).unwrap();
    assert_eq!(exchange(|_| {}), expected);
}

#[test]
fn decisions() {
    let plain = |exchange: &mut Exchange| {
        exchange.verdict = Verdict::Allowed;
        exchange.reason = None;
    };
    let allowed = exchange(plain);
    assert_eq!(
        (&allowed["action_id"], &allowed["disposition_id"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&allowed["status_id"], &allowed["severity_id"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(allowed.get("status_detail"), None);

    let observed = exchange(|exchange| {
        plain(exchange);
        exchange.observed = Some(Verdict::Denied);
    });
    assert_eq!(
        (&observed["action_id"], &observed["severity_id"]),
        (&json!(3), &json!(2))
    );

    let redacted = exchange(|exchange| {
        exchange.verdict = Verdict::Redacted;
        exchange.reason = Some(Reason::Content);
    });
    assert_eq!(
        (&redacted["action_id"], &redacted["status_id"]),
        (&json!(4), &json!(1))
    );

    let denied = exchange(|exchange| {
        exchange.verdict = Verdict::Denied;
        exchange.reason = Some(Reason::Content);
        exchange.http.status = Some(403);
        exchange.usage = None;
    });
    assert_eq!(
        (&denied["severity_id"], &denied["status_id"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(denied.get("message_context"), None);
}

#[test]
fn what_is_not_known_is_not_claimed() {
    let value = exchange(|exchange| {
        exchange.workload = None;
        exchange.model = None;
        exchange.http.status = None;
        exchange.http.method = ShortText::new("BREW");
    });
    assert_eq!(value["actor"], json!({"app_name": "unknown"}));
    assert_eq!(value["ai_model"]["name"], "unknown");
    assert_eq!(value["http_request"].get("http_method"), None);
    assert_eq!(
        (&value["activity_id"], &value["type_uid"]),
        (&json!(99), &json!(600_399))
    );
    assert_eq!(
        (value.get("http_response"), &value["status_id"]),
        (None, &json!(2))
    );
}

#[test]
fn connections() {
    let value = record(Event::Connection(samples::connection().into()));
    assert_eq!(
        (&value["class_uid"], &value["type_uid"]),
        (&json!(4001), &json!(400_102))
    );
    assert_eq!(value["dst_endpoint"], json!({"hostname": "example.com"}));
    assert_eq!(
        value["traffic"],
        json!({"bytes_out": 517, "bytes_in": 4096, "bytes": 4613})
    );
    assert_eq!(value["status_detail"], "spliced_not_listed");

    let mut failed = samples::connection();
    failed.outcome = Outcome::ClientDistrustsCa;
    failed.server_name = None;
    let value = record(Event::Connection(failed.into()));
    assert_eq!(
        (&value["activity_id"], &value["action_id"], &value["severity_id"]),
        (&json!(4), &json!(2), &json!(2))
    );
    assert_eq!(value.get("dst_endpoint"), None);
}

#[test]
fn bypasses() {
    let refused = record(Event::Bypass(samples::bypass().into()));
    assert_eq!(
        (&refused["class_uid"], &refused["type_uid"], &refused["count"]),
        (&json!(4001), &json!(400_105), &json!(4))
    );
    assert_eq!(
        (
            &refused["action_id"],
            &refused["disposition_id"],
            &refused["severity_id"],
            &refused["status_id"]
        ),
        (&json!(2), &json!(2), &json!(2), &json!(2))
    );
    assert_eq!(refused["status_detail"], "older_quic");
    assert_eq!(refused["actor"], json!({"app_name": "unknown"}));
    assert_eq!(
        refused["connection_info"],
        json!({"direction_id": 2, "protocol_num": 17, "protocol_name": "udp"})
    );
    assert_eq!(
        refused["unmapped"]["placement"]["cgroup"],
        "/system.slice/bot.service"
    );

    let mut passed = samples::bypass();
    (passed.denied, passed.workload) = (false, Some(samples::workload()));
    let passed = record(Event::Bypass(passed.into()));
    assert_eq!(
        (&passed["type_uid"], &passed["action_id"], &passed["severity_id"]),
        (&json!(400_106), &json!(1), &json!(3))
    );
    assert_eq!(passed["actor"]["process"]["pid"], 4711);
}

#[test]
fn changes_of_budgets() {
    let done = record(Event::Audit(samples::audit().into()));
    assert_eq!(
        (
            &done["category_uid"],
            &done["class_uid"],
            &done["type_uid"],
            &done["status_id"],
            &done["severity_id"]
        ),
        (&json!(3), &json!(3004), &json!(300_403), &json!(1), &json!(2))
    );
    assert_eq!(
        (&done["actor"]["process"]["pid"], &done["unmapped"]["login_uid"]),
        (&json!(4711), &json!(1001))
    );
    assert_eq!(done["comment"], "override");
    let key = "billing-bots/0/workload:/system.slice/bot.service";
    let before = json!({"unit": "tokens", "limit": 1000, "settled": 400, "debt": 0});
    assert_eq!(
        done["entity"],
        json!({"uid": key, "type": "Budget", "type_id": 99, "data": before})
    );
    assert_eq!(
        done["entity_result"]["data"]["override_until"],
        json!(samples::MIDNIGHT_MS + 7_200_000)
    );

    let mut denied = samples::audit();
    denied.outcome = crate::event::AuditOutcome::Denied;
    denied.reason = Some(ShortText::new("user 1001 may not"));
    (denied.before, denied.after, denied.unit, denied.actor.workload) = (None, None, None, None);
    let denied = record(Event::Audit(denied.into()));
    assert_eq!(
        (
            &denied["status_id"],
            &denied["action_id"],
            &denied["severity_id"],
            &denied["status_detail"]
        ),
        (&json!(2), &json!(2), &json!(3), &json!("user 1001 may not"))
    );
    assert_eq!(
        denied["entity"],
        json!({"uid": key, "type": "Budget", "type_id": 99})
    );
    assert_eq!(denied.get("entity_result"), None);
    assert_eq!(denied["actor"], json!({"app_name": "unknown"}));
}

#[test]
fn what_limits_did_is_not_mapped() {
    let value = exchange(|exchange| {
        exchange.requested_model = Some(ShortText::new("gpt-4o"));
        (exchange.clamped, exchange.slowed) = (Some(64), Some(20));
        exchange.actions = [LimitAction::Clamped, LimitAction::Downgraded]
            .into_iter()
            .collect();
        exchange.observed_actions = [LimitAction::SlowedDown].into_iter().collect();
    });
    let unmapped = &value["unmapped"];
    assert_eq!(
        (
            &unmapped["requested_model"],
            &unmapped["clamped"],
            &unmapped["slowed"]
        ),
        (&json!("gpt-4o"), &json!(64), &json!(20))
    );
    assert_eq!(
        (&unmapped["actions"], &unmapped["observed_actions"]),
        (&json!(["clamped", "downgraded"]), &json!(["slowed_down"]))
    );
}

#[test]
fn golden_detection_finding() {
    let golden = include_str!("golden/detection_finding.json").replace("VERSION", env!("CARGO_PKG_VERSION"));
    let expected: Value = serde_json::from_str(&golden).unwrap();
    let threshold = record(Event::BudgetThreshold(samples::budget_threshold().into()));
    assert_eq!(threshold, expected);

    let mut whole = samples::budget_threshold();
    (whole.percent, whole.window) = (100, None);
    let whole = record(Event::BudgetThreshold(whole.into()));
    assert_eq!(whole["severity_id"], json!(3));
    assert_eq!(whole["resources"][0]["data"].get("window"), None);
}

#[test]
fn a_container_is_that_of_the_process() {
    let value = exchange(|exchange| exchange.workload = Some(samples::pod_workload()));
    assert_eq!(
        value["actor"]["process"]["container"],
        json!({
            "uid": "c".repeat(64),
            "name": "main",
            "runtime": "containerd",
            "orchestrator": "kubernetes",
            "pod_uuid": samples::POD_UID,
        })
    );
    assert_eq!(
        value["actor"]["app_uid"],
        "spiffe://example.org/ns/billing/sa/bot"
    );
    let workload = &value["unmapped"]["workload"];
    assert_eq!(workload["pod"]["service_account"], "bot");
    assert_eq!(workload["image"], "registry.example/bot:1");
    assert_eq!(workload.get("unit"), None);
}

#[test]
fn a_static_pods_hash_is_no_uuid() {
    let value = exchange(|exchange| {
        let mut workload = crate::identity::Workload::clone(&samples::pod_workload());
        let mut placement = crate::identity::Placement::clone(&workload.placement);
        placement.pod = Some(std::sync::Arc::new(crate::identity::Pod {
            uid: "0123456789abcdef0123456789abcdef".into(),
            ..Default::default()
        }));
        workload.placement = placement.into();
        exchange.workload = Some(workload.into());
    });
    assert_eq!(value["actor"]["process"]["container"].get("pod_uuid"), None);
    assert_eq!(
        value["unmapped"]["workload"]["pod"]["uid"],
        "0123456789abcdef0123456789abcdef"
    );
}
