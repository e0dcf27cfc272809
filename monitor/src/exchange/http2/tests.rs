//! Whole HTTP/2 connections over in-memory pipes: a real h2 client, the relay, a real h2 server.

mod content;
mod limits;
mod websocket;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::task::JoinHandle;

use crate::config::{Action, BudgetRule, ContentRule, Meter, PartSet, Policy, Redaction};
use crate::event::{Reason, Verdict};
use crate::exchange::testing::{Lab, lab};
use crate::exchange::{Opened, Origin};

const CHAT: &str = r#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"card 4111 1111 1111 1111"}]}"#;

/// What the stand-in upstream answers, and what it was asked.
struct Script {
    head: Response<()>,
    body: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    reset: Option<h2::Reason>,
}

struct Asked {
    head: Request<()>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

fn script(content_type: &str, body: &[&str]) -> Script {
    let head = Response::builder()
        .header("content-type", content_type)
        .header("alt-svc", "h3=\":443\"")
        .body(());
    let body = body
        .iter()
        .map(|piece| Bytes::copy_from_slice(piece.as_bytes()))
        .collect();
    Script {
        head: head.unwrap(),
        body,
        trailers: None,
        reset: None,
    }
}

fn policy(budget: Option<u64>, rule: Option<(&str, bool)>) -> Policy {
    let budgets = budget.map(|limit_tokens| BudgetRule::tokens(limit_tokens, 3_600_000));
    let content = rule.map(|(detect, prompt)| ContentRule {
        name: "0".into(),
        detect: vec![detect.into()],
        parts: if prompt {
            PartSet::prompt()
        } else {
            PartSet::response()
        },
        min_confidence_percent: None,
        action: Action::Redact,
        redaction: Redaction::Placeholder,
        owasp: None,
    });
    Policy {
        name: "test".into(),
        meter: Meter::Passive,
        budgets: budgets.into_iter().collect(),
        guardrails: Vec::new(),
        content: content.into_iter().collect(),
        ..Policy::default()
    }
}

struct Answer {
    head: Response<()>,
    body: Result<Vec<u8>, h2::Error>,
    trailers: Option<HeaderMap>,
}

/// Sends one request through the relay.
async fn ask(
    lab: &Lab,
    script: Script,
    body: &[&[u8]],
    trailers: Option<HeaderMap>,
) -> (Answer, Option<Asked>) {
    let target = (lab.origin(), "/v1/chat/completions");
    ask_at(target, script, body, trailers).await
}

/// As [`ask`], of any provider.
async fn ask_at(
    (origin, path): (Arc<Origin>, &str),
    script: Script,
    body: &[&[u8]],
    trailers: Option<HeaderMap>,
) -> (Answer, Option<Asked>) {
    let (client_end, client_side) = tokio::io::duplex(8 * 1024);
    let (upstream_side, upstream_end) = tokio::io::duplex(8 * 1024);
    let relay = tokio::spawn(super::serve(origin, client_side, upstream_side));
    let upstream: JoinHandle<Option<Asked>> = tokio::spawn(serve_once(upstream_end, script));
    let (mut client, connection) = h2::client::handshake(client_end).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("https://api.openai.com{path}"))
        .header("content-type", "application/json")
        .header("content-length", body.iter().map(|b| b.len()).sum::<usize>())
        .body(())
        .unwrap();
    let (response, mut to) = client.send_request(request, false).unwrap();
    for (i, piece) in body.iter().enumerate() {
        let last = i + 1 == body.len() && trailers.is_none();
        super::body::send(&mut to, Bytes::copy_from_slice(piece), last)
            .await
            .unwrap();
    }
    if let Some(trailers) = trailers {
        to.send_trailers(trailers).unwrap();
    }
    let (parts, mut from) = response.await.unwrap().into_parts();
    let mut received = Vec::new();
    let body = loop {
        match super::body::receive(&mut from).await {
            Ok(Some(data)) => received.extend_from_slice(&data),
            Ok(None) => break Ok(received),
            Err(error) => break Err(error),
        }
    };
    let trailers = if body.is_ok() {
        from.trailers().await.unwrap()
    } else {
        None
    };
    drop((client, to, from));
    connection.await.unwrap().unwrap();
    relay.await.unwrap().unwrap();
    (
        Answer {
            head: Response::from_parts(parts, ()),
            body,
            trailers,
        },
        upstream.await.unwrap(),
    )
}

