//! Content codings in both directions: left as they came, and taken off where policy edits.

use super::*;
use crate::exchange::fields::Coding;
use crate::exchange::testing::encoded;

const CODINGS: [(&str, &[Coding]); 5] = [
    ("gzip", &[Coding::Gzip]),
    ("deflate", &[Coding::Deflate]),
    ("br", &[Coding::Brotli]),
    ("zstd", &[Coding::Zstd]),
    ("gzip, br", &[Coding::Gzip, Coding::Brotli]),
];

fn put_on(codings: &[Coding], body: &str) -> Vec<u8> {
    codings
        .iter()
        .fold(body.as_bytes().to_vec(), |body, coding| encoded(*coding, &body))
}

/// `head` without its empty line, and a body in a coding.
fn message(head: &str, name: &str, body: &[u8]) -> Vec<u8> {
    let fields = format!(
        "Content-Encoding: {name}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), fields.as_bytes(), body].concat()
}

const POST: &str =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\n";

#[test]
fn encoded_prompts_are_read_and_edited_without_their_coding() {
    for (name, codings) in CODINGS {
        let request = message(POST, name, &put_on(codings, CHAT));
        for (detector, edits) in [("secret.*", false), ("pii.credit_card", true)] {
            let lab = lab(&[policy(vec![rule(detector, true, false, Action::Redact)], vec![])]);
            let mut run = Run::new(&lab);
            run.client(&request);
            let masked = CHAT.replace("4111 1111 1111 1111", "[REDACTED:credit_card]");
            let expected = if edits {
                format!("{POST}content-length: {}\r\n\r\n{masked}", masked.len()).into_bytes()
            } else {
                request.clone()
            };
            assert_eq!(run.to_upstream, expected, "{name}");
            run.upstream(&answer(ANSWER));
            assert!(lab.one_exchange().counted.unwrap().input > 10, "{name}");
        }
    }
}

#[test]
fn encoded_answers_pass_as_they_came_or_edited_without_their_coding() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    for (name, codings) in CODINGS {
        let response = message(HEAD, name, &put_on(codings, ANSWER));
        for (detector, edits) in [("secret.*", false), ("pii.email", true)] {
            let lab = lab(&[policy(vec![rule(detector, false, true, Action::Redact)], vec![])]);
            let mut run = Run::new(&lab);
            run.client(&post(CHAT));
            run.upstream(&response);
            let masked = ANSWER.replace("a@example.org", "[REDACTED:email]");
            let expected = if edits {
                format!("{HEAD}content-length: {}\r\n\r\n{masked}", masked.len()).into_bytes()
            } else {
                response.clone()
            };
            assert_eq!(run.to_client, expected, "{name}");
            assert_eq!(lab.one_exchange().usage.unwrap().output, 5, "{name}");
        }
    }
}

#[test]
fn encoded_streams_are_read_at_every_split() {
    let direct = stream_of(&["Hello, ", "mail a@exam", "ple.org"]);
    for (name, codings) in CODINGS {
        let body = put_on(codings, &direct);
        let response = message(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
            name,
            &body,
        );
        for cut in response.len() - body.len()..response.len() {
            let lab = lab(&[policy(
                vec![rule("pii.email", false, true, Action::Redact)],
                vec![],
            )]);
            let mut run = Run::new(&lab);
            run.client(&post(CHAT));
            run.upstream(&response[..cut]);
            run.upstream(&response[cut..]);
            let head = String::from_utf8_lossy(&run.to_client).to_lowercase();
            assert!(!head.contains("content-encoding"), "{name}");
            let sent = dechunk(&run.to_client);
            assert!(
                sent.contains("[REDACTED:email]") && !sent.contains("ple.org"),
                "{name} {cut}"
            );
        }
        let free = lab(&[]);
        let mut run = Run::new(&free);
        run.client(&post(CHAT));
        run.upstream(&response);
        assert_eq!(run.to_client, response, "{name}");
    }
}
