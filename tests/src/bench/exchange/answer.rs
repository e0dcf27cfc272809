//! The answers, in the shapes and with the members that the providers send.

use anyhow::{Context, Result};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};

use super::{Answer, PIECES, PROMPT_TOKENS};

const PIECE: &str = " stream";
const SSE: &str = "text/event-stream";

fn text() -> String {
    PIECE.repeat(PIECES as usize)
}

fn pieces(event: impl Fn(u64) -> Value) -> impl Iterator<Item = Value> {
    (0..PIECES).map(event)
}

fn streamed(content_type: &'static str, events: impl IntoIterator<Item = Vec<u8>>) -> Result<Answer> {
    Ok(Answer {
        content_type,
        events: events.into_iter().collect(),
        whole: false,
    })
}

/// An event that only has data.
fn data(event: &Value) -> Vec<u8> {
    format!("data: {event}\n\n").into_bytes()
}

/// An event whose name is its `type`.
fn named(event: &Value) -> Vec<u8> {
    let name = event["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n").into_bytes()
}

pub(super) fn chat_whole() -> Result<Answer> {
    let completion = json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_760_000_000, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text(), "refusal": null, "annotations": []},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": PIECES, "total_tokens": PROMPT_TOKENS + PIECES},
    });
    Ok(Answer {
        content_type: "application/json",
        events: vec![completion.to_string().into_bytes()],
        whole: true,
    })
}

pub(super) fn chat() -> Result<Answer> {
    let chunk = |choices: Value, usage: Value| {
        json!({"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-mini",
            "service_tier": "default", "system_fingerprint": "fp_560af6e559", "choices": choices, "usage": usage})
    };
    let choice = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        chunk(json!([choice]), Value::Null)
    };
    let begin = choice(
        json!({"role": "assistant", "content": "", "refusal": null}),
        Value::Null,
    );
    let end = choice(json!({}), json!("stop"));
    let usage = json!({"prompt_tokens": PROMPT_TOKENS, "completion_tokens": PIECES, "total_tokens": PROMPT_TOKENS + PIECES});
    let deltas = pieces(|_| choice(json!({"content": PIECE}), Value::Null));
    let events = std::iter::once(begin)
        .chain(deltas)
        .chain([end, chunk(json!([]), usage)]);
    let events = events.map(|event| data(&event));
    streamed(SSE, events.chain([b"data: [DONE]\n\n".to_vec()]))
}

pub(super) fn responses() -> Result<Answer> {
    let response = |status: &str, output: Value, usage: Value| {
        json!({"id": "resp_bench", "object": "response", "created_at": 1_760_000_000, "status": status, "error": null,
            "incomplete_details": null, "instructions": "You are brief.", "model": "gpt-4o-mini", "output": output,
            "parallel_tool_calls": true, "store": true, "temperature": 1.0, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage, "metadata": {}})
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = |status: &str, content: Value| json!({"id": "msg_bench", "type": "message", "status": status, "role": "assistant", "content": content});
    let at = |kind: &str, number: u64, more: Value| {
        let mut event = json!({"type": kind, "sequence_number": number, "item_id": "msg_bench", "output_index": 0,
            "content_index": 0});
        for (key, value) in more.as_object().into_iter().flatten() {
            event[key] = value.clone();
        }
        event
    };
    let whole = |kind: &str, number: u64, response: Value| json!({"type": kind, "sequence_number": number, "response": response});
    let of_item = |kind: &str, number: u64, item: Value| json!({"type": kind, "sequence_number": number, "output_index": 0, "item": item});
    let (text, next) = (text(), 4 + PIECES);
    let done = item("completed", json!([part(&text)]));
    let usage = json!({"input_tokens": PROMPT_TOKENS, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": PIECES, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": PROMPT_TOKENS + PIECES});
    let begin = [
        whole(
            "response.created",
            0,
            response("in_progress", json!([]), Value::Null),
        ),
        whole(
            "response.in_progress",
            1,
            response("in_progress", json!([]), Value::Null),
        ),
        of_item("response.output_item.added", 2, item("in_progress", json!([]))),
        at("response.content_part.added", 3, json!({"part": part("")})),
    ];
    let deltas = pieces(|index| {
        let more = json!({"delta": PIECE, "logprobs": [], "obfuscation": "aK1xQ"});
        at("response.output_text.delta", 4 + index, more)
    });
    let end = [
        at(
            "response.output_text.done",
            next,
            json!({"text": text, "logprobs": []}),
        ),
        at(
            "response.content_part.done",
            next + 1,
            json!({"part": part(&text)}),
        ),
        of_item("response.output_item.done", next + 2, done.clone()),
        whole(
            "response.completed",
            next + 3,
            response("completed", json!([done]), usage),
        ),
    ];
    streamed(
        SSE,
        begin
            .into_iter()
            .chain(deltas)
            .chain(end)
            .map(|event| named(&event)),
    )
}

pub(super) fn messages() -> Result<Answer> {
    let message = json!({"id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": PROMPT_TOKENS, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0, "output_tokens": 1, "service_tier": "standard"}});
    let begin = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    let deltas = pieces(
        |_| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}}),
    );
    let end = [
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": PIECES}}),
        json!({"type": "message_stop"}),
    ];
    streamed(
        SSE,
        begin
            .into_iter()
            .chain(deltas)
            .chain(end)
            .map(|event| named(&event)),
    )
}