async fn serve_once(io: tokio::io::DuplexStream, script: Script) -> Option<Asked> {
    let mut server = h2::server::handshake(io).await.unwrap();
    let (request, mut respond) = server.accept().await?.ok()?;
    let answered = tokio::spawn(async move {
        let (parts, mut from) = request.into_parts();
        let mut body = Vec::new();
        while let Some(data) = super::body::receive(&mut from).await.unwrap() {
            body.extend_from_slice(&data);
        }
        let trailers = from.trailers().await.unwrap();
        let mut to = respond.send_response(script.head, false).unwrap();
        for piece in script.body {
            if super::body::send(&mut to, piece, false).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        match (script.reset, script.trailers) {
            (Some(reason), _) => to.send_reset(reason),
            (None, Some(trailers)) => to.send_trailers(trailers).unwrap(),
            // Refused when the relay has cut the stream.
            (None, None) => drop(to.send_data(Bytes::new(), true)),
        }
        Asked {
            head: Request::from_parts(parts, ()),
            body,
            trailers,
        }
    });
    while server.accept().await.is_some() {}
    answered.await.ok()
}

fn trailer() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    trailers
}

#[tokio::test]
async fn bodies_and_trailers_pass_as_they_came() {
    let lab = lab(&[]);
    let mut answer = script("application/json", &["{\"choices\":", "[]}"]);
    answer.trailers = Some(trailer());
    let halves = [&CHAT.as_bytes()[..10], &CHAT.as_bytes()[10..]];
    let (answer, asked) = ask(&lab, answer, &halves, Some(trailer())).await;
    let asked = asked.unwrap();
    assert_eq!(asked.body, CHAT.as_bytes());
    assert_eq!(asked.trailers, Some(trailer()));
    assert_eq!(asked.head.uri().path(), "/v1/chat/completions");
    assert_eq!(asked.head.headers()["content-type"], "application/json");
    assert_eq!(answer.body.unwrap(), b"{\"choices\":[]}");
    assert_eq!(answer.trailers, Some(trailer()));
    assert!(!answer.head.headers().contains_key("alt-svc"));
    let exchange = lab.one_exchange();
    assert_eq!((exchange.http.version, exchange.verdict), ("2", Verdict::Allowed));
}

#[tokio::test]
async fn a_prompt_is_redacted_and_its_length_corrected() {
    let lab = lab(&[policy(None, Some(("pii.credit_card", true)))]);
    let (answer, asked) = ask(
        &lab,
        script("application/json", &["{}"]),
        &[CHAT.as_bytes()],
        None,
    )
    .await;
    let asked = asked.unwrap();
    let expected = CHAT.replace("4111 1111 1111 1111", "[REDACTED:credit_card]");
    assert_eq!(String::from_utf8(asked.body).unwrap(), expected);
    assert_eq!(
        asked.head.headers()["content-length"],
        expected.len().to_string().as_str()
    );
    assert_eq!(answer.body.unwrap(), b"{}");
    assert_eq!(lab.one_exchange().verdict, Verdict::Redacted);
}

#[tokio::test]
async fn a_stream_over_its_budget_is_cut_and_the_upstream_is_reset() {
    let lab = lab(&[policy(Some(400), None)]);
    let delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n";
    let (answer, _) = ask(
        &lab,
        script("text/event-stream", &vec![delta; 2_000]),
        &[CHAT.as_bytes()],
        None,
    )
    .await;
    let body = String::from_utf8(answer.body.unwrap()).unwrap();
    assert!(body.contains("\"error\""));
    assert!(body.matches(" word").count() < 400);
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason),
        (Verdict::Cut, Some(Reason::Budget))
    );
}

#[tokio::test]
async fn a_spent_budget_is_a_429() {
    let lab = lab(&[policy(Some(10), None)]);
    let (answer, asked) = ask(
        &lab,
        script("application/json", &["{}"]),
        &[CHAT.as_bytes()],
        None,
    )
    .await;
    assert_eq!(answer.head.status(), 429);
    assert!(asked.is_none(), "nothing went upstream");
    assert_eq!(lab.one_exchange().verdict, Verdict::Denied);
}

