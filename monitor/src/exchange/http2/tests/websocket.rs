//! Extended CONNECT (RFC 8441): a WebSocket on a stream.

use h2::ext::Protocol;
use monitor_protocol::{MaskingKey, MessageKind, Sender, WebSocketDecoder, WebSocketMessage, encode_message};

use super::super::body;
use super::*;
use crate::event::Certainty;

const KEY: MaskingKey = [9, 8, 7, 6];
const ASK: &str = r#"{"type":"response.create","model":"gpt-4o-mini","input":"mail a@example.org"}"#;
const CREATED: &str =
    r#"{"type":"response.created","response":{"id":"r","model":"gpt-4o-mini","output":[]}}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r","model":"gpt-4o-mini","output":[],"usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}}}"#;

/// Reads messages until there are `n`, or the end.
async fn read(from: &mut h2::RecvStream, sender: Sender, n: usize) -> Vec<WebSocketMessage> {
    let mut decoder = WebSocketDecoder::new(sender);
    let mut messages = Vec::new();
    while messages.len() < n
        && let Ok(Some(data)) = body::receive(from).await
    {
        decoder.push(data);
        while let Some(message) = decoder.next().unwrap() {
            messages.push(message);
        }
    }
    messages
}

/// An upstream that takes a WebSocket where `enabled`, and answers one message.
async fn upstream(io: tokio::io::DuplexStream, enabled: bool) -> Option<(HeaderMap, Vec<WebSocketMessage>)> {
    let mut builder = h2::server::Builder::new();
    if enabled {
        builder.enable_connect_protocol();
    }
    let mut server = builder.handshake::<_, Bytes>(io).await.unwrap();
    let (request, mut respond) = server.accept().await?.unwrap();
    let session = tokio::spawn(async move {
        let (parts, mut from) = request.into_parts();
        assert_eq!(parts.extensions.get::<Protocol>().unwrap().as_str(), "websocket");
        let mut to = respond.send_response(Response::new(()), false).unwrap();
        let asked = read(&mut from, Sender::Client, 1).await;
        for text in [CREATED, COMPLETED] {
            let message = encode_message(MessageKind::Text, text.as_bytes(), None);
            if body::send(&mut to, message, false).await.is_err() {
                break;
            }
        }
        // Refused where the relay has ended the stream.
        drop(body::send(&mut to, encode_message(MessageKind::Close, &[], None), true).await);
        (parts.headers, asked)
    });
    while server.accept().await.is_some() {}
    session.await.ok()
}

/// One WebSocket through the relay: what the client was sent, and what the upstream was.
async fn converse(lab: &Lab) -> (Vec<WebSocketMessage>, HeaderMap, Vec<WebSocketMessage>) {
    let (client_end, client_side) = tokio::io::duplex(8 * 1024);
    let (upstream_side, upstream_end) = tokio::io::duplex(8 * 1024);
    let relay = tokio::spawn(super::super::serve(lab.origin(), client_side, upstream_side));
    let upstream = tokio::spawn(upstream(upstream_end, true));
    let (mut client, mut connection) = h2::client::Builder::new()
        .initial_max_send_streams(0)
        .handshake::<_, Bytes>(client_end)
        .await
        .unwrap();
    super::super::settings(&mut connection).await.unwrap();
    let connection = tokio::spawn(connection);
    assert!(client.is_extended_connect_protocol_enabled());
    let mut request = Request::builder()
        .method("CONNECT")
        .uri("https://api.openai.com/v1/responses")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let (response, mut to) = client.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut from = response.into_body();
    let ask = encode_message(MessageKind::Text, ASK.as_bytes(), Some(KEY));
    body::send(&mut to, ask, false).await.unwrap();
    let received = read(&mut from, Sender::Server, 3).await;
    drop(to.send_data(Bytes::new(), true));
    drop((client, to, from));
    connection.await.unwrap().unwrap();
    relay.await.unwrap().unwrap();
    let (head, asked) = upstream.await.unwrap().unwrap();
    (received, head, asked)
}

#[tokio::test]
async fn a_conversation_passes_as_it_came_and_is_on_record() {
    let lab = lab(&[policy(Some(10_000), None)]);
    let (received, head, asked) = converse(&lab).await;
    assert!(!head.contains_key("sec-websocket-extensions"));
    assert_eq!(
        asked[0].raw(),
        &encode_message(MessageKind::Text, ASK.as_bytes(), Some(KEY))
    );
    let texts: Vec<&[u8]> = received.iter().map(|message| &message.data()[..]).collect();
    assert_eq!(texts, [CREATED.as_bytes(), COMPLETED.as_bytes(), b""]);
    let mut exchanges = lab.exchanges();
    exchanges.sort_by_key(|exchange| exchange.id.to_string());
    assert_eq!(exchanges.len(), 2, "the handshake and the answer");
    assert_eq!(exchanges[0].http.status, Some(200));
    let usage = exchanges[1].usage.unwrap();
    assert_eq!(
        (usage.input, usage.output, usage.certainty),
        (11, 7, Certainty::Exact)
    );
}

#[tokio::test]
async fn a_prompt_is_edited_on_its_way() {
    let lab = lab(&[policy(None, Some(("pii.email", true)))]);
    let (_, _, asked) = converse(&lab).await;
    assert_eq!(
        &asked[0].data()[..],
        ASK.replace("a@example.org", "[REDACTED:email]").as_bytes()
    );
}

#[tokio::test]
async fn an_answer_without_budget_ends_the_stream_in_the_providers_way() {
    let lab = lab(&[policy(Some(5), None)]);
    let (received, _, asked) = converse(&lab).await;
    assert!(
        received[0]
            .data()
            .starts_with(br#"{"type":"error","status":429,"#)
    );
    assert_eq!(received[1].close_code(), Some(1008));
    assert_eq!(asked[0].kind(), MessageKind::Close, "nothing of it left the host");
    let denied = lab
        .exchanges()
        .into_iter()
        .find(|exchange| exchange.verdict == Verdict::Denied);
    assert_eq!(denied.unwrap().reason, Some(Reason::Budget));
}

#[tokio::test]
async fn what_the_upstream_cannot_do_the_client_is_not_offered() {
    let lab = lab(&[]);
    let (client_end, client_side) = tokio::io::duplex(8 * 1024);
    let (upstream_side, upstream_end) = tokio::io::duplex(8 * 1024);
    let relay = tokio::spawn(super::super::serve(lab.origin(), client_side, upstream_side));
    let upstream = tokio::spawn(upstream(upstream_end, false));
    let (client, mut connection) = h2::client::Builder::new()
        .initial_max_send_streams(0)
        .handshake::<_, Bytes>(client_end)
        .await
        .unwrap();
    super::super::settings(&mut connection).await.unwrap();
    let connection = tokio::spawn(connection);
    assert!(!client.is_extended_connect_protocol_enabled());
    drop(client);
    connection.await.unwrap().unwrap();
    relay.await.unwrap().unwrap();
    assert!(upstream.await.unwrap().is_none());
}
