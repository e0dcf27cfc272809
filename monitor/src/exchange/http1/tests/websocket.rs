//! Conversations over a WebSocket: each answer an exchange.

use std::sync::Arc;

use bytes::Bytes;
use monitor_protocol::{MaskingKey, MessageKind, Sender, WebSocketDecoder, encode_message};
use serde_json::{Value, json};

use super::*;
use crate::config::Glob;
use crate::event::{Certainty, Exchange};

const KEY: MaskingKey = [1, 2, 3, 4];
const UPGRADE: &str = "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

/// A message in frames of `size` bytes, as the client sends it with a key and the server without.
fn fragmented(kind: MessageKind, payload: &[u8], key: Option<MaskingKey>, size: usize) -> Vec<u8> {
    let parts: Vec<&[u8]> = payload.chunks(size).collect();
    let mut wire = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let mut frame = encode_message(kind, part, key).to_vec();
        frame[0] &= if i == 0 { 0x8F } else { 0x80 };
        frame[0] &= if i + 1 == parts.len() { 0xFF } else { 0x7F };
        wire.extend(frame);
    }
    wire
}

fn from_client(message: &Value) -> Vec<u8> {
    encode_message(MessageKind::Text, message.to_string().as_bytes(), Some(KEY)).to_vec()
}

fn from_server(message: &Value) -> Vec<u8> {
    encode_message(MessageKind::Text, message.to_string().as_bytes(), None).to_vec()
}

fn ask(text: &str) -> Value {
    json!({"type": "response.create", "model": "gpt-4o-mini", "input": text})
}

fn delta(text: &str) -> Value {
    json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": text})
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress", "model": "gpt-4o-mini", "output": []}})
}

