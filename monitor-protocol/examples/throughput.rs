//! Prints how fast requests and streams are read, on one core: `cargo run --release -p monitor-protocol --example
//! throughput`. With `--json` a line of JSON for each figure, as the bench reads it.
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
use serde_json::json;

const CHAT: Call = Call::new(Api::OpenAi, Operation::ChatCompletions);
const MESSAGES: Call = Call::new(Api::Anthropic, Operation::Messages);

const GEMINI_STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
const CONVERSE_STREAM: &str = "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream";

/// Calls between two looks at the clock, which itself costs as much as the quickest of them.
const BATCH: u32 = 8;

/// Runs `work` on `bytes` bytes until a tenth of a second has passed, three times; prints the fastest.
fn measure(name: &str, bytes: usize, units: usize, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let mut runs = 0_u32;
        while start.elapsed().as_millis() < 100 {
            (0..BATCH).for_each(|_| work());
            runs += BATCH;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(runs));
    }
    let per_unit_ns = best * 1e9 / units as f64;
    let mb_per_s = bytes as f64 / best / 1e6;
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{}",
            json!({"what": name, "mb_per_s": mb_per_s, "ns_each": per_unit_ns})
        );
    } else {
        println!("{name:<52} {mb_per_s:>8.0} MB/s {per_unit_ns:>10.0} ns each");
    }
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

/// The chat of 20 in the shape of every other family.
fn chats() -> Vec<(&'static str, Call, Vec<u8>)> {
    let text = "The weir measures the stream and regulates it. ".repeat(8);
    let body = |before: &str, message: String| {
        let messages = vec![message; 20].join(",");
        format!("{{{before}:[{messages}]}}").into_bytes()
    };
    let plain = || format!(r#"{{"role":"user","content":"{text}"}}"#);
    let parts = |key: &str| format!(r#"{{"role":"user","{key}":[{{"text":"{text}"}}]}}"#);
    let call = |api, path| recognise(api, RequestLine::post(path));
    vec![
        (
            "responses",
            call(Api::OpenAi, "/v1/responses"),
            body(r#""model":"gpt-5-mini","stream":true,"input""#, plain()),
        ),
        (
            "messages",
            MESSAGES,
            body(
                r#""model":"claude-sonnet-4-5","max_tokens":256,"messages""#,
                plain(),
            ),
        ),
        (
            "Gemini",
            call(Api::Gemini, GEMINI_STREAM),
            body(r#""contents""#, parts("parts")),
        ),
        (
            "Converse",
            call(Api::Bedrock, CONVERSE_STREAM),
            body(r#""messages""#, parts("content")),
        ),
        (
            "Ollama",
            call(Api::Ollama, "/api/chat"),
            body(r#""model":"llama3.2","messages""#, plain()),
        ),
        (
            "Cohere",
            call(Api::Cohere, "/v2/chat"),
            body(r#""model":"command-a-03-2025","messages""#, plain()),
        ),
    ]
}

/// Streams of 1000 pieces of text, of every family.
fn streams() -> Vec<(&'static str, Call, Framing, Vec<u8>)> {
    let chunk = r#"data: {"id":"chatcmpl-BdV2k0fPq7","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{"index":0,"delta":{"content":" stream"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aK1xQ"}"#;
    let delta =
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" stream"}}"#;
    let responses = r#"data: {"type":"response.output_text.delta","item_id":"msg_08e1b5","output_index":0,"content_index":0,"delta":" stream","logprobs":[],"obfuscation":"aK1xQ","sequence_number":17}"#;
    let element = r#"{
  "candidates": [
    {
      "content": {
        "parts": [
          {
            "text": " stream"
          }
        ],
        "role": "model"
      },
      "index": 0
    }
  ],
  "usageMetadata": {
    "promptTokenCount": 12,
    "candidatesTokenCount": 2,
    "totalTokenCount": 14,
    "promptTokensDetails": [
      {
        "modality": "TEXT",
        "tokenCount": 12
      }
    ]
  },
  "modelVersion": "gemini-2.5-flash",
  "responseId": "r1"
}"#;
    let chunk_of_gemini = r#"data: {"candidates":[{"content":{"parts":[{"text":" stream"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":2,"totalTokenCount":14,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},"modelVersion":"gemini-2.5-flash","responseId":"r1"}"#;
    let line = r#"{"model":"llama3.2","created_at":"2026-01-01T00:00:00.123456Z","message":{"role":"assistant","content":" stream"},"done":false}"#;
    let cohere =
        r#"data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" stream"}}}}"#;
    let sse = |event: &str| format!("{event}\n\n").repeat(1000).into_bytes();
    let gemini = recognise(Api::Gemini, RequestLine::post(GEMINI_STREAM));
    vec![
        ("chat stream", CHAT, Framing::Sse, sse(chunk)),
        (
            "responses stream",
            Call::new(Api::OpenAi, Operation::Responses),
            Framing::Sse,
            sse(&format!("event: response.output_text.delta\n{responses}")),
        ),
        (
            "messages stream",
            MESSAGES,
            Framing::Sse,
            sse(&format!("event: content_block_delta\n{delta}")),
        ),
        (
            "Gemini stream",
            gemini.clone(),
            Framing::Sse,
            sse(chunk_of_gemini),
        ),
        (
            "Gemini array",
            gemini,
            Framing::JsonArray,
            format!("[{element}{}\n]\n", format!("\n,\r\n{element}").repeat(999)).into_bytes(),
        ),
        (
            "Converse stream",
            recognise(Api::Bedrock, RequestLine::post(CONVERSE_STREAM)),
            Framing::EventStream,
            event_stream(
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":" stream"},"p":"abcdefgh"}"#,
            ),
        ),
        (
            "Ollama lines",
            Call::new(Api::Ollama, Operation::Chat),
            Framing::Ndjson,
            format!("{line}\n").repeat(1000).into_bytes(),
        ),
        (
            "Cohere stream",
            Call::new(Api::Cohere, Operation::Chat),
            Framing::Sse,
            sse(&format!("event: content-delta\n{cohere}")),
        ),
    ]
}

/// A message of an AWS event stream, a thousand times.
fn event_stream(name: &'static str, payload: &str) -> Vec<u8> {
    let string = |value: &'static str| HeaderValue::String(value.into());
    let message = Message::new(payload.to_owned())
        .add_header(Header::new(":event-type", string(name)))
        .add_header(Header::new(":content-type", string("application/json")))
        .add_header(Header::new(":message-type", string("event")));
    let mut bytes = Vec::new();
    let written = write_message_to(&message, &mut bytes);
    assert!(written.is_ok(), "a short message can be written");
    bytes.repeat(1000)
}

/// The same document a thousand times, in every framing; of AWS event streams also inside base64, as Bedrock sends the
/// models' own events.
fn framed() -> Vec<(&'static str, Framing, Vec<u8>)> {
    let document =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" stream"}}"#;
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
            event_stream("contentBlockDelta", document),
        ),
        (
            "an event stream of chunks",
            Framing::EventStream,
            event_stream("chunk", &wrapped),
        ),
        (
            "a WebSocket",
            Framing::WebSocket,
            encode_message(MessageKind::Text, document.as_bytes(), None).repeat(1000),
        ),
    ]
}

