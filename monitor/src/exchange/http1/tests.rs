//! Whole connections through the relay, without sockets: what leaves against what came, at every split.

mod codings;
mod conditions;
mod credentials;
mod detector_limits;
mod framings;
mod interim;
mod limits;
mod models;
mod money;
mod operations;
mod signed;
mod tools;
mod usage;
mod websocket;

use super::relay::Relay;
use crate::config::{Action, BudgetRule, ContentRule, Meter, Mode, PartSet, Policy, Redaction};
use crate::event::{Reason, Verdict};
use crate::exchange::testing::{Lab, lab};

const CHAT: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello to Ådä, card 4111 1111 1111 1111"}],"max_tokens":20}"#;
const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello, mail a@example.org"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":5,"total_tokens":25}}"#;

fn post(body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nX-Odd:  kept \r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn post_chunked(body: &str) -> Vec<u8> {
    let (a, b) = body.split_at(body.len() / 3);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x};why=not\r\n{a}\r\n{:X}\r\n{b}\r\n0\r\nX-Trailer: t\r\n\r\n",
        a.len(),
        b.len()
    )
    .into_bytes()
}

fn answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn delta(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn chunked(payload: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut wire = head.as_bytes().to_vec();
    for event in payload.split_inclusive("\n\n") {
        wire.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

fn stream_of(texts: &[&str]) -> String {
    let mut payload: String = texts.iter().map(|text| delta(text)).collect();
    payload.push_str("data: [DONE]\n\n");
    payload
}

/// The payload of a chunked response as a client reads it.
fn dechunk(wire: &[u8]) -> String {
    let at = memchr::memmem::find(wire, b"\r\n\r\n").unwrap() + 4;
    let mut reader = super::body::BodyReader::new(super::head::Framing::Chunked);
    let (mut payload, mut at) = (Vec::new(), at);
    while !reader.is_done() {
        let piece = reader.read(&wire[at..]).unwrap();
        assert!(piece.consumed > 0, "the response is whole");
        payload.extend_from_slice(&wire[at..][piece.payload]);
        at += piece.consumed;
    }
    assert_eq!(at, wire.len());
    String::from_utf8(payload).unwrap()
}

/// One connection: its relay, and what has left it.
struct Run {
    relay: Relay,
    to_upstream: Vec<u8>,
    to_client: Vec<u8>,
}

impl Run {
    fn new(lab: &Lab) -> Self {
        Self::of(lab.origin())
    }

    fn of(origin: std::sync::Arc<crate::exchange::Origin>) -> Self {
        Self {
            relay: Relay::new(origin),
            to_upstream: vec![],
            to_client: vec![],
        }
    }

    fn settle(&mut self) {
        while let Some(job) = self.relay.step() {
            self.relay.inspected(job.run());
        }
        self.to_upstream.extend(self.relay.to_upstream.take());
        self.to_client.extend(self.relay.to_client.take());
    }

    fn client(&mut self, bytes: &[u8]) {
        self.relay.from_client.bytes.extend_from_slice(bytes);
        self.settle();
    }

    fn upstream(&mut self, bytes: &[u8]) {
        self.relay.from_upstream.bytes.extend_from_slice(bytes);
        self.settle();
    }

    fn upstream_ends(&mut self) {
        self.relay.from_upstream.ended = true;
        self.settle();
    }
}

fn policy(content: Vec<ContentRule>, budgets: Vec<BudgetRule>) -> Policy {
    Policy {
        name: "test".into(),
        meter: Meter::Passive,
        budgets,
        content,
        ..Policy::default()
    }
}

fn rule(detect: &str, prompt: bool, response: bool, action: Action) -> ContentRule {
    ContentRule {
        name: "0".into(),
        detect: vec![detect.into()],
        parts: match (prompt, response) {
            (true, true) => PartSet::ALL,
            (true, false) => PartSet::prompt(),
            _ => PartSet::response(),
        },
        min_confidence_percent: None,
        action,
        redaction: Redaction::Placeholder,
        owasp: None,
    }
}

fn budget(limit_tokens: u64) -> BudgetRule {
    BudgetRule::tokens(limit_tokens, 3_600_000)
}

#[test]
fn unedited_bytes_pass_identically_at_every_split() {
    // A policy that looks at everything and finds nothing to edit.
    let rules = vec![rule("secret.*", true, true, Action::Redact)];
    let lab = lab(&[policy(rules, vec![budget(1_000_000)])]);
    for request in [post(CHAT), post_chunked(CHAT)] {
        for (response, streamed) in [
            (answer(ANSWER), false),
            (
                chunked(&stream_of(&["Hel", "lo, ", "mail a@", "example.org"])),
                true,
            ),
        ] {
            for cut in 0..=request.len() {
                let mut run = Run::new(&lab);
                run.client(&request[..cut]);
                run.client(&request[cut..]);
                assert_eq!(run.to_upstream, request, "request cut at {cut}");
                run.upstream(&response);
                assert_same(&run.to_client, &response, streamed);
            }
            for cut in 0..=response.len() {
                let mut run = Run::new(&lab);
                run.client(&request);
                run.upstream(&response[..cut]);
                run.upstream(&response[cut..]);
                assert_same(&run.to_client, &response, streamed);
            }
        }
    }
}

fn assert_same(sent: &[u8], came: &[u8], streamed: bool) {
    if streamed {
        assert_eq!(dechunk(sent), dechunk(came));
    } else {
        assert_eq!(sent, came);
    }
}

#[test]
fn without_policies_a_response_of_any_shape_passes_identically() {
    let lab = lab(&[]);
    for response in [
        answer(ANSWER),
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n".to_vec(),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\n{}\n".to_vec(),
    ] {
        for cut in 0..=response.len() {
            let mut run = Run::new(&lab);
            run.client(&post(CHAT));
            run.upstream(&response[..cut]);
            run.upstream(&response[cut..]);
            assert_eq!(run.to_client, response);
        }
    }
}

#[test]
fn a_card_in_the_prompt_is_redacted_and_nothing_else_changes() {
    for request in [post(CHAT), post_chunked(CHAT)] {
        let lab = lab(&[policy(
            vec![rule("pii.credit_card", true, false, Action::Redact)],
            vec![],
        )]);
        let mut run = Run::new(&lab);
        run.client(&request);
        let sent = String::from_utf8(run.to_upstream.clone()).unwrap();
        let expected = CHAT.replace("4111 1111 1111 1111", "[REDACTED:credit_card]");
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, expected);
        assert!(
            head.contains(&format!("content-length: {}", expected.len())),
            "{head}"
        );
        assert!(!head.to_lowercase().contains("transfer-encoding"));
        run.upstream(&answer(ANSWER));
        assert_eq!(run.to_client, answer(ANSWER));
        let exchange = lab.one_exchange();
        assert_eq!(
            (exchange.verdict, exchange.reason),
            (Verdict::Redacted, Some(Reason::Content))
        );
    }
}

/// What stands for the card in what the upstream got.
fn pseudonym_of_card(sent: &[u8]) -> String {
    let sent = String::from_utf8(sent.to_vec()).unwrap();
    let (_, from) = sent.split_once("card ").unwrap();
    from[.."4111 1111 1111 1111".len()].to_owned()
}

#[test]
fn a_card_is_a_pseudonym_upstream_and_itself_again_in_the_answer() {
    let reversible = || ContentRule {
        redaction: Redaction::Reversible,
        ..rule("pii.credit_card", true, false, Action::Redact)
    };
    let others = || rule("pii.credit_card", false, true, Action::Block);
    for content in [vec![reversible()], vec![reversible(), others()]] {
        let lab = lab(&[policy(content, vec![])]);
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        let pseudonym = pseudonym_of_card(&run.to_upstream);
        assert!(!run.to_upstream.windows(9).any(|at| at == b"4111 1111"));
        assert_ne!(pseudonym, "4111 1111 1111 1111");
        let (left, right) = pseudonym.split_at(7);
        run.upstream(&chunked(&stream_of(&["Charged ", left, right, "."])));
        let streamed = dechunk(&run.to_client);
        assert!(
            streamed.contains("4111 1111 1111 1111") && !streamed.contains(right),
            "{streamed}"
        );

        let mut again = Run::new(&lab);
        again.client(&post(CHAT));
        assert_eq!(
            pseudonym_of_card(&again.to_upstream),
            pseudonym,
            "the next prompt has the same"
        );
        again.upstream(&answer(&ANSWER.replace("a@example.org", &pseudonym)));
        let whole = String::from_utf8(again.to_client.clone()).unwrap();
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, ANSWER.replace("a@example.org", "4111 1111 1111 1111"));
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        drop((run, again));
        for exchange in lab.exchanges() {
            assert_eq!(
                (exchange.verdict, exchange.findings.len()),
                (Verdict::Redacted, 1)
            );
            let record = format!("{exchange:?}");
            assert!(!record.contains("1111") && !record.contains(right), "{record}");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_keeps_its_pseudonyms() {
    let lab = lab(&[policy(
        vec![ContentRule {
            redaction: Redaction::Reversible,
            ..rule("pii.credit_card", true, false, Action::Redact)
        }],
        vec![],
    )]);
    let no_json = answer("{\"id\": ");
    let unknown = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: compress\r\ncontent-length: 2\r\n\r\n{}";
    for response in [&no_json[..], unknown] {
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        run.upstream(response);
        assert_eq!(run.to_client, response);
    }
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let pseudonym = pseudonym_of_card(&run.to_upstream);
    let events = stream_of(&["The card ", &pseudonym[..6], &pseudonym[6..], " ok"]);
    let broken = events.replacen("data: ", "data: {\n\ndata: ", 3);
    run.upstream(&chunked(&broken));
    let streamed = dechunk(&run.to_client);
    assert_eq!(streamed.matches("data: {\n\n").count(), 3, "{streamed}");
    assert_eq!(
        streamed.matches("data: ").count(),
        broken.matches("data: ").count(),
        "{streamed}"
    );
    assert!(streamed.contains("4111 1111 1111 1111"), "{streamed}");
}

#[test]
fn a_secret_split_over_events_is_masked_whatever_the_split() {
    let key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL";
    let text = format!("The key is {key} and that is all.");
    let expected = "The key is [REDACTED:openai_key] and that is all.";
    for cut in 1..text.len() {
        let lab = lab(&[policy(
            vec![rule("secret.*", false, true, Action::Redact)],
            vec![],
        )]);
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        run.upstream(&chunked(&stream_of(&[&text[..cut], &text[cut..]])));
        let payload = dechunk(&run.to_client);
        let mut read = String::new();
        for line in payload
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|l| *l != "[DONE]")
        {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            read.push_str(value["choices"][0]["delta"]["content"].as_str().unwrap());
        }
        assert!(!payload.contains("sk-proj"), "cut at {cut}");
        assert_eq!(mask_name(&read), mask_name(expected), "cut at {cut}");
        assert!(payload.ends_with("data: [DONE]\n\n"));
        assert_eq!(lab.one_exchange().verdict, Verdict::Redacted);
    }
}

/// The placeholder's exact name is the content crate's business.
fn mask_name(text: &str) -> String {
    match (text.find("[REDACTED:"), text.find(']')) {
        (Some(from), Some(to)) => format!("{}[]{}", &text[..from], &text[to + 1..]),
        _ => text.to_owned(),
    }
}

#[test]
fn a_whole_response_is_masked_and_its_length_corrected() {
    let lab = lab(&[policy(
        vec![rule("pii.email", false, true, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    run.upstream(&answer(ANSWER));
    let sent = String::from_utf8(run.to_client.clone()).unwrap();
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, ANSWER.replace("a@example.org", "[REDACTED:email]"));
    assert!(head.contains(&format!("content-length: {}", body.len())));
}

#[test]
fn a_stream_over_its_budget_is_cut_in_the_protocol_s_own_way() {
    let lab = lab(&[policy(vec![], vec![budget(400)])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let words = vec![" word"; 1_000];
    run.upstream(&chunked(&stream_of(&words)));
    let payload = dechunk(&run.to_client);
    assert!(payload.contains("\"error\""), "the SDK's error event");
    assert!(payload.matches(" word").count() < 400);
    assert!(run.relay.is_finished(), "the upstream is left");
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason),
        (Verdict::Cut, Some(Reason::Budget))
    );
    let account = &lab.node.ledger.snapshot()[0];
    assert!(account.settled + account.reserved <= 400);
}

#[test]
fn a_spent_budget_is_a_429_and_the_connection_goes_on() {
    let lab = lab(&[policy(vec![], vec![budget(30)])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let refusal = String::from_utf8(run.to_client.clone()).unwrap();
    assert!(
        refusal.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
        "{refusal}"
    );
    assert!(run.to_upstream.is_empty(), "nothing went upstream");
    assert!(!run.relay.is_finished());
    run.client(b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n");
    assert!(run.to_upstream.starts_with(b"GET /v1/models"));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    let two = [post(CHAT), post(CHAT)].concat();
    run.client(&two);
    assert_eq!(run.to_upstream, post(CHAT), "one at a time");
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_upstream, two);
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_client, [answer(ANSWER), answer(ANSWER)].concat());
    assert_eq!(lab.exchanges().len(), 2);
}

#[test]
fn a_client_that_waits_to_be_told_is_told_to_continue_once() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    let request = String::from_utf8(post(CHAT))
        .unwrap()
        .replace("X-Odd:  kept ", "Expect: 100-continue");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    run.client(format!("{head}\r\n\r\n").as_bytes());
    assert_eq!(run.to_client, b"HTTP/1.1 100 Continue\r\n\r\n");
    run.client(body.as_bytes());
    assert_eq!(run.to_upstream, request.as_bytes());
    run.upstream(b"HTTP/1.1 100 Continue\r\n\r\n");
    run.upstream(&answer(ANSWER));
    assert_eq!(
        run.to_client,
        [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), answer(ANSWER)].concat()
    );
}

#[test]
fn an_oversized_body_is_refused_and_read_to_its_end() {
    let lab = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::new(&lab);
    let length = lab.node.request_limit_bytes + 1;
    run.client(
        format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
            .as_bytes(),
    );
    assert!(run.to_client.starts_with(b"HTTP/1.1 413 "));
    run.client(&vec![b'x'; length]);
    assert!(run.relay.from_client.bytes.is_empty(), "dropped, not kept");
    run.client(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        run.to_upstream.starts_with(b"GET /v1/models"),
        "the connection goes on"
    );
}

#[test]
fn an_endless_chunked_body_is_refused_at_the_bound() {
    let lab = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::new(&lab);
    run.client(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 0x10_0000], b"\r\n".to_vec()].concat();
    for _ in 0..=lab.node.request_limit_bytes / 0x10_0000 {
        run.client(&chunk);
    }
    assert!(run.to_client.starts_with(b"HTTP/1.1 413 "));
    assert!(run.relay.from_client.bytes.len() < chunk.len());
}

#[test]
fn invalid_json_is_refused_under_policy_and_passes_without() {
    let enforced = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::new(&enforced);
    run.client(&post("{\"model\": nonsense}"));
    assert!(run.to_client.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(enforced.one_exchange().reason, Some(Reason::Unreadable));
    let free = lab(&[]);
    let mut run = Run::new(&free);
    run.client(&post("{\"model\": nonsense}"));
    assert_eq!(run.to_upstream, post("{\"model\": nonsense}"));
}

#[test]
fn a_head_that_could_be_read_two_ways_is_refused() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(run.to_client.starts_with(b"HTTP/1.1 400 "));
    assert!(run.relay.is_finished());
    assert!(run.to_upstream.is_empty());
}

#[test]
fn an_upstream_that_dies_in_the_middle_ends_the_connection_and_is_recorded() {
    let lab = lab(&[policy(vec![], vec![budget(100_000)])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let whole = answer(ANSWER);
    run.upstream(&whole[..whole.len() - 10]);
    run.upstream_ends();
    assert!(run.relay.is_finished());
    assert_eq!(run.to_client, &whole[..whole.len() - 10]);
    assert_eq!(lab.one_exchange().reason, Some(Reason::UpstreamFailed));
}

#[test]
fn advertised_alternatives_are_not_passed_on() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let mut response = b"HTTP/1.1 200 OK\r\nalt-svc: h3=\":443\"; ma=86400\r\n".to_vec();
    response.extend_from_slice(&answer(ANSWER)[b"HTTP/1.1 200 OK\r\n".len()..]);
    run.upstream(&response);
    assert_eq!(run.to_client, answer(ANSWER));
}

#[test]
fn usage_is_the_provider_s_and_the_rest_is_refunded() {
    let lab = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    run.upstream(&answer(ANSWER));
    let exchange = lab.one_exchange();
    let usage = exchange.usage.unwrap();
    assert_eq!((usage.input, usage.output), (20, 5));
    let account = &lab.node.ledger.snapshot()[0];
    assert_eq!((account.settled, account.reserved), (25, 0));
}

#[test]
fn without_a_policy_an_oversized_body_passes_unread() {
    let lab = lab(&[]);
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 0x10_0000], b"\r\n".to_vec()].concat();
    let head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = [chunk.repeat(6), b"0\r\n\r\n".to_vec()].concat();
    let mut run = Run::new(&lab);
    run.client(head);
    for piece in body.chunks(100_000) {
        run.client(piece);
    }
    assert!(run.to_upstream == [head.to_vec(), body].concat());
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_client, answer(ANSWER));
    assert_eq!(lab.one_exchange().reason, Some(Reason::TooLarge));
}
