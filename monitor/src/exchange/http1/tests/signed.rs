//! Signed bodies: they pass as they are, and are refused where policy wants an edit.

use super::*;

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n";

fn signed(body: &str) -> Vec<u8> {
    let request = String::from_utf8(post(body)).unwrap();
    request.replacen("X-Odd:  kept \r\n", SIGNED, 1).into_bytes()
}

#[test]
fn a_redaction_of_a_signed_body_is_a_refusal() {
    let lab = lab(&[policy(
        vec![rule("pii.credit_card", true, false, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::new(&lab);
    run.client(&signed(CHAT));
    let refusal = String::from_utf8(run.to_client.clone()).unwrap();
    assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
    assert!(
        refusal.contains("signed_request") && refusal.contains("'test'"),
        "{refusal}"
    );
    assert!(run.to_upstream.is_empty());
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason, exchange.policy.as_deref()),
        (Verdict::Denied, Some(Reason::Signed), Some("test"))
    );
    assert_eq!(exchange.findings.len(), 1, "what was found is on record");
}

#[test]
fn a_signed_body_without_findings_passes_and_is_not_asked_for_usage() {
    let mut exact = policy(
        vec![rule("secret.*", true, false, Action::Redact)],
        vec![budget(100_000)],
    );
    exact.meter = Meter::Exact;
    let lab = lab(&[exact]);
    let mut run = Run::new(&lab);
    let request = signed(&CHAT.replacen('{', "{\"stream\":true,", 1));
    run.client(&request);
    assert_eq!(run.to_upstream, request);
}
