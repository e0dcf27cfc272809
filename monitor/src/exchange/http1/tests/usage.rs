//! The usage of streams: asked for where the client does not ask, and kept from it then.

use monitor_protocol::Api;

use super::*;
use crate::event::Certainty;
use crate::exchange::Opened;

const STREAM: &str =
    r#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Say hello"}]}"#;
const TOLD: &str = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}\n\n";

fn metered(meter: Meter, mode: Mode, budgets: Vec<BudgetRule>, content: Vec<ContentRule>) -> Policy {
    Policy {
        meter,
        mode,
        ..policy(content, budgets)
    }
}

/// What a provider streams that was asked for the usage, and what one streams that was not.
fn streams(texts: &[&str]) -> (String, String) {
    let direct = stream_of(texts);
    let asked = direct
        .replace("}\n\n", ",\"usage\":null}\n\n")
        .replace("data: [DONE]", &format!("{TOLD}data: [DONE]"));
    (asked, direct)
}

fn body_of(request: &[u8]) -> String {
    let at = memchr::memmem::find(request, b"\r\n\r\n").unwrap() + 4;
    String::from_utf8(request[at..].to_vec()).unwrap()
}

#[test]
fn usage_is_asked_for_and_the_client_sees_the_stream_of_the_direct_run() {
    let scan = || vec![rule("secret.*", false, true, Action::Redact)];
    for content in [vec![], scan()] {
        let lab = lab(&[metered(
            Meter::Exact,
            Mode::Enforce,
            vec![budget(100_000)],
            content,
        )]);
        let (asked, direct) = streams(&["Hel", "lo \"usage\":null ", "you"]);
        let wire = chunked(&asked);
        for cut in [wire.len(), 200, 333, 700] {
            let mut run = Run::new(&lab);
            run.client(&post(STREAM));
            assert_eq!(
                body_of(&run.to_upstream),
                STREAM.replacen('{', "{\"stream_options\":{\"include_usage\":true},", 1)
            );
            run.upstream(&wire[..cut]);
            run.upstream(&wire[cut..]);
            assert_eq!(dechunk(&run.to_client), direct);
        }
        let usage = lab.exchanges().pop().unwrap().usage.unwrap();
        assert_eq!(
            (usage.input, usage.output, usage.certainty),
            (9, 4, Certainty::Exact)
        );
    }
}

#[test]
fn a_client_that_asks_gets_what_it_asks_for() {
    let lab = lab(&[metered(
        Meter::Exact,
        Mode::Enforce,
        vec![budget(100_000)],
        vec![],
    )]);
    let request = STREAM.replacen('{', "{\"stream_options\":{\"include_usage\":true},", 1);
    let (asked, _) = streams(&["Hello"]);
    let mut run = Run::new(&lab);
    run.client(&post(&request));
    assert_eq!(run.to_upstream, post(&request));
    run.upstream(&chunked(&asked));
    assert_eq!(dechunk(&run.to_client), asked);
}

#[test]
fn requests_stay_as_they_are_where_nobody_wants_the_count() {
    let openai = |host: &'static str, lab: &Lab| Opened {
        host: host.into(),
        ..lab.opened()
    };
    for (meter, mode, limit, host) in [
        (Meter::Passive, Mode::Enforce, Some(100_000), "api.openai.com"),
        (Meter::Exact, Mode::Observe, Some(100_000), "api.openai.com"),
        (Meter::Exact, Mode::Enforce, None, "api.openai.com"),
        (Meter::Exact, Mode::Enforce, Some(100_000), "api.mistral.ai"),
    ] {
        let lab = lab(&[metered(
            meter,
            mode,
            limit.map(budget).into_iter().collect(),
            vec![],
        )]);
        let mut run = Run::of(lab.origin_of(openai(host, &lab)));
        let (_, direct) = streams(&["Hello"]);
        let request = String::from_utf8(post(STREAM)).unwrap();
        let request = request.replace("api.openai.com", host);
        run.client(request.as_bytes());
        assert_eq!(run.to_upstream, request.as_bytes(), "{meter:?} {mode:?} {host}");
        run.upstream(&chunked(&direct));
        assert_eq!(dechunk(&run.to_client), direct);
        let usage = lab.one_exchange().usage.unwrap();
        assert_eq!(usage.certainty, Certainty::Estimated);
    }
}

#[test]
fn a_provider_error_in_the_middle_still_costs_what_was_seen() {
    let lab = lab(&[policy(vec![], vec![budget(100_000)])]);
    let mut run = Run::new(&lab);
    run.client(&post(STREAM));
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let wire = format!("{}{error}", delta("Hello there, you"));
    run.upstream(&chunked(&wire));
    assert_eq!(dechunk(&run.to_client), wire);
    let exchange = lab.one_exchange();
    let usage = exchange.usage.unwrap();
    assert_eq!(exchange.error, Some(crate::event::ErrorClass::Stream));
    assert_eq!(usage.certainty, Certainty::UnderEstimate);
    let counted = exchange.counted.unwrap();
    assert_eq!((usage.input, usage.output), (counted.input, counted.output));
    assert!(counted.input > 5 && counted.output >= 4);
    let account = &lab.node.ledger.snapshot()[0];
    // What may be hidden is charged too: the reservation is not given back.
    assert_eq!(
        (account.settled, account.reserved),
        (exchange.budgets[0].reserved, 0)
    );
    assert!(account.settled >= usage.input + usage.output);
}