/// Whether every event gives its piece of text: figures of anything else would mean nothing.
fn is_read(call: &Call, framing: Framing, body: &[u8]) -> bool {
    let mut decoder = FrameDecoder::new(framing);
    decoder.push(Bytes::copy_from_slice(body));
    let mut pieces = 0;
    while let Ok(Some(frame)) = decoder.next() {
        pieces += read_event(call, &frame).map_or(0, |event| event.deltas.len());
    }
    pieces == 1000
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
    for (name, call, body) in chats() {
        let texts = read_request(&call, None, &body).map_or(0, |request| request.texts.len());
        assert!(texts >= 20, "{name} is not read");
        measure(
            &format!("{name} request, chat of 20 (8 KB)"),
            body.len(),
            1,
            || {
                let request = read_request(&call, None, black_box(&body));
                if let Ok(request) = &request {
                    black_box(prompt_count(&call, &body, request));
                }
                black_box(&request);
            },
        );
    }
    for (name, call, framing, body) in streams() {
        assert!(is_read(&call, framing, &body), "{name} is not read");
        for (how, size) in [
            ("one chunk an event", body.len() / 1000),
            ("16 KB chunks", 16 << 10),
        ] {
            let chunks: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
            measure(&format!("{name}, {how}"), body.len(), 1000, || {
                let mut decoder = FrameDecoder::new(framing);
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
