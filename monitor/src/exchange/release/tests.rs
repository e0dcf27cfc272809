use monitor_content::DetectorCatalog;
use monitor_protocol::{Api, Call, Operation, SseEvent, read_event};

use super::*;
use crate::config::{Action, ContentRule, PartSet, Redaction};
use crate::exchange::Fingerprint;

fn keys() -> Fingerprints {
    Fingerprints::with_key(b"k")
}

fn scans(action: Action) -> Vec<Scan> {
    scans_of(action, Redaction::Placeholder, &["pii.*"])
}

fn scans_of(action: Action, redaction: Redaction, detect: &[&str]) -> Vec<Scan> {
    let rule = ContentRule {
        name: "0".into(),
        detect: detect.iter().map(|name| (*name).to_owned()).collect(),
        parts: PartSet::response(),
        min_confidence_percent: None,
        action,
        redaction,
        owasp: None,
    };
    Scan::compile(&"p".into(), true, &[rule], &DetectorCatalog::default()).unwrap()
}

/// A text told in pieces and then whole three times: its own event, its item's, the response's.
const EVENTS: [&str; 5] = [
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"card 4111 1111"}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":" 1111 1111 ok"}"#,
    r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"card 4111 1111 1111 1111 ok"}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"card 4111 1111 1111 1111 ok","logprobs":[{"token":"4111"}]}]}}"#,
    r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"card 4111 1111 1111 1111 ok"}]}]}}"#,
];

fn run(release: &mut Release, events: &[&str]) -> (Vec<Found>, String) {
    let call = Call::new(Api::OpenAi, Operation::Responses);
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for data in events {
        let event = Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
        let read = read_event(&call, &event).unwrap();
        assert!(release.scan(&event, &read, &mut found));
        drop(read);
        release.queue(event, None);
        release.drain(&mut out).unwrap();
    }
    (found, String::from_utf8(out.concat()).unwrap())
}

#[test]
fn an_edited_text_is_not_readable_where_it_is_repeated() {
    let mut release = Release::new(&scans(Action::Redact), &keys());
    let (found, out) = run(&mut release, &EVENTS);
    assert_eq!(found.len(), 1, "noted once");
    assert!(!out.contains("4111") && !out.contains("1111"), "{out}");
    assert_eq!(out.matches("card [REDACTED:credit_card]").count(), 4, "{out}");
    assert_eq!(out.matches("data: ").count(), EVENTS.len());
}

#[test]
fn a_repeat_of_what_was_never_told_is_the_first_telling() {
    let mut release = Release::new(&scans(Action::Redact), &keys());
    let (found, out) = run(&mut release, &EVENTS[2..]);
    assert_eq!(found.len(), 1);
    assert!(!out.contains("1111"), "{out}");
}

#[test]
fn a_repeat_that_says_something_else_is_blocked() {
    let mut release = Release::new(&scans(Action::Block), &keys());
    let harmless = EVENTS[0].replace("4111 1111", "none");
    let (found, _) = run(&mut release, &[&harmless, EVENTS[2]]);
    assert_eq!(found.len(), 1);
}

/// The text that a client reads of a text told in these pieces, and the hashes on record.
fn told(redaction: Redaction, pieces: &[&str]) -> (String, Vec<Fingerprint>) {
    let scans = scans_of(Action::Redact, redaction, &["pii.*", "secret.*"]);
    let mut release = Release::new(&scans, &keys());
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        let piece = serde_json::to_string(piece).unwrap();
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{piece}}}}}]}}"#);
        let event = Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
        let read = read_event(&call, &event).unwrap();
        assert!(release.scan(&event, &read, &mut found));
        drop(read);
        release.queue(event, None);
        release.drain(&mut out).unwrap();
    }
    release.finish(&mut found);
    release.drain(&mut out).unwrap();
    assert_eq!(out.len(), pieces.len());
    let mut text = String::new();
    for event in out {
        let event = Frame::Sse(SseEvent::parse(event));
        for delta in read_event(&call, &event).unwrap().deltas {
            text.push_str(&delta.text);
        }
    }
    (text, found.into_iter().filter_map(|found| found.hash).collect())
}

#[test]
fn masks_and_hashes_are_the_same_whatever_the_pieces() {
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJz{}.c2lnbmF0dXJl", "dWIi".repeat(400));
    let text = format!("card 4111 1111 1111 1111, anna@example.org – {token} end");
    let keys = keys();
    let hashes = ["4111 1111 1111 1111", "anna@example.org", &token].map(|found| hash(&keys, found));
    let shown = |hash: &Fingerprint| hash.as_str()[..8].to_owned();
    let hashed = format!(
        "card [credit_card:{}], [email:{}] – [jwt:{}] end",
        shown(&hashes[0]),
        shown(&hashes[1]),
        shown(&hashes[2])
    );
    let masked = "card **** 1111, a****@example.org – **** end";
    for (redaction, expected) in [(Redaction::Hash, hashed.as_str()), (Redaction::Mask, masked)] {
        for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (left, right) = text.split_at(at);
            assert_eq!(
                told(redaction, &[left, right]),
                (expected.to_owned(), hashes.to_vec()),
                "{at}"
            );
        }
        for size in [1, 7, 300] {
            let letters: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = letters.chunks(size).map(|piece| piece.iter().collect()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(told(redaction, &pieces), (expected.to_owned(), hashes.to_vec()));
        }
    }
}
