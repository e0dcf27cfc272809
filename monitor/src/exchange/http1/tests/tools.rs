//! Which tools may be offered to a model, and called by it.

use super::*;
use crate::config::{Glob, NameRule};
use crate::event::Verdict;

fn of_tools(mode: Mode, allow: Option<&[&str]>, deny: &[&str]) -> Policy {
    let globs = |patterns: &[&str]| -> Vec<Glob> {
        patterns
            .iter()
            .map(|pattern| Glob::new(pattern).unwrap())
            .collect()
    };
    Policy {
        mode,
        tools: NameRule {
            allow: allow.map(globs),
            deny: globs(deny),
        },
        ..policy(vec![], vec![])
    }
}

fn offering(names: &[&str]) -> String {
    let tools: Vec<_> = names
        .iter()
        .map(|name| format!(r#"{{"type":"function","function":{{"name":"{name}","parameters":{{}}}}}}"#))
        .collect();
    format!(
        r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"hi"}}],"tools":[{}]}}"#,
        tools.join(",")
    )
}

fn call_delta(index: u32, function: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":{index},\"function\":{function}}}]}}}}]}}\n\n"
    )
}

const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";

#[test]
fn a_tool_that_no_list_allows_is_refused_where_it_is_offered() {
    for (allow, deny, offered, refused) in [
        (
            Some(&["search_*"][..]),
            &["shell"][..],
            &["search_web"][..],
            false,
        ),
        (Some(&["search_*"]), &[], &["search_web", "shell"], true),
        (None, &["shell"], &["search_web", "shell"], true),
        (None, &["shell"], &[], false),
        (Some(&["search_*"]), &["search_all"], &["search_all"], true),
    ] {
        let lab = lab(&[of_tools(Mode::Enforce, allow, deny)]);
        let mut run = Run::new(&lab);
        run.client(&post(&offering(offered)));
        if !refused {
            assert_eq!(run.to_upstream, post(&offering(offered)), "{offered:?}");
            continue;
        }
        let refusal = String::from_utf8(run.to_client.clone()).unwrap();
        assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
        assert!(refusal.contains("tool_not_allowed"), "{refusal}");
        assert!(!refusal.contains("shell"), "the tool is not named");
        assert!(run.to_upstream.is_empty());
        let exchange = lab.one_exchange();
        assert_eq!(
            (exchange.verdict, exchange.reason, exchange.policy.as_deref()),
            (Verdict::Denied, Some(Reason::Tool), Some("test"))
        );
    }
}

#[test]
fn a_call_is_cut_before_its_name_is_let_go_wherever_the_name_is_split() {
    for split in 0.."shell".len() {
        let (head, tail) = "shell".split_at(split);
        let lab = lab(&[of_tools(Mode::Enforce, None, &["shell"])]);
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        let payload = [
            delta("Let me see. "),
            call_delta(0, r#"{"name":"look_up","arguments":"{}"}"#),
            call_delta(1, &format!(r#"{{"name":"{head}"}}"#)),
            call_delta(1, &format!(r#"{{"name":"{tail}","arguments":""}}"#)),
            call_delta(1, r#"{"arguments":"{\"cmd\":\"rm -rf\"}"}"#),
            FINISH.to_owned(),
        ]
        .concat();
        run.upstream(&chunked(&payload));
        let sent = String::from_utf8(run.to_client.clone()).unwrap();
        assert!(
            sent.contains("Let me see. ") && sent.contains("look_up"),
            "{sent}"
        );
        assert!(sent.contains("tool_not_allowed"), "{sent}");
        assert!(!sent.contains("rm -rf"), "{sent}");
        assert!(
            head.is_empty() || !sent.contains(&format!("\"{head}\"")),
            "{sent}"
        );
        let exchange = lab.one_exchange();
        assert_eq!(
            (exchange.verdict, exchange.reason),
            (Verdict::Cut, Some(Reason::Tool))
        );
    }
}

#[test]
fn a_name_that_begins_as_a_denied_one_passes() {
    let lab = lab(&[of_tools(Mode::Enforce, Some(&["shell_docs"]), &["shell"])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let payload = [
        call_delta(0, r#"{"name":"shell"}"#),
        call_delta(0, r#"{"name":"_docs"}"#),
        call_delta(0, r#"{"arguments":"{}"}"#),
        FINISH.to_owned(),
    ]
    .concat();
    run.upstream(&chunked(&payload));
    assert_eq!(dechunk(&run.to_client), payload);
    assert_eq!(lab.one_exchange().verdict, Verdict::Allowed);
}

#[test]
fn a_call_without_arguments_is_checked_when_the_answer_finishes() {
    for end in [FINISH, ""] {
        let lab = lab(&[of_tools(Mode::Enforce, None, &["shell"])]);
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        let payload = [call_delta(0, r#"{"name":"shell"}"#), end.to_owned()].concat();
        run.upstream(&chunked(&payload));
        let sent = String::from_utf8(run.to_client.clone()).unwrap();
        assert!(!sent.contains("\"shell\""), "{sent}");
        assert!(sent.contains("tool_not_allowed"), "{sent}");
    }
}

#[test]
fn a_whole_answer_that_calls_it_is_refused() {
    let called = r#"{"choices":[{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"shell","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let refused = lab(&[of_tools(Mode::Enforce, Some(&["search"]), &[])]);
    let mut run = Run::new(&refused);
    run.client(&post(CHAT));
    run.upstream(&answer(called));
    let sent = String::from_utf8(run.to_client.clone()).unwrap();
    assert!(
        sent.starts_with("HTTP/1.1 403 ") && sent.contains("tool_not_allowed"),
        "{sent}"
    );

    let observed = lab(&[of_tools(Mode::Observe, Some(&["search"]), &[])]);
    let mut run = Run::new(&observed);
    run.client(&post(CHAT));
    run.upstream(&answer(called));
    assert_eq!(run.to_client, answer(called));
    let exchange = observed.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.observed, exchange.reason),
        (Verdict::Allowed, Some(Verdict::Denied), Some(Reason::Tool))
    );
}

#[test]
fn names_that_never_end_are_bounded() {
    let lab = lab(&[of_tools(Mode::Enforce, None, &["shell"])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let piece = call_delta(0, &format!(r#"{{"name":"{}"}}"#, "a".repeat(100)));
    run.upstream(&chunked(&piece.repeat(6)));
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason),
        (Verdict::Cut, Some(Reason::TooLarge))
    );
}
