use monitor_content::{DetectorCatalog, Pseudonyms};
use monitor_protocol::{Api, Call, Operation, SseEvent, read_event};
use proptest::prelude::*;

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
    let mut release = Release::new(&scans(Action::Redact), &keys(), None);
    let (found, out) = run(&mut release, &EVENTS);
    assert_eq!(found.len(), 1, "noted once");
    assert!(!out.contains("4111") && !out.contains("1111"), "{out}");
    assert_eq!(out.matches("card [REDACTED:credit_card]").count(), 4, "{out}");
    assert_eq!(out.matches("data: ").count(), EVENTS.len());
}

#[test]
fn a_repeat_of_what_was_never_told_is_the_first_telling() {
    let mut release = Release::new(&scans(Action::Redact), &keys(), None);
    let (found, out) = run(&mut release, &EVENTS[2..]);
    assert_eq!(found.len(), 1);
    assert!(!out.contains("1111"), "{out}");
}

#[test]
fn a_repeat_that_says_something_else_is_blocked() {
    let mut release = Release::new(&scans(Action::Block), &keys(), None);
    let harmless = EVENTS[0].replace("4111 1111", "none");
    let (found, _) = run(&mut release, &[&harmless, EVENTS[2]]);
    assert_eq!(found.len(), 1);
}

/// The text that a client reads of a text told in these pieces, and the hashes on record.
fn told(redaction: Redaction, pieces: &[&str]) -> (String, Vec<Fingerprint>) {
    let scans = scans_of(Action::Redact, redaction, &["pii.*", "secret.*"]);
    let (text, found) = read(Release::new(&scans, &keys(), None), Told::Text, pieces);
    (text, found.into_iter().filter_map(|found| found.hash).collect())
}

/// What of a chat's answer a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Text,
    Arguments,
}

/// The text that a client reads of one told in these pieces, and what was found in it.
fn read(mut release: Release, of: Told, pieces: &[&str]) -> (String, Vec<Found>) {
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        let piece = serde_json::to_string(piece).unwrap();
        let delta = match of {
            Told::Text => format!(r#"{{"content":{piece}}}"#),
            Told::Arguments => {
                format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]}}"#)
            }
        };
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
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
    (text, found)
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

// === Pseudonyms of the prompt ===

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "anna@corp.example";
const ADDRESS: &str = "12 \"Rose\" Street\nOslo";

fn pseudonyms() -> Pseudonyms {
    let (mut all, keys) = (Pseudonyms::default(), keys());
    let keyed = |bytes: &[u8]| keys.keyed(bytes);
    for (detector, original) in [
        ("pii.credit_card", CARD),
        ("pii.email", MAIL),
        ("pii.postal_address", ADDRESS),
    ] {
        all.add(detector, original, &keyed);
    }
    all.settle([""].into_iter(), &keyed);
    all
}

fn restoring(scans: &[Scan]) -> Release {
    Release::new(scans, &keys(), pseudonyms().restorer().as_ref())
}

/// As the provider writes a text, which it knows by pseudonyms only.
fn disguised(text: &str) -> String {
    let all = pseudonyms();
    let put = |text: String, original: &str| text.replace(original, all.get(original).unwrap());
    [CARD, MAIL, ADDRESS].into_iter().fold(text.to_owned(), put)
}

#[test]
fn what_was_disguised_is_whole_again_in_every_repeat() {
    let all = pseudonyms();
    let card = all.get(CARD).unwrap();
    let (left, right) = card.split_at(10);
    let events = EVENTS.map(|event| {
        event
            .replace(CARD, card)
            .replace("4111 1111\"", &format!("{left}\""))
            .replace("\" 1111 1111 ok", &format!("\"{right} ok"))
    });
    let (found, out) = run(
        &mut restoring(&scans(Action::Redact)),
        &events.each_ref().map(String::as_str),
    );
    assert!(found.is_empty(), "it is the workload's own: {found:?}");
    assert!(!out.contains(card) && !out.contains(right), "{out}");
    assert_eq!(out.matches(CARD).count(), 4, "{out}");
    assert!(!out.contains("4111\"}]"), "the echo is gone: {out}");
}

#[test]
fn only_what_is_not_the_workload_s_own_ends_an_answer() {
    let own = disguised(&format!("card {CARD} ok"));
    for at in 1..own.len() {
        let (left, right) = own.split_at(at);
        let (text, found) = read(restoring(&scans(Action::Block)), Told::Text, &[left, right]);
        assert_eq!((text, found.len()), (format!("card {CARD} ok"), 0), "{at}");
    }
    let other = format!("{own}, 5555 5555 5555 4444 too");
    let (_, found) = read(restoring(&scans(Action::Block)), Told::Text, &[&other]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        &other[found[0].finding.start..found[0].finding.end],
        "5555 5555 5555 4444"
    );
    assert_eq!(found[0].hash, Some(hash(&keys(), "5555 5555 5555 4444")));
}

#[test]
fn arguments_of_tools_stay_json() {
    let source = disguised(&format!(r#" {{"to": "{ADDRESS}", "card": "{CARD}"}}"#));
    for at in 1..source.len() {
        let (left, right) = source.split_at(at);
        let (text, _) = read(restoring(&[]), Told::Arguments, &[left, right]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["to"], &value["card"]),
            (&ADDRESS.into(), &CARD.into()),
            "{at}"
        );
    }
    let (text, _) = read(restoring(&[]), Told::Arguments, &[&disguised(ADDRESS)]);
    assert_eq!(text, ADDRESS, "a string by itself");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn the_client_reads_the_same_whatever_the_pieces(
        parts in prop::collection::vec(0..9usize, 1..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let said = [
            CARD, MAIL, ADDRESS, "5555 5555 5555 4444", "bob@mail.example", " – ", "4", "[", " and so on\n",
        ];
        let read_as = ["[REDACTED:credit_card]", "[REDACTED:email]"];
        let (mut told, mut expected) = (String::new(), String::new());
        for part in parts {
            told.push_str(&disguised(said[part]));
            expected.push_str(match part {
                3 | 4 => read_as[part - 3],
                _ => said[part],
            });
            told.push_str(" | ");
            expected.push_str(" | ");
        }
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut.index(told.len() + 1)).collect();
        bounds.retain(|at| told.is_char_boundary(*at));
        bounds.extend([0, told.len()]);
        bounds.sort_unstable();
        let pieces: Vec<&str> = bounds.windows(2).map(|pair| &told[pair[0]..pair[1]]).collect();
        let letters: Vec<&str> = told.split_inclusive(|_: char| true).collect();
        let rules = scans_of(Action::Redact, Redaction::Placeholder, &["pii.credit_card", "pii.email"]);
        for pieces in [&[told.as_str()][..], &pieces, &letters] {
            let (text, _) = read(restoring(&rules), Told::Text, pieces);
            prop_assert_eq!(&text, &expected);
        }
    }
}
