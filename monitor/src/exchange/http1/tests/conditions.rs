//! Policies that apply to some requests only, and rules about a request as a whole.

use std::path::Path;

use super::*;
use crate::config::Config;
use crate::event::{Exchange, Fault, Owasp};
use std::sync::Arc;

pub(super) fn lab_of(policies: &str) -> Lab {
    let config = Config::parse(&format!("policies:\n{policies}"), Path::new("weir.yaml")).unwrap();
    lab(&config.policies)
}

pub(super) fn chat(text: &str, more: &str) -> String {
    format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
}

/// What becomes of one request: its record, and what the client is told where it is refused.
fn ask(policies: &str, body: &str) -> (Arc<Exchange>, Option<String>) {
    let lab = lab_of(policies);
    let mut run = Run::new(&lab);
    run.client(&post(body));
    if run.to_client.is_empty() {
        run.upstream(&answer(ANSWER));
        return (lab.one_exchange(), None);
    }
    assert!(run.to_upstream.is_empty());
    (lab.one_exchange(), String::from_utf8(run.to_client).ok())
}

const STREAMS: &str = r#",
"stream":true"#;

#[test]
fn a_policy_applies_where_its_condition_holds() {
    for rule in [
        "models: {allow: [x]}",
        "operations: {deny: [chat_completions]}",
        "tools: {deny: [search]}",
        "content: [{detect: [pii.email], in: [prompt], action: block}]",
        "budgets: [{limit: 1 token, window: 1h}]",
        "max_prompt: 1 tokens",
        "deny: [{name: all, when: 'true'}]",
    ] {
        let policies = format!("  - {{name: a, when: request.stream, {rule}}}\n");
        let tools = r#","tools":[{"type":"function","function":{"name":"search"}}]"#;
        let (exchange, refusal) = ask(&policies, &chat("mail me@example.org", tools));
        assert_eq!(refusal, None, "{rule}");
        assert_eq!(
            (exchange.verdict, &exchange.reason),
            (Verdict::Allowed, &None),
            "{rule}"
        );
        assert!(
            exchange.budgets.is_empty() && exchange.findings.is_empty(),
            "{rule}"
        );
        let (exchange, refusal) = ask(
            &policies,
            &chat("mail me@example.org", &format!("{tools}{STREAMS}")),
        );
        assert!(refusal.is_some(), "{rule}");
        assert_eq!(exchange.verdict, Verdict::Denied, "{rule}");
    }
}

#[test]
fn the_answer_is_under_the_policies_that_applied_to_the_request() {
    for (when, edited) in [("true", true), ("!request.stream", false)] {
        let lab = lab_of(&format!(
            "  - {{name: a, when: '{when}', content: [{{detect: [pii.email], in: [response], action: redact}}]}}\n"
        ));
        let mut run = Run::new(&lab);
        run.client(&post(&chat("hi", STREAMS)));
        let payload = stream_of(&["mail a@", "example.org"]);
        run.upstream(&chunked(&payload));
        assert_eq!(dechunk(&run.to_client) != payload, edited, "{when}");
    }
}