fn completed(input: u64, output: u64) -> Value {
    json!({"type": "response.completed", "response": {"id": "r", "object": "response", "status": "completed", "model": "gpt-4o-mini", "output": [],
        "usage": {"input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output}}})
}

fn answer_of(texts: &[&str], input: u64, output: u64) -> Vec<u8> {
    let mut wire = from_server(&created());
    for text in texts {
        wire.extend(from_server(&delta(text)));
    }
    wire.extend(from_server(&completed(input, output)));
    wire
}

impl Run {
    /// A connection whose WebSocket is open; what the handshake sent is taken.
    fn opened(lab: &Lab) -> Self {
        let mut run = Self::new(lab);
        run.client(UPGRADE.as_bytes());
        run.upstream(AGREED.as_bytes());
        run.to_upstream.clear();
        run.to_client.clear();
        run
    }
}

/// What `sender` sent.
fn messages(sender: Sender, wire: &[u8]) -> Vec<(MessageKind, Bytes)> {
    let mut decoder = WebSocketDecoder::new(sender);
    decoder.push(Bytes::copy_from_slice(wire));
    let mut messages = Vec::new();
    while let Some(message) = decoder.next().unwrap() {
        messages.push((message.kind(), message.data().clone()));
    }
    messages
}

/// The answers on record, without their handshake.
fn answers(lab: &Lab) -> Vec<Arc<Exchange>> {
    let mut exchanges = lab.exchanges();
    exchanges.sort_by_key(|exchange| exchange.id.to_string());
    assert_eq!(exchanges[0].usage, None, "the handshake spends nothing");
    assert_eq!(exchanges.remove(0).http.status, Some(101));
    exchanges
}

/// The client was told `code` by an event, and that the WebSocket is closed by policy.
fn assert_told(to_client: &[u8], code: &str) {
    let mut told = messages(Sender::Server, to_client);
    let (kind, payload) = told.pop().unwrap();
    assert_eq!(
        (kind, &payload[..2]),
        (MessageKind::Close, &1008u16.to_be_bytes()[..])
    );
    let error: Value = serde_json::from_slice(&told.pop().unwrap().1).unwrap();
    assert_eq!(
        (&error["type"], &error["error"]["code"]),
        (&json!("error"), &json!(code))
    );
}

#[test]
fn the_offer_of_extensions_goes_and_the_rest_of_the_handshake_stays() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(UPGRADE.as_bytes());
    let expected = UPGRADE.replace(
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        "",
    );
    assert_eq!(String::from_utf8(run.to_upstream.clone()).unwrap(), expected);
    run.upstream(AGREED.as_bytes());
    assert_eq!(run.to_client, AGREED.as_bytes());
    let handshake = lab.one_exchange();
    assert_eq!(
        (handshake.operation, handshake.http.status),
        ("responses", Some(101))
    );
}

#[test]
fn an_upstream_that_compresses_all_the_same_is_refused() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(UPGRADE.as_bytes());
    let compressed = AGREED.replace(
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    run.upstream(compressed.as_bytes());
    assert!(run.to_client.starts_with(b"HTTP/1.1 502 "));
    assert_eq!(lab.one_exchange().reason, Some(Reason::UpstreamFailed));
}

#[test]
fn a_refused_handshake_is_an_ordinary_answer() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(UPGRADE.as_bytes());
    let no = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
    run.upstream(no);
    assert_eq!(run.to_client, no);
    assert_eq!(lab.one_exchange().http.status, Some(401));
}

#[test]
fn an_unknown_websocket_stays_a_tunnel() {
    let lab = lab(&[policy(vec![rule("pii.email", true, true, Action::Block)], vec![])]);
    let mut run = Run::new(&lab);
    let unknown = UPGRADE.replace("/v1/responses", "/v1/other");
    run.client(unknown.as_bytes());
    assert_eq!(run.to_upstream, unknown.as_bytes(), "the offer is its own affair");
    run.upstream(AGREED.as_bytes());
    run.client(b"\xFFanything");
    assert!(run.to_upstream.ends_with(b"\xFFanything"));
    drop(run);
    assert_eq!(lab.one_exchange().http.request_bytes, 9);
}

#[test]
fn unedited_conversations_pass_identically_at_every_split_and_each_answer_is_on_record() {
    let rules = vec![rule("secret.*", true, true, Action::Redact)];
    let lab = lab(&[policy(rules, vec![budget(100_000_000)])]);
    let said = ask("Say hello").to_string();
    let mut asked = encode_message(MessageKind::Ping, b"?", Some(KEY)).to_vec();
    asked.extend(fragmented(MessageKind::Text, said.as_bytes(), Some(KEY), 20));
    let mut answer = encode_message(MessageKind::Pong, b"?", None).to_vec();
    answer.extend(fragmented(
        MessageKind::Text,
        created().to_string().as_bytes(),
        None,
        33,
    ));
    for text in ["Hel", "lo, ", "mail a@", "example.org"] {
        answer.extend(from_server(&delta(text)));
    }
    answer.extend(from_server(&completed(20, 5)));
    let mut expected = 0;
    for cut in 0..asked.len().max(answer.len()) {
        let mut run = Run::opened(&lab);
        for (client, wire) in [(true, &asked), (false, &answer)] {
            let cut = cut.min(wire.len());
            for half in [&wire[..cut], &wire[cut..]] {
                if client {
                    run.client(half)
                } else {
                    run.upstream(half)
                }
            }
        }
        assert_eq!(run.to_upstream, asked, "cut at {cut}");
        assert!(run.to_client == answer, "cut at {cut}");
        expected += 2;
    }
    let exchanges = lab.exchanges();
    assert_eq!(exchanges.len(), expected);
    let usages: Vec<_> = exchanges.iter().filter_map(|exchange| exchange.usage).collect();
    assert_eq!(usages.len(), expected / 2);
    for usage in usages {
        assert_eq!(
            (usage.input, usage.output, usage.certainty),
            (20, 5, Certainty::Exact)
        );
    }
}

#[test]
fn a_ping_in_the_middle_of_a_message_does_not_wait_for_its_end() {
    let lab = lab(&[]);
    let mut run = Run::opened(&lab);
    let said = fragmented(MessageKind::Text, ask("hi").to_string().as_bytes(), Some(KEY), 30);
    run.client(&said[..36]);
    assert!(run.to_upstream.is_empty(), "a message is read whole");
    let ping = encode_message(MessageKind::Ping, b"alive", Some(KEY));
    run.client(&ping);
    assert_eq!(run.to_upstream, ping);
    run.client(&said[36..]);
    assert_eq!(run.to_upstream, [&ping[..], &said].concat());
}

#[test]
fn answers_one_after_the_other_are_settled_one_by_one() {
    let lab = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::opened(&lab);
    for (input, output) in [(10, 3), (30, 4)] {
        run.client(&from_client(&ask("hi")));
        run.upstream(&answer_of(&["one ", "two"], input, output));
    }
    let answers = answers(&lab);
    assert_eq!(answers.len(), 2);
    let totals: Vec<u64> = answers.iter().map(|answer| answer.budgets[0].settled).collect();
    assert_eq!(totals, [13, 34]);
    for answer in &answers {
        assert_eq!((answer.operation, answer.streamed), ("responses", true));
        assert_eq!(answer.http.status, Some(101));
        assert_eq!(answer.model.as_ref().unwrap().as_str(), "gpt-4o-mini");
        assert!(answer.http.request_bytes > 20 && answer.http.response_bytes > 100);
    }
}

#[test]
fn a_prompt_is_redacted_in_one_frame_with_the_clients_key() {
    let lab = lab(&[policy(
        vec![rule("pii.email", true, false, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("mail a@example.org now")));
    let sent = messages(Sender::Client, &run.to_upstream);
    let sent: Value = serde_json::from_slice(&sent[0].1).unwrap();
    assert_eq!(sent["input"], "mail [REDACTED:email] now");
    run.upstream(&answer_of(&["ok"], 10, 1));
    let answers = answers(&lab);
    assert_eq!((answers[0].verdict, answers.len()), (Verdict::Redacted, 1));
}

#[test]
fn a_blocked_prompt_ends_the_session_in_the_providers_way() {
    let lab = lab(&[policy(
        vec![rule("pii.email", true, false, Action::Block)],
        vec![],
    )]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("mail a@example.org now")));
    assert_told(&run.to_client, "policy_violation");
    let sent = messages(Sender::Client, &run.to_upstream);
    assert_eq!(sent.len(), 1, "nothing of it left the host");
    assert_eq!(sent[0].0, MessageKind::Close);
    assert!(run.relay.is_finished());
    let answers = answers(&lab);
    assert_eq!(
        (answers[0].verdict, answers[0].reason),
        (Verdict::Denied, Some(Reason::Content))
    );
    assert_eq!(answers[0].usage, None);
}

#[test]
fn an_answer_without_budget_is_refused_before_it_is_asked_for() {
    let lab = lab(&[policy(vec![], vec![budget(100)])]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(
        &json!({"type": "response.create", "model": "gpt-4o-mini", "input": "x ".repeat(200)}),
    ));
    assert_told(&run.to_client, "budget_exceeded");
    let answers = answers(&lab);
    assert_eq!(
        (answers[0].verdict, answers[0].reason),
        (Verdict::Denied, Some(Reason::Budget))
    );
    assert_eq!(answers[0].usage, None);
}

#[test]
fn a_model_that_is_not_allowed_is_refused_at_its_message() {
    let lab = lab(&[Policy {
        models: Some(vec![Glob::new("claude-*").unwrap()]),
        ..policy(vec![], vec![])
    }]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("hi")));
    assert_told(&run.to_client, "model_not_allowed");
}

#[test]
fn an_answer_that_outgrows_its_budget_is_cut() {
    let lab = lab(&[policy(vec![], vec![budget(300)])]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("count")));
    run.upstream(&from_server(&created()));
    for _ in 0..400 {
        run.upstream(&from_server(&delta(" word")));
    }
    assert_told(&run.to_client, "budget_exceeded");
    assert_eq!(
        messages(Sender::Client, &run.to_upstream).last().unwrap().0,
        MessageKind::Close
    );
    let answers = answers(&lab);
    assert_eq!((answers[0].verdict, answers.len()), (Verdict::Cut, 1));
    let settled = answers[0].budgets[0].settled;
    assert!((295..=300).contains(&settled), "{settled}");
}

#[test]
fn a_finding_over_several_messages_is_replaced() {
    let lab = lab(&[policy(
        vec![rule("pii.email", false, true, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("who?")));
    run.upstream(&answer_of(&["write to a@", "exam", "ple.org today"], 9, 9));
    let mut text = String::new();
    for (_, message) in messages(Sender::Server, &run.to_client) {
        let message: Value = serde_json::from_slice(&message).unwrap();
        text.push_str(message["delta"].as_str().unwrap_or_default());
    }
    assert_eq!(text, "write to [REDACTED:email] today");
    assert_eq!(answers(&lab)[0].verdict, Verdict::Redacted);
}

#[test]
fn an_answer_nobody_asked_for_is_covered_too() {
    let lab = lab(&[policy(vec![], vec![budget(300)])]);
    let mut run = Run::opened(&lab);
    run.upstream(&answer_of(&["unasked"], 50, 20));
    let (mut run, first) = (run, answers(&lab));
    assert_eq!(first[0].usage.unwrap().input, 50);
    run.upstream(&answer_of(&["more"], 200, 5));
    // What is left does not cover a slice, and so the next one does not begin.
    assert_told(&run.to_client, "budget_exceeded");
    assert_eq!(lab.exchanges().len(), 3);
}

#[test]
fn what_is_said_without_asking_counts_for_the_next_answer() {
    let lab = lab(&[policy(vec![], vec![budget(100_000)])]);
    let mut run = Run::opened(&lab);
    let words = "word ".repeat(500);
    run.client(&from_client(
        &json!({"type": "response.create", "generate": false, "model": "gpt-4o-mini", "input": words}),
    ));
    assert_eq!(lab.exchanges().len(), 1, "no answer, no record");
    run.client(&from_client(&ask("hi")));
    run.upstream(&answer_of(&["ok"], 600, 1));
    let counted = answers(&lab)[0].counted.unwrap();
    assert!(counted.input > 500, "{}", counted.input);
}

#[test]
fn a_request_the_provider_refuses_costs_nothing() {
    let lab = lab(&[policy(vec![], vec![budget(10_000)])]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("hi")));
    let error = from_server(
        &json!({"type": "error", "status": 400, "error": {"type": "invalid_request_error", "code": "x", "message": "no", "param": null}}),
    );
    run.upstream(&error);
    assert_eq!(run.to_client, error);
    let answers = answers(&lab);
    assert_eq!((answers[0].usage, answers[0].budgets[0].settled), (None, 0));
}

#[test]
fn whoever_leaves_first_the_answer_under_way_is_an_under_estimate() {
    for client_leaves in [true, false] {
        let lab = lab(&[policy(vec![], vec![budget(10_000)])]);
        let mut run = Run::opened(&lab);
        run.client(&from_client(&ask("hi")));
        run.upstream(&from_server(&created()));
        run.upstream(&from_server(&delta("one two three")));
        if client_leaves {
            run.relay.client_left();
        } else {
            run.upstream_ends();
        }
        assert!(run.relay.is_finished());
        let answers = answers(&lab);
        let usage = answers[0].usage.unwrap();
        assert_eq!(usage.certainty, Certainty::UnderEstimate);
        assert_eq!(usage.output, 3);
    }
}

#[test]
fn close_frames_pass_both_ways() {
    let lab = lab(&[policy(
        vec![rule("pii.email", false, true, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("hi")));
    run.upstream(&from_server(&created()));
    run.upstream(&from_server(&delta("held back: a@exam")));
    run.to_client.clear();
    run.to_upstream.clear();
    let close = |key| encode_message(MessageKind::Close, &[0x03, 0xE8], key);
    run.upstream(&close(None));
    assert!(run.to_client.ends_with(&close(None)), "after what was held back");
    run.client(&close(Some(KEY)));
    assert_eq!(run.to_upstream, close(Some(KEY)));
    run.upstream_ends();
    assert!(run.relay.is_finished());
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_so_or_passes_unread() {
    let unmasked = encode_message(MessageKind::Text, b"{}", None);
    let lab = lab(&[policy(vec![], vec![budget(10_000)])]);
    let mut run = Run::opened(&lab);
    run.client(&unmasked);
    let told = messages(Sender::Server, &run.to_client);
    assert_eq!(
        (told[0].0, &told[0].1[..2]),
        (MessageKind::Close, &1002u16.to_be_bytes()[..])
    );
    assert_eq!(answers(&lab)[0].reason, Some(Reason::Unreadable));

    let lab = super::lab(&[]);
    let mut run = Run::opened(&lab);
    run.client(&unmasked);
    run.client(b"more");
    run.upstream(b"\xFFless");
    assert_eq!(run.to_upstream, [&unmasked[..], b"more"].concat());
    assert_eq!(run.to_client, b"\xFFless");
    assert_eq!(answers(&lab)[0].reason, Some(Reason::Unreadable));
}

#[test]
fn a_server_that_breaks_the_protocol_is_cut_where_policy_must_read_it() {
    let lab = lab(&[policy(
        vec![rule("pii.email", false, true, Action::Redact)],
        vec![],
    )]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("hi")));
    // A reserved bit: compressed without anyone having agreed to it.
    run.upstream(&[0xC1, 0x01, 0x00]);
    assert_told(&run.to_client, "upstream_unreachable");
    assert_eq!(answers(&lab)[0].verdict, Verdict::Cut);
}

#[test]
fn a_condition_is_asked_at_each_message() {
    let when = crate::expression::Expression::compile(
        "request.prompt_bytes > 100",
        crate::expression::Scope::Exchange,
    );
    let lab = lab(&[Policy {
        models: Some(vec![Glob::new("claude-*").unwrap()]),
        when: Some(when.unwrap()),
        ..policy(vec![], vec![])
    }]);
    let mut run = Run::opened(&lab);
    run.client(&from_client(&ask("hi")));
    assert!(run.to_client.is_empty(), "it does not apply to a short one");
    run.client(&from_client(&ask(&"long ".repeat(40))));
    assert_told(&run.to_client, "model_not_allowed");
}
