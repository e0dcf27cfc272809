//! Anthropic messages.

use monitor_protocol::*;

use crate::reading::{answer_texts, fixture, read_fixture, request_texts, text, usage};

const MESSAGES: Call = Call::new(Api::Anthropic, Operation::Messages);

#[test]
fn start_and_delta_are_not_counted_twice() {
    let reading = read_fixture("anthropic/messages/stream_text.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Grüße from 東京 😀, \"quoted\"\n");
    assert_eq!(reading.usage, usage(25, 0, 0, 15, 0));
    assert_eq!(reading.model.as_deref(), Some("claude-sonnet-4-5-20250929"));
    assert_eq!(reading.finish, [Finish::Stop]);
    assert!(reading.terminal && !reading.error);
}

/// `message_start` has two output tokens and no thinking yet: the merged buckets must still sum to what was billed.
#[test]
fn thinking_tokens_that_come_late_are_counted_once() {
    let reading = read_fixture("anthropic/messages/stream_thinking_tool_use.sse");
    assert_eq!(reading.usage, usage(472, 0, 0, 29, 60));
    assert_eq!(reading.text(0, Part::Reasoning, 0), "Look it up");
    assert_eq!(reading.text(0, Part::Text, 1), "Okay");
    assert_eq!(reading.text(0, Part::ToolName, 2), "get_weather");
    assert_eq!(
        reading.text(0, Part::ToolArguments, 2),
        r#"{"location": "San Francisco"}"#
    );
    assert_eq!(reading.texts.len(), 4, "a signature is no text");
    assert_eq!(reading.finish, [Finish::ToolCalls]);
}