#[tokio::test]
async fn an_upstream_s_reset_reaches_the_client_and_the_record() {
    let lab = lab(&[]);
    let mut failing = script("text/event-stream", &["data: {\"choices\":[]}\n\n"]);
    failing.reset = Some(h2::Reason::REFUSED_STREAM);
    let (answer, _) = ask(&lab, failing, &[CHAT.as_bytes()], None).await;
    assert_eq!(
        answer.body.unwrap_err().reason(),
        Some(h2::Reason::REFUSED_STREAM)
    );
    assert_eq!(lab.one_exchange().reason, Some(Reason::UpstreamFailed));
}

#[tokio::test]
async fn a_large_body_is_inspected_off_the_thread_and_passes() {
    let lab = lab(&[]);
    let text = "word ".repeat(200_000);
    let body =
        format!("{{\"model\":\"gpt-4o-mini\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}");
    let (answer, asked) = ask(
        &lab,
        script("application/json", &["{}"]),
        &[body.as_bytes()],
        None,
    )
    .await;
    assert_eq!(asked.unwrap().body.len(), body.len());
    assert_eq!(answer.head.status(), 200);
    assert!(lab.one_exchange().counted.unwrap().input > 200_000);
}

#[tokio::test]
async fn an_oversized_body_is_refused_while_it_is_still_sent() {
    let lab = lab(&[policy(Some(1_000), None)]);
    let (client_end, client_side) = tokio::io::duplex(8 * 1024);
    let (upstream_side, upstream_end) = tokio::io::duplex(8 * 1024);
    let relay = tokio::spawn(super::serve(lab.origin(), client_side, upstream_side));
    let upstream = tokio::spawn(serve_once(upstream_end, script("application/json", &["{}"])));
    let (mut client, connection) = h2::client::handshake(client_end).await.unwrap();
    let connection = tokio::spawn(connection);
    for declared in [true, false] {
        let length = lab.node.request_limit_bytes * 2;
        let mut request = Request::post("https://api.openai.com/v1/chat/completions");
        if declared {
            request = request.header("content-length", length);
        }
        let (response, mut to) = client.send_request(request.body(()).unwrap(), false).unwrap();
        let sent =
            tokio::spawn(async move { super::body::send(&mut to, vec![b' '; length].into(), true).await });
        let mut response = response.await.unwrap();
        assert_eq!(response.status(), 413, "declared: {declared}");
        let mut body = Vec::new();
        while let Some(data) = super::body::receive(response.body_mut()).await.unwrap() {
            body.extend_from_slice(&data);
        }
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        // All of it is taken: nothing is reset.
        sent.await.unwrap().unwrap();
    }
    drop(client);
    connection.await.unwrap().unwrap();
    relay.await.unwrap().unwrap();
    upstream.await.unwrap();
    assert_eq!(lab.exchanges().len(), 2);
}

#[tokio::test]
async fn without_a_policy_an_oversized_body_passes_unread() {
    let lab = lab(&[]);
    let body = vec![b'x'; lab.node.request_limit_bytes + 100_000];
    let (answer, asked) = ask(&lab, script("application/json", &["{}"]), &[&body], None).await;
    assert!(asked.unwrap().body == body);
    assert_eq!(answer.head.status(), 200);
    assert_eq!(lab.one_exchange().reason, Some(Reason::TooLarge));
}

#[tokio::test]
async fn the_usage_in_the_head_of_a_whole_answer_counts_where_its_body_has_none() {
    let lab = lab(&[]);
    let opened = Opened {
        api: monitor_protocol::Api::Bedrock,
        ..lab.opened()
    };
    let mut answer = script(
        "application/json",
        &[r#"{"outputs":[{"text":"Hello","stop_reason":"stop"}]}"#],
    );
    for (name, value) in [
        ("x-amzn-bedrock-input-token-count", "14"),
        ("x-amzn-bedrock-output-token-count", "36"),
    ] {
        answer
            .head
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let target = (
        lab.origin_of(opened),
        "/model/mistral.mistral-7b-instruct-v0:2/invoke",
    );
    let (answer, _) = ask_at(target, answer, &[br#"{"prompt":"hi"}"#], None).await;
    assert_eq!(answer.head.headers()["x-amzn-bedrock-input-token-count"], "14");
    let usage = lab.one_exchange().usage.unwrap();
    assert_eq!(
        (usage.input, usage.output, usage.certainty),
        (14, 36, crate::event::Certainty::Exact)
    );
}