#[test]
fn what_cannot_be_evaluated_counts_as_true_and_is_on_record() {
    let (exchange, refusal) = ask(
        "  - {name: a, when: 'workload.labels[\"tier\"] == \"gold\"', models: {allow: [x]}}\n",
        &chat("hi", ""),
    );
    assert!(refusal.unwrap().contains("model_not_allowed"));
    assert_eq!(exchange.faults.as_slice(), [Fault::ExpressionFailed]);
    let many: Vec<_> = (0..300)
        .map(|n| format!(r#"{{"type":"function","function":{{"name":"t{n}"}}}}"#))
        .collect();
    let (exchange, refusal) = ask(
        "  - {name: a, deny: [{name: no-shell, when: '\"shell\" in request.tools'}]}\n",
        &chat("hi", &format!(r#","tools":[{}]"#, many.join(","))),
    );
    assert!(
        refusal.unwrap().contains("policy_violation"),
        "more tools than are looked at"
    );
    assert_eq!(exchange.faults.as_slice(), [Fault::ExpressionFailed]);
    assert_eq!(exchange.reason, Some(Reason::Rule));
}

#[test]
fn a_body_that_cannot_be_read_is_refused_whatever_the_condition() {
    let (exchange, refusal) = ask("  - {name: a, when: request.stream}\n", "{not json");
    assert!(refusal.is_some());
    assert_eq!(exchange.reason, Some(Reason::Unreadable));
}

#[test]
fn what_passes_unread_is_judged_by_its_head() {
    for (operation, refused) in [("other", true), ("chat_completions", false)] {
        let lab = lab_of(&format!(
            "  - {{name: a, when: 'request.operation == \"{operation}\"', operations: {{deny: [\"*\"]}}}}\n"
        ));
        let mut run = Run::new(&lab);
        run.client(b"GET /v1/threads/x HTTP/1.1\r\nHost: api.openai.com\r\n\r\n");
        assert_eq!(
            run.to_client.starts_with(b"HTTP/1.1 403 "),
            refused,
            "{operation}"
        );
    }
}

const AFTER_EMAIL: &str = r#"
    content: [{name: mails, detect: [pii.email], in: [user], action: alert}]
    deny: [{name: tools-with-mail, when: 'findings.exists(f, f.detector == "pii.email" && f.part == "user") && size(request.tools) > 0', owasp: LLM06}]
"#;

#[test]
fn a_rule_denies_by_what_was_found() {
    let policies = format!("  - name: a{AFTER_EMAIL}");
    let tools = r#","tools":[{"type":"function","function":{"name":"send"}}]"#;
    for (text, more) in [("mail me@example.org", ""), ("hello", tools)] {
        assert_eq!(ask(&policies, &chat(text, more)).1, None);
    }
    let both = chat("mail me@example.org", tools);
    let (exchange, refusal) = ask(&policies, &both);
    assert!(refusal.unwrap().contains("policy_violation"));
    assert_eq!(
        (exchange.reason, exchange.rule.as_deref(), exchange.owasp),
        (Some(Reason::Rule), Some("tools-with-mail"), Some(Owasp::Llm06))
    );
    let (exchange, refusal) = ask(&format!("  - name: a\n    mode: observe{AFTER_EMAIL}"), &both);
    assert_eq!(refusal, None);
    assert_eq!(
        (
            exchange.observed,
            exchange.reason,
            exchange.rule.as_deref(),
            exchange.owasp
        ),
        (
            Some(Verdict::Denied),
            Some(Reason::Rule),
            Some("tools-with-mail"),
            Some(Owasp::Llm06)
        )
    );
}

#[test]
fn a_prompt_that_is_too_long_is_refused_as_the_provider_would() {
    for limit in ["50 tokens", "200 B"] {
        let policies = format!("  - {{name: a, max_prompt: {limit}}}\n");
        assert_eq!(ask(&policies, &chat("hello there", "")).1, None, "{limit}");
        let (exchange, refusal) = ask(&policies, &chat(&"hello ".repeat(100), ""));
        let refusal = refusal.unwrap();
        assert!(refusal.starts_with("HTTP/1.1 400 "), "{refusal}");
        assert!(
            refusal.contains("prompt_too_long") && refusal.contains("invalid_request_error"),
            "{refusal}"
        );
        assert_eq!(
            (exchange.reason, exchange.owasp),
            (Some(Reason::PromptSize), Some(Owasp::Llm10))
        );
    }
}

#[test]
fn a_users_language_is_allowed_or_refused_where_it_is_certain() {
    let policies = "  - {name: a, languages: {allow: [en]}}\n";
    let german = "Bitte fasse den folgenden Bericht zusammen und nenne die drei wichtigsten Ergebnisse für den Vorstand.";
    let english =
        "Please summarise the following report and list the three most important findings for the board.";
    for text in [english, "Danke!"] {
        assert_eq!(ask(policies, &chat(text, "")).1, None, "{text}");
    }
    let (exchange, refusal) = ask(policies, &chat(german, ""));
    assert!(refusal.unwrap().contains("language_not_allowed"));
    assert_eq!(
        (exchange.reason, exchange.policy.as_deref()),
        (Some(Reason::Language), Some("a"))
    );
    let quoted = format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"{german}"}},{{"role":"user","content":"{english}"}}]}}"#
    );
    assert_eq!(ask(policies, &quoted).1, None, "only what the user says");
}

#[test]
fn a_content_rules_decision_has_its_name_and_category() {
    let (exchange, _) = ask(
        "  - {name: a, content: [{name: no-mail, detect: [pii.email], in: [prompt], action: block}]}\n",
        &chat("mail me@example.org", ""),
    );
    assert_eq!(
        (exchange.rule.as_deref(), exchange.owasp),
        (Some("no-mail"), Some(Owasp::Llm02))
    );
    let (exchange, _) = ask("  - {name: a, models: {allow: [x]}}\n", &chat("hi", ""));
    assert_eq!(
        (exchange.rule.as_deref(), exchange.owasp),
        (None, Some(Owasp::Llm06))
    );
}
