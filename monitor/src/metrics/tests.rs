use monitor_common::Reason;

use super::*;
use crate::event::{BypassReason, Certainty, ShortText, TokenUsage, samples};

fn rendered(metrics: &Metrics) -> String {
    String::from_utf8(metrics.render().unwrap()).unwrap()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
}

#[test]
fn counts_exchanges_and_connections() {
    let metrics = Metrics::new().unwrap();
    metrics.count_exchange(&samples::exchange());
    metrics.count_exchange(&samples::exchange());
    let mut plain = samples::exchange();
    (plain.reason, plain.usage, plain.time_to_first_byte_us) = (None, None, None);
    metrics.count_exchange(&plain);
    metrics.count_connection(&samples::connection());
    let text = rendered(&metrics);
    let exchanges = |reason: &str, count: u32| {
        format!(
            r#"weir_exchanges_total{{operation="chat_completions",provider="openai",reason="{reason}",verdict="cut"}} {count}"#
        )
    };
    has(&text, &exchanges("budget", 2));
    has(&text, &exchanges("none", 1));
    has(
        &text,
        r#"weir_tokens_total{kind="input",model="gpt-4o-mini",provider="openai"} 240"#,
    );
    has(
        &text,
        r#"weir_tokens_total{kind="reasoning",model="gpt-4o-mini",provider="openai"} 80"#,
    );
    assert!(
        !text.contains(r#"kind="cache_write""#),
        "nothing was written to a cache"
    );
    // Three exchanges with two cards each.
    has(
        &text,
        r#"weir_content_findings_total{action="redact",detector="pii.credit_card",enforced="true"} 6"#,
    );
    has(&text, r#"weir_connections_total{outcome="spliced_not_listed"} 1"#);
    has(&text, r#"weir_exchange_duration_seconds_bucket{le="2.5"} 3"#);
    has(&text, r#"weir_exchange_duration_seconds_bucket{le="1"} 0"#);
    has(&text, "weir_time_to_first_byte_seconds_count 2");
    has(&text, "weir_events_dropped_total 0");
    assert!(text.contains("\nprocess_resident_memory_bytes "));
    assert!(text.contains("weir_build_info{version="));
}

#[test]
fn every_family_has_help() {
    let metrics = Metrics::new().unwrap();
    let text = rendered(&metrics);
    for kind in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = kind.split(' ').next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

#[test]
fn models_are_cut_off() {
    let metrics = Metrics::new().unwrap();
    for index in 0..MAX_MODEL_LABELS + 50 {
        let mut exchange = samples::exchange();
        exchange.model = Some(ShortText::new(&format!("model-{index}")));
        let usage = TokenUsage {
            input: 1,
            output: 0,
            cache_read: 0,
            cache_write: 0,
            reasoning: 0,
            modalities: Default::default(),
            certainty: Certainty::Exact,
        };
        exchange.usage = Some(usage);
        metrics.count_exchange(&exchange);
    }
    let text = rendered(&metrics);
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("weir_tokens_total{"))
            .count(),
        MAX_MODEL_LABELS + 1
    );
    has(
        &text,
        r#"weir_tokens_total{kind="input",model="other",provider="openai"} 50"#,
    );
}

#[test]
fn kernel_counters_once() {
    let metrics = Metrics::new().unwrap();
    metrics.add_kernel_counters(|| vec![("redirected", 7)]).unwrap();
    has(
        &rendered(&metrics),
        r#"weir_kernel_events_total{reason="redirected"} 7"#,
    );
    assert!(metrics.add_kernel_counters(Vec::new).is_err());
}

#[test]
fn bypasses_are_the_kernels_counters_and_our_own_records() {
    let metrics = Metrics::new().unwrap();
    let kernel = || Some(vec![(Reason::RefusedQuic, 5), (Reason::Redirected, 9)]);
    assert!(metrics.read_kernel_bypasses(Box::new(kernel)));
    // A kernel reason's record is one of many that its counter has already.
    metrics.count_bypass(&samples::bypass());
    let mut own = samples::bypass();
    (own.reason, own.denied) = (BypassReason::UntrustedCa, false);
    metrics.count_bypass(&own);
    let text = rendered(&metrics);
    has(&text, r#"weir_bypasses_total{reason="quic",verdict="refused"} 5"#);
    has(&text, r#"weir_bypasses_total{reason="quic",verdict="passed"} 0"#);
    has(
        &text,
        r#"weir_bypasses_total{reason="older_quic",verdict="refused"} 0"#,
    );
    has(
        &text,
        r#"weir_bypasses_total{reason="untrusted_ca",verdict="passed"} 4"#,
    );
    has(
        &text,
        r#"weir_bypasses_total{reason="untrusted_ca",verdict="refused"} 0"#,
    );
    let families = text
        .lines()
        .filter(|line| line.starts_with("weir_bypasses_total{"));
    assert_eq!(families.count(), 2 * BypassReason::ALL.len());
}

#[test]
fn self_test() {
    let metrics = Metrics::new().unwrap();
    metrics.note_self_test(true, 1_733_616_000_900);
    metrics.note_self_test(false, 1_733_616_060_000);
    let text = rendered(&metrics);
    has(&text, "weir_self_test_success 0");
    has(&text, "weir_self_test_last_success_timestamp_seconds 1733616000");
}
