//! Prints how fast requests and streams are read: `cargo run --release -p monitor-protocol --example throughput`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{hint::black_box, time::Instant};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use monitor_protocol::{
    Api, Call, FrameDecoder, Framing, MessageKind, Operation, RequestLine, encode_message, prompt_count,
    read_event, read_request, recognise,
};

const CHAT: Call = Call::new(Api::OpenAi, Operation::ChatCompletions);
const MESSAGES: Call = Call::new(Api::Anthropic, Operation::Messages);

/// Calls between two looks at the clock, which itself costs as much as the quickest of them.
const BATCH: u32 = 8;

/// Runs `work` on `bytes` bytes until a fifth of a second has passed, three times; prints the fastest.
fn measure(name: &str, bytes: usize, units: usize, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let mut runs = 0_u32;
        while start.elapsed().as_millis() < 200 {
            (0..BATCH).for_each(|_| work());
            runs += BATCH;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(runs));
    }
    let per_unit_ns = best * 1e9 / units as f64;
    println!(
        "{name:<44} {:>8.0} MB/s {per_unit_ns:>10.0} ns each",
        bytes as f64 / best / 1e6
    );
}

fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let message = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
    let body = |messages: &[String]| {
        format!(
            r#"{{"model":"gpt-4o-mini","stream":true,"max_tokens":256,"messages":[{}]}}"#,
            messages.join(",")
        )
        .into_bytes()
    };
    let prose = "The weir measures the stream and regulates it. ";
    vec![
        (
            "request, one question (0.2 KB)",
            body(&[message(&prose.repeat(2))]),
        ),
        (
            "request, chat of 20 (8 KB)",
            body(&vec![message(&prose.repeat(8)); 20]),
        ),
        (
            "request, one document (1 MB)",
            body(&[message(&prose.repeat(22_000))]),
        ),
        (
            "request, one document, a newline a line (1 MB)",
            body(&[message(&format!("{prose}\\n").repeat(21_000))]),
        ),
        (
            "request, one document in Cyrillic (1 MB)",
            body(&[message(&"Плотина измеряет поток. ".repeat(24_000))]),
        ),
        (
            "request, hostile: only escapes (1 MB)",
            body(&[message(&r"\n".repeat(500_000))]),
        ),
    ]
}

fn streams() -> Vec<(&'static str, Call, Vec<u8>)> {
    let chunk = r#"data: {"id":"chatcmpl-BdV2k0fPq7","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{"index":0,"delta":{"content":" stream"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aK1xQ"}"#;
    let delta =
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" stream"}}"#;
    let stream = |event: &str| format!("{event}\n\n").repeat(1000).into_bytes();
    vec![
        ("chat stream, 1000 events", CHAT, stream(chunk)),
        (
            "messages stream, 1000 events",
            MESSAGES,
            stream(&format!("event: content_block_delta\n{delta}")),
        ),
    ]
}

/// The same document a thousand times, in every framing; of AWS event streams also inside base64, as Bedrock sends the
/// models' own events.
fn framed() -> Vec<(&'static str, Framing, Vec<u8>)> {
    let document =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" stream"}}"#;
    let messages = |name: &'static str, payload: &str| {
        let string = |value: &'static str| HeaderValue::String(value.into());
        let message = Message::new(payload.to_owned())
            .add_header(Header::new(":event-type", string(name)))
            .add_header(Header::new(":content-type", string("application/json")))
            .add_header(Header::new(":message-type", string("event")));
        let mut bytes = Vec::new();
        let written = write_message_to(&message, &mut bytes);
        assert!(written.is_ok(), "a short message can be written");
        bytes.repeat(1000)
    };
    let encoded = BASE64_STANDARD.encode(document);
    let wrapped = format!(r#"{{"bytes":"{encoded}","p":"abcdefgh"}}"#);
    vec![
        (
            "server-sent events",
            Framing::Sse,
            format!("data: {document}\n\n").repeat(1000).into_bytes(),
        ),
        (
            "NDJSON",
            Framing::Ndjson,
            format!("{document}\n").repeat(1000).into_bytes(),
        ),
        (
            "a JSON array",
            Framing::JsonArray,
            format!("[{document}{}\n]\n", format!("\n,\n{document}").repeat(999)).into_bytes(),
        ),
        (
            "an event stream",
            Framing::EventStream,
            messages("contentBlockDelta", document),
        ),
        (
            "an event stream of chunks",
            Framing::EventStream,
            messages("chunk", &wrapped),
        ),
        (
            "a WebSocket",
            Framing::WebSocket,
            encode_message(MessageKind::Text, document.as_bytes(), None).repeat(1000),
        ),
    ]
}

fn main() {
    for (name, framing, body) in framed() {
        let chunks: Vec<Bytes> = body.chunks(16 << 10).map(Bytes::copy_from_slice).collect();
        measure(
            &format!("frames of {name}, 16 KB chunks"),
            body.len(),
            1000,
            || {
                let mut decoder = FrameDecoder::new(framing);
                for chunk in &chunks {
                    decoder.push(chunk.clone());
                    while let Ok(Some(frame)) = decoder.next() {
                        black_box(frame.data());
                    }
                }
            },
        );
    }
    measure("recognise /v1/chat/completions", 20, 1, || {
        black_box(recognise(
            Api::OpenAi,
            RequestLine::post(black_box("/v1/chat/completions")),
        ));
    });
    measure("recognise an Azure path", 64, 1, || {
        let path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
        black_box(recognise(Api::OpenAi, RequestLine::post(black_box(path))));
    });
    for (name, body) in requests() {
        measure(name, body.len(), 1, || {
            let request = read_request(&CHAT, None, black_box(&body));
            if let Ok(request) = &request {
                black_box(prompt_count(&CHAT, &body, request));
            }
            black_box(&request);
        });
    }
    for (name, call, body) in streams() {
        for (how, size) in [
            ("one chunk an event", body.len() / 1000),
            ("16 KB chunks", 16 << 10),
        ] {
            let chunks: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
            measure(&format!("{name}, {how}"), body.len(), 1000, || {
                let mut decoder = FrameDecoder::new(Framing::Sse);
                for chunk in &chunks {
                    decoder.push(chunk.clone());
                    while let Ok(Some(event)) = decoder.next() {
                        black_box(read_event(&call, &event).is_ok());
                    }
                }
            });
        }
    }
}
