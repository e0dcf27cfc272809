//! Which operations a policy allows, and what is done with those that no model answers.

use super::*;
use crate::config::{Glob, NameRule};

fn globs(patterns: &[&str]) -> Vec<Glob> {
    patterns
        .iter()
        .map(|pattern| Glob::new(pattern).unwrap())
        .collect()
}

fn of_operations(mode: Mode, allow: Option<&[&str]>, deny: &[&str]) -> Policy {
    Policy {
        mode,
        operations: NameRule {
            allow: allow.map(globs),
            deny: globs(deny),
        },
        ..policy(vec![], vec![])
    }
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: api.openai.com\r\n\r\n").into_bytes()
}

#[test]
fn an_operation_that_no_list_allows_is_refused_before_its_body() {
    for (allow, deny, refused) in [
        (Some(&["chat_completions"][..]), &[][..], false),
        (Some(&["embeddings", "messages"]), &[], true),
        (None, &["chat_*"], true),
        (Some(&["*"]), &["other"], false),
    ] {
        let lab = lab(&[of_operations(Mode::Enforce, allow, deny)]);
        let mut run = Run::new(&lab);
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 9\r\n\r\n";
        run.client(head.as_bytes());
        if !refused {
            assert!(run.to_client.is_empty());
            continue;
        }
        let refusal = String::from_utf8(run.to_client.clone()).unwrap();
        assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
        assert!(refusal.contains("operation_not_allowed"), "{refusal}");
        let exchange = lab.one_exchange();
        assert_eq!(
            (exchange.verdict, exchange.reason, exchange.policy.as_deref()),
            (Verdict::Denied, Some(Reason::Operation), Some("test"))
        );
    }
}

#[test]
fn unknown_paths_are_an_operation_too() {
    let lab = lab(&[of_operations(Mode::Enforce, None, &["other"])]);
    let mut run = Run::new(&lab);
    run.client(&get("/v1/threads/x/runs"));
    assert!(run.to_client.starts_with(b"HTTP/1.1 403 "));
    assert!(run.to_upstream.is_empty());
}

#[test]
fn an_observing_policy_only_notes_the_operation() {
    let lab = lab(&[of_operations(Mode::Observe, Some(&["embeddings"]), &[])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_client, answer(ANSWER));
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.observed, exchange.reason),
        (Verdict::Allowed, Some(Verdict::Denied), Some(Reason::Operation))
    );
}

#[test]
fn an_unknown_path_passes_with_its_sizes_on_record() {
    let lab = lab(&[policy(
        vec![rule("pii.*", true, true, Action::Redact)],
        vec![budget(100)],
    )]);
    let mut run = Run::new(&lab);
    let request =
        b"PUT /v1/vector_stores/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n\x00\x01\x02\x03\x04";
    run.client(request);
    assert_eq!(run.to_upstream, request);
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd";
    run.upstream(response);
    assert_eq!(run.to_client, response);
    let exchange = lab.one_exchange();
    assert_eq!(exchange.operation, "other");
    assert_eq!(
        (exchange.http.request_bytes, exchange.http.response_bytes),
        (5, 3)
    );
    assert_eq!((exchange.usage, exchange.verdict), (None, Verdict::Allowed));
}

#[test]
fn binary_answers_are_sizes_and_never_a_refusal() {
    let rules = vec![rule("pii.*", true, true, Action::Redact)];
    let lab = lab(&[policy(rules, vec![budget(1_000_000)])]);
    for media in ["audio/mpeg", "image/png", "application/octet-stream"] {
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: 3\r\n\r\nabc");
        run.upstream(response.as_bytes());
        assert_eq!(run.to_client, response.as_bytes(), "{media}");
    }
    let exchange = lab.exchanges().pop().unwrap();
    assert_eq!((exchange.http.response_bytes, exchange.error), (3, None));
}

#[test]
fn a_text_that_is_a_whole_answer_is_scanned_as_one() {
    let lab = lab(&[policy(
        vec![rule("pii.email", false, true, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let text = "Write \"me\" at a@example.org.\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n";
    run.upstream(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    let masked = text.replace("a@example.org", "[REDACTED:email]");
    let expected = format!("{head}content-length: {}\r\n\r\n{masked}", masked.len());
    assert_eq!(String::from_utf8(run.to_client.clone()).unwrap(), expected);
    let exchange = lab.one_exchange();
    assert_eq!(exchange.verdict, Verdict::Redacted);
    assert!(exchange.counted.unwrap().output > 5);
}