#[test]
fn a_client_that_leaves_in_the_middle_pays_for_what_was_seen() {
    let lab = lab(&[policy(vec![], vec![budget(100_000)])]);
    let mut run = Run::new(&lab);
    run.client(&post(STREAM));
    let wire = chunked(&stream_of(&["Hello there, ", "you"]));
    run.upstream(&wire[..wire.len() - 40]);
    run.relay.client_left();
    let exchange = lab.one_exchange();
    let usage = exchange.usage.unwrap();
    assert_eq!(exchange.reason, Some(Reason::ClientGone));
    assert_eq!(usage.certainty, Certainty::UnderEstimate);
    assert!(usage.input > 5 && usage.output >= 4);
    let account = &lab.node.ledger.snapshot()[0];
    // What may be hidden is charged too: the reservation is not given back.
    assert_eq!(
        (account.settled, account.reserved),
        (exchange.budgets[0].reserved, 0)
    );
    assert!(account.settled >= usage.input + usage.output);
}

#[test]
fn the_usage_in_the_head_of_a_whole_answer_counts_where_its_body_has_none() {
    let fields = "X-Amzn-Bedrock-Input-Token-Count: 14\r\nX-Amzn-Bedrock-Output-Token-Count: 36\r\n";
    let mistral = r#"{"outputs":[{"text":"Hello","stop_reason":"stop"}]}"#;
    let claude = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;
    let bedrock = (Api::Bedrock, "/model/mistral.mistral-7b-instruct-v0:2/invoke");
    let openai = (Api::OpenAi, "/v1/chat/completions");
    for ((api, target), fields, body, expected) in [
        (bedrock, fields, mistral, (14, 36, Certainty::Exact)),
        (bedrock, fields, claude, (3, 2, Certainty::Exact)),
        (openai, fields, ANSWER, (20, 5, Certainty::Exact)),
    ] {
        let lab = lab(&[policy(
            vec![rule("pii.email", false, true, Action::Redact)],
            vec![budget(9_000)],
        )]);
        let opened = Opened { api, ..lab.opened() };
        let mut run = Run::of(lab.origin_of(opened));
        let request =
            r#"{"model":"m","prompt":"hi","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
        let request = String::from_utf8(post(request)).unwrap();
        run.client(request.replace("/v1/chat/completions", target).as_bytes());
        let answer = String::from_utf8(answer(body)).unwrap();
        run.upstream(answer.replacen("Date:", &format!("{fields}Date:"), 1).as_bytes());
        let exchange = lab.one_exchange();
        let usage = exchange.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.certainty), expected, "{body}");
        assert_eq!(lab.node.ledger.snapshot()[0].settled, expected.0 + expected.1);
    }
}

#[test]
fn a_head_that_tells_half_of_the_usage_is_not_believed_about_text_that_was_seen() {
    let embedding = r#"{"id":"e","response_type":"embeddings_floats","embeddings":[[0.5,0.25]]}"#;
    let text = r#"{"outputs":[{"text":"Hello","stop_reason":"stop"}]}"#;
    for (model, request, answered, certainty) in [
        (
            "cohere.embed-english-v3",
            r#"{"texts":["hi"],"input_type":"search_query"}"#,
            embedding,
            Certainty::Exact,
        ),
        (
            "mistral.mistral-7b-instruct-v0:2",
            r#"{"prompt":"hi","max_tokens":50}"#,
            text,
            Certainty::Estimated,
        ),
    ] {
        let lab = lab(&[]);
        let opened = Opened {
            api: Api::Bedrock,
            ..lab.opened()
        };
        let mut run = Run::of(lab.origin_of(opened));
        let request = String::from_utf8(post(request)).unwrap();
        let target = format!("/model/{model}/invoke");
        run.client(request.replace("/v1/chat/completions", &target).as_bytes());
        let answer = String::from_utf8(answer(answered)).unwrap();
        run.upstream(
            answer
                .replacen("Date:", "X-Amzn-Bedrock-Input-Token-Count: 14\r\nDate:", 1)
                .as_bytes(),
        );
        let usage = lab.one_exchange().usage.unwrap();
        assert_eq!(usage.certainty, certainty, "{model}");
        assert_eq!(usage.input == 14, certainty == Certainty::Exact, "{model}");
        assert_eq!(usage.output > 0, certainty == Certainty::Estimated, "{model}");
    }
}