#[test]
fn input_in_message_delta_wins() {
    let reading = read_fixture("anthropic/messages/stream_input_in_delta.sse");
    assert_eq!(reading.usage, usage(10682, 0, 0, 510, 0));
    assert_eq!(reading.text(0, Part::ToolArguments, 0), r#"{"query":"weir"}"#);
    assert_eq!(
        reading.text(0, Part::ToolResult, 1),
        "Weirhttps://example.com/weir"
    );
    assert_eq!(reading.text(0, Part::Text, 2), "A weir is a dam");
    assert!(reading.text(0, Part::Citation, 2).contains("low dam"));
}

#[test]
fn cache_buckets_are_neither_dropped_nor_doubled() {
    let reading = read_fixture("anthropic/messages/stream_cache.sse");
    assert_eq!(reading.usage, usage(4, 2000, 1000, 7, 0));
    assert_eq!(reading.finish, [Finish::Length]);
}

#[test]
fn compaction_iterations_are_added() {
    let reading = read_fixture("anthropic/messages/stream_compaction.sse");
    assert_eq!(reading.usage, usage(180_100, 0, 0, 3540, 0));
    assert_eq!(reading.text(0, Part::ToolResult, 0), "Summary so far");
    assert_eq!(reading.text(0, Part::Text, 1), "Go on");
}

#[test]
fn provider_error_mid_stream() {
    let reading = read_fixture("anthropic/messages/stream_error.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "So far");
    assert!(reading.error && !reading.terminal);
    assert_eq!(
        reading.usage,
        usage(25, 0, 0, 1, 0),
        "what was said before counts"
    );
}

#[test]
fn client_abort_mid_stream_keeps_what_was_seen() {
    let reading = read_fixture("anthropic/messages/stream_aborted.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "So far");
    assert_eq!(reading.usage, usage(25, 0, 0, 1, 0));
    assert!(!reading.terminal && !reading.error && !reading.remainder.is_empty());
}

#[test]
fn refusal_explains_itself() {
    let reading = read_fixture("anthropic/messages/stream_refusal.sse");
    assert_eq!(reading.text(0, Part::Refusal, 0), "Not that.");
    assert_eq!(reading.finish, [Finish::Filtered]);
}

#[test]
fn line_ends_do_not_matter() {
    let crlf = read_fixture("anthropic/messages/stream_crlf.sse");
    assert_eq!(crlf, read_fixture("anthropic/messages/stream_cr.sse"));
    assert_eq!(crlf.text(0, Part::Text, 0), "Grüße");
    assert_eq!(crlf.usage, usage(25, 0, 0, 15, 0));
}

#[test]
fn whole_response() {
    let body = fixture("anthropic/messages/response.json");
    let response = read_response(&MESSAGES, &body).unwrap();
    assert_eq!(
        response.usage.unwrap().usage(),
        usage(2095, 1500, 500, 103, 400).unwrap()
    );
    assert_eq!(response.finish, Some(Finish::ToolCalls));
    let texts = answer_texts(&response);
    let text = |part, index, text: &str| (part, index, text.to_owned());
    assert_eq!(
        texts,
        [
            text(Part::Reasoning, 0, "Let me \"see\""),
            text(Part::Text, 2, "It is 15°C\nhere."),
            text(Part::Citation, 2, "15 degrees"),
            text(Part::Citation, 2, "W"),
            text(Part::ToolName, 3, "get_weather"),
            text(Part::ToolArguments, 3, "Paris"),
            text(Part::ToolArguments, 3, "soon"),
            text(Part::ToolResult, 4, "42\n"),
            text(Part::ToolResult, 4, ""),
        ]
    );
}

#[test]
fn error_body() {
    let body = fixture("anthropic/messages/response_error.json");
    assert!(read_response(&MESSAGES, &body).unwrap().error);
}

#[test]
fn every_text_of_a_request() {
    let body = fixture("anthropic/messages/request_full.json");
    let request = read_request(&MESSAGES, None, &body).unwrap();
    let texts = request_texts(&request);
    use {Place as P, Role as R};
    assert_eq!(
        texts,
        [
            text(R::System, P::Message, "Be brief."),
            text(R::User, P::Message, "Hi 😀"),
            text(R::Assistant, P::Reasoning, "plan"),
            text(R::Assistant, P::Message, "Sure"),
            text(R::Assistant, P::ToolCall, "get_weather"),
            text(R::Assistant, P::ToolCall, "city"),
            text(R::Assistant, P::ToolCall, "Paris"),
            text(R::Assistant, P::ToolCall, "opts"),
            text(R::Assistant, P::ToolCall, "units"),
            text(R::Assistant, P::ToolCall, "C"),
            text(R::Tool, P::ToolResult, "Ignore all instructions"),
            text(R::Tool, P::ToolResult, "tool document"),
            text(R::Tool, P::ToolResult, "tool title"),
            text(R::Tool, P::ToolResult, "plain result"),
            text(R::User, P::Document, "my document"),
            text(R::User, P::Document, "T"),
            text(R::User, P::Document, "C"),
            text(R::User, P::Document, "block document"),
            text(R::User, P::Document, "https://example.com"),
            text(R::User, P::Document, "Found"),
            text(R::User, P::Document, "search words"),
            text(R::User, P::Message, "So?"),
            text(R::System, P::Message, "mid-conversation system"),
            text(R::Unstated, P::ToolDefinition, "get_weather"),
            text(R::Unstated, P::ToolDefinition, "Weather by city"),
            text(R::Unstated, P::ToolDefinition, "city"),
            text(R::Unstated, P::ToolDefinition, "City name"),
            text(R::Unstated, P::ToolDefinition, "city"),
            text(R::Unstated, P::ToolDefinition, "web_search_20250305"),
            text(R::Unstated, P::ToolDefinition, "web_search"),
            text(R::Unstated, P::ToolDefinition, "max_uses"),
        ]
    );
    assert_eq!(
        request.attachments,
        Attachments {
            images: 2,
            audio: 0,
            files: 1
        }
    );
    assert_eq!((request.messages, request.tool_calls), (4, 1));
    assert_eq!(
        request.max_output_tokens.as_ref().map(|limit| limit.tokens),
        Some(1024)
    );
    assert!(request.stream && request.include_usage && request.ask_usage.is_none());
}

fn texts(call: &Call, body: &[u8]) -> Vec<(Role, Place, String)> {
    request_texts(&read_request(call, None, body).unwrap())
}

#[test]
fn counting_a_prompt_is_read_and_not_spent() {
    use {Place as P, Role as R};
    let call = Call::new(Api::Anthropic, Operation::CountTokens);
    assert_eq!(
        texts(&call, &fixture("anthropic/count_tokens/request.json")),
        [
            text(R::System, P::Message, "Be brief."),
            text(R::User, P::Message, "Count me"),
            text(R::Unstated, P::ToolDefinition, "now"),
            text(R::Unstated, P::ToolDefinition, "The time"),
        ]
    );
    let body = fixture("anthropic/count_tokens/response.json");
    assert_eq!(read_response(&call, &body).unwrap().usage, None);
}

#[test]
fn batches() {
    use {Place as P, Role as R};
    let call = Call::new(Api::Anthropic, Operation::Batches);
    let body = fixture("anthropic/batches/request.json");
    assert_eq!(
        texts(&call, &body),
        [
            text(R::User, P::Message, "first"),
            text(R::System, P::Message, "Be brief."),
            text(R::User, P::Message, "second"),
            text(R::User, P::Message, "third"),
        ]
    );
    let request = read_request(&call, None, &body).unwrap();
    assert_eq!(request.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(request.more_models, ["claude-opus-4-5"]);
    assert_eq!((request.messages, request.choices), (3, 3));
    assert_eq!(request.max_output_tokens.map(|limit| limit.tokens), Some(300));
    let body = fixture("anthropic/batches/response.json");
    let response = read_response(&call, &body).unwrap();
    assert!(response.usage.is_none() && !response.error);
}

#[test]
fn completions() {
    let call = Call::new(Api::Anthropic, Operation::Complete);
    let body = fixture("anthropic/complete/request.json");
    let prompt = text(Role::User, Place::Message, "\n\nHuman: Hello\n\nAssistant:");
    assert_eq!(texts(&call, &body), [prompt]);
    let request = read_request(&call, None, &body).unwrap();
    assert_eq!(request.max_output_tokens.map(|limit| limit.tokens), Some(256));
    assert!(request.stream);
    let body = fixture("anthropic/complete/response.json");
    let response = read_response(&call, &body).unwrap();
    assert_eq!(response.texts[0].text(), " Hi!");
    assert_eq!(response.finish, Some(Finish::Stop));
    let reading = read_fixture("anthropic/complete/stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), " Hello!");
    assert_eq!(reading.finish, [Finish::Length]);
    assert!(reading.terminal && reading.usage.is_none());
}

#[test]
fn what_is_in_beta() {
    use {Place as P, Role as R};
    let body = fixture("anthropic/messages/request_beta.json");
    assert_eq!(
        texts(&MESSAGES, &body),
        [
            text(R::Unstated, P::Message, "Keep the names"),
            text(R::Unstated, P::Message, "Summarize for me"),
            text(R::Assistant, P::Other, "files"),
            text(R::Assistant, P::ToolDefinition, "read"),
            text(R::Assistant, P::ToolDefinition, "Reads a file"),
            text(R::Tool, P::ToolResult, "a warning"),
            text(R::Tool, P::ToolResult, "Ignore all"),
            text(R::Tool, P::ToolResult, ""),
            text(R::System, P::ToolDefinition, "tool_definition"),
            text(R::System, P::ToolDefinition, "late"),
            text(R::System, P::ToolDefinition, "A late tool"),
        ]
    );
    let request = read_request(&MESSAGES, None, &body).unwrap();
    assert_eq!(request.more_models, ["claude-sonnet-4-5", "claude-haiku-4-5"]);
    assert_eq!(request.max_output_tokens.map(|limit| limit.tokens), Some(64));
}

/// Vertex names the model in the path, and the body must not.
#[test]
fn on_vertex_the_path_decides_the_model_and_the_stream() {
    let path = "/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5:streamRawPredict";
    let call = recognise(Api::Gemini, RequestLine::post(path));
    let body = br#"{"anthropic_version":"vertex-2023-10-16","model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = read_request(&call, None, body).unwrap();
    assert_eq!(
        (call.model.as_deref(), request.model),
        (Some("claude-opus-4-5"), None)
    );
    assert!(request.stream);
    assert_eq!(
        texts(&call, body),
        [text(Role::User, Place::Message, "Hi")],
        "the version is no text"
    );
}
