//! Texts that detectors could not read to their end.

use super::*;
use crate::event::{Exchange, Fault};
use std::sync::Arc;

/// Harmless, and in base64 five times over.
const DEEP: &str = "Vm10amQwNVZNVWhTYTJocFUwWmFhRnBXVmtwa01XeDFZa1ZPYkdKSVFsbFdiR1JyWVVaSmVGZHFWbGhpUlRSNlYycEtTMlJGT1ZsaVJYQlRUVVp2ZUZkc1dtOWhNa2w0WTBac1ZHSllhRTVYYm05M1QxRTlQUT09";

/// The record of an exchange under a policy, and what came to the client.
fn exchange(policy: &str, prompt: &str, response: &[u8]) -> (Arc<Exchange>, String) {
    let lab = conditions::lab_of(&format!("  - {{name: a, {policy}}}\n"));
    let mut run = Run::new(&lab);
    run.client(&post(&conditions::chat(prompt, "")));
    if run.to_client.is_empty() {
        run.upstream(response);
    }
    let record = lab.one_exchange();
    (record, String::from_utf8(run.to_client).unwrap())
}

fn decided(record: &Exchange) -> (Verdict, Option<Verdict>, Option<Reason>) {
    (record.verdict, record.observed, record.reason)
}

#[test]
fn a_prompt_is_refused_unless_policy_lets_it_pass() {
    for action in ["alert", "redact", "block"] {
        let rule = format!("content: [{{name: r, detect: [pii.email], in: [prompt], action: {action}}}]");
        for (more, expected) in [
            ("", (Verdict::Denied, None, Some(Reason::Content))),
            (
                ", on_detector_limit: deny",
                (Verdict::Denied, None, Some(Reason::Content)),
            ),
            (", on_detector_limit: allow", (Verdict::Allowed, None, None)),
            (
                ", mode: observe",
                (Verdict::Allowed, Some(Verdict::Denied), Some(Reason::Content)),
            ),
            (
                ", mode: observe, on_detector_limit: allow",
                (Verdict::Allowed, None, None),
            ),
        ] {
            let (record, client) = exchange(&format!("{rule}{more}"), DEEP, &answer(ANSWER));
            assert_eq!(decided(&record), expected, "{action}{more}");
            assert_eq!(record.faults.as_slice(), [Fault::DetectorLimit], "{action}{more}");
            assert_eq!(
                client.contains("Hello"),
                expected.0 == Verdict::Allowed,
                "{action}{more}"
            );
            assert!(record.findings.is_empty());
            let rule = expected.2.map(|_| "r");
            assert_eq!(record.rule.as_deref(), rule, "{action}{more}");
        }
    }
}

#[test]
fn more_text_than_is_read_is_refused() {
    let rules = |count: usize| {
        let rule = "{detect: [pii.mac_address], in: [prompt], action: block}";
        format!("content: [{}]", vec![rule; count].join(", "))
    };
    let prompt = "words and more words ".repeat((2 << 20) / 21);
    for (count, fault) in [(63, false), (65, true)] {
        let (record, _) = exchange(&rules(count), &prompt, &answer(ANSWER));
        assert_eq!(record.verdict == Verdict::Denied, fault, "{count} rules");
        assert_eq!(record.faults.is_empty(), !fault, "{count} rules");
    }
}

#[test]
fn what_was_found_is_still_redacted() {
    let prompt = format!("mail a@example.org {DEEP}");
    let lab = conditions::lab_of(
        "  - {name: a, on_detector_limit: allow, content: [{detect: [pii.email], in: [prompt], action: redact}]}\n",
    );
    let mut run = Run::new(&lab);
    run.client(&post(&conditions::chat(&prompt, "")));
    let sent = String::from_utf8(run.to_upstream.clone()).unwrap();
    assert!(sent.contains(&format!("mail [REDACTED:email] {DEEP}")), "{sent}");
    run.upstream(&answer(ANSWER));
    let record = lab.one_exchange();
    assert_eq!(record.verdict, Verdict::Redacted);
    assert_eq!(record.faults.as_slice(), [Fault::DetectorLimit]);
}

#[test]
fn an_answer_is_cut_or_refused_unless_policy_lets_it_pass() {
    let flood = format!("4111{}1111", "\u{200b}".repeat(2000));
    let streamed = chunked(&stream_of(&["Hello, ", &flood, " there"]));
    let whole = answer(&ANSWER.replace("mail", DEEP));
    for (response, refused) in [(&streamed, Verdict::Cut), (&whole, Verdict::Denied)] {
        for (action, more, denied) in [
            ("redact", "", true),
            ("block", "", true),
            ("redact", ", on_detector_limit: allow", false),
            ("alert", "", false),
            ("block", ", mode: observe", false),
        ] {
            let policy =
                format!("content: [{{detect: [pii.credit_card], in: [response], action: {action}}}]{more}");
            let (record, client) = exchange(&policy, "hi", response);
            let expected = if denied { refused } else { Verdict::Allowed };
            assert_eq!(record.verdict, expected, "{action}{more}");
            assert_eq!(record.faults.as_slice(), [Fault::DetectorLimit], "{action}{more}");
            assert_eq!(
                client.contains("there") || client.contains("a@example.org"),
                !denied,
                "{action}{more} {client}"
            );
            assert_eq!(
                record.observed.is_some(),
                more.contains("observe"),
                "{action}{more}"
            );
        }
    }
}