/// An array that grows, indented as the service sends it.
pub(super) fn gemini() -> Result<Answer> {
    let mut events = Vec::new();
    for number in 1..=PIECES {
        let mut candidate = json!({"content": {"parts": [{"text": PIECE}], "role": "model"}, "index": 0});
        if number == PIECES {
            candidate["finishReason"] = json!("STOP");
        }
        let usage = json!({"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": number,
            "totalTokenCount": PROMPT_TOKENS + number,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": PROMPT_TOKENS}]});
        let element = json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash",
            "responseId": "bench"});
        let before = if number == 1 { "[" } else { ",\r\n" };
        let after = if number == PIECES { "\n]\n" } else { "\n" };
        let element = serde_json::to_string_pretty(&element)?;
        events.push(format!("{before}{element}{after}").into_bytes());
    }
    streamed("application/json; charset=UTF-8", events)
}

pub(super) fn converse() -> Result<Answer> {
    let begin = ("messageStart", json!({"p": "abcd", "role": "assistant"}));
    let delta = json!({"contentBlockIndex": 0, "delta": {"text": PIECE}, "p": "abcdefgh"});
    let deltas = pieces(|_| delta.clone()).map(|delta| ("contentBlockDelta", delta));
    let usage =
        json!({"inputTokens": PROMPT_TOKENS, "outputTokens": PIECES, "totalTokens": PROMPT_TOKENS + PIECES});
    let end = [
        ("contentBlockStop", json!({"contentBlockIndex": 0, "p": "a"})),
        ("messageStop", json!({"p": "abc", "stopReason": "end_turn"})),
        (
            "metadata",
            json!({"metrics": {"latencyMs": 711}, "p": "abcdefghijkl", "usage": usage}),
        ),
    ];
    let events = std::iter::once(begin).chain(deltas).chain(end);
    let events: Vec<_> = events
        .map(|(name, event)| message(name, &event))
        .collect::<Result<_>>()?;
    streamed("application/vnd.amazon.eventstream", events)
}

fn message(name: &'static str, payload: &Value) -> Result<Vec<u8>> {
    let string = |value: &'static str| HeaderValue::String(value.into());
    let message = Message::new(payload.to_string())
        .add_header(Header::new(":event-type", string(name)))
        .add_header(Header::new(":content-type", string("application/json")))
        .add_header(Header::new(":message-type", string("event")));
    let mut wire = Vec::new();
    write_message_to(&message, &mut wire).context("framing an event")?;
    Ok(wire)
}

pub(super) fn ollama() -> Result<Answer> {
    let line = |content: &str, done: bool| {
        json!({"model": "llama3.2", "created_at": "2026-01-01T00:00:00.123456Z",
            "message": {"role": "assistant", "content": content}, "done": done})
    };
    let mut last = line("", true);
    for (key, value) in [
        ("done_reason", json!("stop")),
        ("total_duration", json!(4_883_583_458_u64)),
        ("load_duration", json!(1_334_875)),
        ("prompt_eval_count", json!(PROMPT_TOKENS)),
        ("prompt_eval_duration", json!(342_546_000)),
        ("eval_count", json!(PIECES)),
        ("eval_duration", json!(4_535_599_000_u64)),
    ] {
        last[key] = value;
    }
    let lines = pieces(|_| line(PIECE, false)).chain([last]);
    streamed(
        "application/x-ndjson",
        lines.map(|line| format!("{line}\n").into_bytes()),
    )
}

pub(super) fn cohere() -> Result<Answer> {
    let begin = [
        json!({"id": "bench", "type": "message-start", "delta": {"message": {"role": "assistant", "content": [],
            "tool_plan": "", "tool_calls": [], "citations": []}}}),
        json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}),
    ];
    let deltas = pieces(
        |_| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": PIECE}}}}),
    );
    let tokens = json!({"input_tokens": PROMPT_TOKENS, "output_tokens": PIECES});
    let end = [
        json!({"type": "content-end", "index": 0}),
        json!({"id": "bench", "type": "message-end", "delta": {"finish_reason": "COMPLETE",
            "usage": {"billed_units": tokens, "tokens": tokens}}}),
    ];
    streamed(
        SSE,
        begin
            .into_iter()
            .chain(deltas)
            .chain(end)
            .map(|event| named(&event)),
    )
}
