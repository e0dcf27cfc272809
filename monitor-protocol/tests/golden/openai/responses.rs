//! Responses, over HTTP and WebSocket.

use monitor_protocol::*;

use crate::reading::{answer_texts, fixture, read_fixture, request_texts, text, usage};

const RESPONSES: Call = Call::new(Api::OpenAi, Operation::Responses);

/// Which one of its kind: the second part of the first item, and so on.
const fn index(item: u32, part: u32) -> u32 {
    item * 4096 + part
}

#[test]
fn every_text_is_told_in_pieces_and_repeated() {
    let reading = read_fixture("openai/responses/stream_full.sse");
    let text = "The card is 4111 1111 1111 1111, \"Grüße\" 😀";
    assert_eq!(reading.text(0, Part::Text, index(1, 0)), text);
    assert_eq!(reading.text(0, Part::Reasoning, index(0, 2048)), "Thinking hard");
    assert_eq!(reading.text(0, Part::ToolName, index(2, 0)), "get_weather");
    assert_eq!(
        reading.text(0, Part::ToolArguments, index(2, 0)),
        r#"{"city":"Paris"}"#
    );
    assert_eq!(reading.text(0, Part::Citation, index(1, 0)), "https://a.example/");
    // The text's own event, its part's, its item's, the response's.
    assert_eq!(reading.repeats.iter().filter(|told| *told == text).count(), 4);
    assert_eq!(
        reading
            .repeats
            .iter()
            .filter(|told| *told == "Thinking hard")
            .count(),
        4
    );
    assert!(
        !reading.repeats.iter().any(|told| told.contains("You know")),
        "the client's own words"
    );
}

#[test]
fn usage_of_a_responses_stream_is_not_zero() {
    let reading = read_fixture("openai/responses/stream_full.sse");
    assert_eq!(reading.usage, usage(12, 64, 10, 42, 32));
    assert_eq!(reading.finish, [Finish::ToolCalls]);
    assert_eq!(reading.model.as_deref(), Some("gpt-5-mini-2025-08-07"));
    assert!(reading.terminal && !reading.error);
    let reading = read_fixture("openai/responses/stream_incomplete.sse");
    assert_eq!(reading.usage, usage(9, 0, 0, 2, 14));
    assert_eq!(reading.finish, [Finish::Length]);
    assert!(reading.terminal && !reading.error);
    let reading = read_fixture("openai/responses/stream_failed.sse");
    assert_eq!(reading.usage, usage(9, 0, 0, 3, 0));
    assert_eq!(reading.finish, [Finish::Error]);
    assert_eq!(reading.text(0, Part::Refusal, 0), "I cannot.");
    assert!(reading.terminal && reading.error);
}

#[test]
fn error_event_mid_stream() {
    let reading = read_fixture("openai/responses/stream_error.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "So far");
    assert_eq!(reading.texts.len(), 1, "the error's code is no text");
    assert!(reading.error && reading.usage.is_none());
}

#[test]
fn members_in_any_order_and_tools_of_the_provider() {
    let reading = read_fixture("openai/responses/stream_tools.sse");
    let text = |part, item, number| reading.text(0, part, index(item, number)).to_owned();
    assert_eq!(text(Part::Text, 0, 0), "two");
    assert_eq!(text(Part::Text, 0, 1), "one");
    assert_eq!(text(Part::ToolArguments, 1, 0), r#"{"q":1}"#);
    assert_eq!(text(Part::ToolArguments, 2, 0), "ls");
    assert_eq!(text(Part::ToolArguments, 3, 0), "print(1)");
    assert_eq!(text(Part::ToolResult, 4, 0), "root\n");
    assert_eq!(text(Part::Reasoning, 5, 0), "raw thought");
    assert_eq!(text(Part::Transcript, 0, 0), "Good day");
    assert_eq!(text(Part::ToolArguments, 6, 0), "a cat");
    assert_eq!(text(Part::ToolArguments, 7, 0), "weather");
    assert_eq!(text(Part::ToolName, 1, 0), "ask");
    assert_eq!(text(Part::ToolResult, 1, 0), "an answer");
    assert!(
        !reading
            .texts
            .values()
            .any(|text| text.contains("iVBOR") || text.contains("Ukl")),
        "images and audio are no text"
    );
}

/// Tokens of an image that a tool made are in none of the response's own counters.
#[test]
fn image_tool_tokens_are_counted() {
    let reading = read_fixture("openai/responses/stream_tools.sse");
    assert_eq!(reading.usage, usage(15, 0, 0, 120, 0));
    assert_eq!(
        (reading.modalities.input_image, reading.modalities.output_image),
        (2, 90)
    );
}

#[test]
fn whole_response() {
    let body = fixture("openai/responses/response.json");
    let response = read_response(&RESPONSES, &body).unwrap();
    assert_eq!(
        response.usage.unwrap().usage(),
        usage(12, 64, 10, 42, 32).unwrap()
    );
    assert!(response.usage_raw.unwrap().contains("\"input_tokens\": 86"));
    let texts = answer_texts(&response);
    assert_eq!(
        texts[0],
        (Part::Reasoning, index(0, 2048), "Thinking hard".into())
    );
    assert!(texts.contains(&(
        Part::Text,
        index(1, 0),
        "The card is 4111 1111 1111 1111, \"Grüße\" 😀".into()
    )));
    assert!(texts.contains(&(Part::ToolName, index(2, 0), "get_weather".into())));
    assert!(!texts.iter().any(|(_, _, text)| text.contains("You know")));
    assert_eq!(response.finish, Some(Finish::ToolCalls));
    assert_eq!(response.echoes.len(), 1, "log probabilities");
    let body = fixture("openai/responses/response_error.json");
    let response = read_response(&RESPONSES, &body).unwrap();
    assert!(response.error && response.texts.is_empty() && response.usage.is_none());
}

#[test]
fn every_item_of_a_request() {
    let body = fixture("openai/responses/request_full.json");
    let request = read_request(&RESPONSES, None, &body).unwrap();
    let texts = request_texts(&request);
    use {Place as P, Role as R};
    assert_eq!(
        texts,
        [
            text(R::System, P::Message, "Be brief."),
            text(R::User, P::Message, "plain words"),
            text(R::User, P::Message, "part words"),
            text(R::User, P::Document, "plan.pdf"),
            text(R::Assistant, P::Reasoning, "a summary"),
            text(R::Assistant, P::Reasoning, "a thought"),
            text(R::Assistant, P::Message, "earlier answer"),
            text(R::Assistant, P::Message, "earlier refusal"),
            text(R::Assistant, P::ToolCall, "get_weather"),
            text(R::Assistant, P::ToolCall, r#"{"city":"Paris"}"#),
            text(R::Tool, P::ToolResult, "it is sunny"),
            text(R::Tool, P::ToolResult, "listed output"),
            text(R::Assistant, P::ToolCall, "sh"),
            text(R::Assistant, P::ToolCall, "ls -l"),
            text(R::Tool, P::ToolResult, "total 0"),
            text(R::Assistant, P::ToolCall, "ask"),
            text(R::Assistant, P::ToolCall, "{}"),
            text(R::Tool, P::ToolResult, "mcp words"),
            text(R::Assistant, P::ToolCall, "commands"),
            text(R::Assistant, P::ToolCall, "whoami"),
            text(R::Assistant, P::ToolCall, "timeout_ms"),
            text(R::Tool, P::ToolResult, "root"),
            text(R::Tool, P::ToolResult, "oops"),
            text(R::Tool, P::ToolResult, "42"),
            text(R::Assistant, P::ToolCall, "type"),
            text(R::Assistant, P::ToolCall, "update_file"),
            text(R::Assistant, P::ToolCall, "path"),
            text(R::Assistant, P::ToolCall, "a.txt"),
            text(R::Assistant, P::ToolCall, "diff"),
            text(R::Assistant, P::ToolCall, "+new line"),
            text(R::Unstated, P::ToolDefinition, "get_weather"),
            text(R::Unstated, P::ToolDefinition, "Get the weather"),
            text(R::Unstated, P::ToolDefinition, "city"),
            text(R::Unstated, P::ToolDefinition, "web_search"),
            text(R::Unstated, P::OutputSchema, "answer"),
            text(R::Unstated, P::OutputSchema, "verdict"),
            text(R::Unstated, P::OutputSchema, "the verdict"),
        ]
    );
    assert_eq!((request.attachments.images, request.attachments.files), (5, 1));
    assert_eq!((request.messages, request.tool_calls), (4, 5));
    assert_eq!(request.max_output_tokens.as_ref().unwrap().tokens, 512);
    assert!(request.stream && request.asks && request.hidden && request.include_usage);
    assert_eq!(request.ask_usage, None);
    let plan = prompt_count(&RESPONSES, &body, &request);
    assert_eq!(plan.certainty, Certainty::UnderEstimate);
    assert!(plan.extra.contains(&"get_weather:Get the weather".to_owned()));
}

#[test]
fn a_string_is_one_message() {
    let body = br#"{"model":"gpt-5","input":"hello there","instructions":null}"#;
    let request = read_request(&RESPONSES, None, body).unwrap();
    assert_eq!((request.messages, request.texts.len()), (1, 1));
    assert_eq!(
        (request.texts[0].role, request.texts[0].place),
        (Role::User, Place::Message)
    );
    let plan = prompt_count(&RESPONSES, body, &request);
    assert_eq!((plan.overhead, plan.certainty), (3 + 1 + 3, Certainty::Estimated));
}

#[test]
fn what_the_provider_has_stored_makes_an_under_estimate() {
    for stored in [
        r#""previous_response_id":"resp_1""#,
        r#""conversation":"conv_1""#,
        r#""prompt":{"id":"pmpt_1","variables":{"city":"Paris","doc":{"type":"input_text","text":"words"}}}"#,
    ] {
        let body = format!(r#"{{"model":"gpt-5",{stored},"input":"hi"}}"#);
        let request = read_request(&RESPONSES, None, body.as_bytes()).unwrap();
        let plan = prompt_count(&RESPONSES, body.as_bytes(), &request);
        assert_eq!(plan.certainty, Certainty::UnderEstimate, "{stored}");
        let texts: Vec<_> = request
            .texts
            .iter()
            .map(|text| text.text().into_owned())
            .collect();
        assert_eq!(texts.contains(&"Paris".to_owned()), stored.contains("Paris"));
        assert_eq!(texts.contains(&"words".to_owned()), stored.contains("Paris"));
    }
}

/// Where a lenient server may look for words.
#[test]
fn evasive_requests_hide_no_text() {
    let body = br#"{"input":{"content":{"text":"lone item"}},"inp\u0075t":["bare",{"content":[["nested"]],"role":"user"},{"type":"made_up","strange":{"deep":["odd"]}}],"unknown":"extra","tools":[{"name":7,"function":{"description":"tool words"}}],"instructions":["listed"]}"#;
    let request = read_request(&RESPONSES, None, body).unwrap();
    let texts: Vec<_> = request
        .texts
        .iter()
        .map(|text| text.text().into_owned())
        .collect();
    for hidden in [
        "lone item",
        "bare",
        "nested",
        "odd",
        "extra",
        "tool words",
        "listed",
    ] {
        assert!(texts.iter().any(|text| text == hidden), "{hidden}");
    }
}

#[test]
fn messages_of_a_websocket() {
    let call = Call {
        websocket: true,
        ..RESPONSES
    };
    let read = |body: &'static str| read_request(&call, None, body.as_bytes()).unwrap();
    let request =
        read(r#"{"type":"response.create","model":"gpt-5","input":"hi","previous_response_id":"r"}"#);
    assert!(request.asks && request.stream && request.hidden);
    assert_eq!(
        (request.model.as_deref(), request.texts.len()),
        (Some("gpt-5"), 1)
    );
    let request = read(r#"{"type":"response.create","generate":false,"input":"hi"}"#);
    assert!(!request.asks);
    let request = read(
        r#"{"type":"response.steer","previous_response_id":"r","input":[{"type":"function_call_output","output":"words"}]}"#,
    );
    assert!(!request.asks && request.texts[0].place == Place::ToolResult);
    let event = |data: &str| Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
    let created = event(r#"{"type":"response.created","response":{"status":"in_progress"},"stream_id":"s"}"#);
    let read = read_event(&call, &created).unwrap();
    assert!(read.begins && !read.terminal && read.finish.is_none());
    let failed = event(
        r#"{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"no"}}"#,
    );
    let read = read_event(&call, &failed).unwrap();
    assert!(read.error && read.terminal && read.deltas.is_empty());
}

#[test]
fn a_cut_raises_in_both_sdks_and_ends_by_type() {
    let reason = RefusalReason::Budget {
        name: "b".into(),
        counts: "tokens",
        retry_after_s: None,
    };
    let mut decoder = FrameDecoder::new(Framing::Sse);
    decoder.push(cut(&RESPONSES, Framing::Sse, true, &reason).into());
    let first = decoder.next().unwrap().unwrap();
    let data: serde_json::Value = serde_json::from_slice(first.data()).unwrap();
    assert_eq!((first.name(), &data["type"]), (&b"error"[..], &"error".into()));
    assert_eq!(data["code"], "budget_exceeded");
    assert_eq!(data["error"]["code"], "budget_exceeded");
    let last = decoder.next().unwrap().unwrap();
    let data: serde_json::Value = serde_json::from_slice(last.data()).unwrap();
    assert_eq!(data["response"]["error"]["type"], "insufficient_quota");
    let read = read_event(&RESPONSES, &last).unwrap();
    assert!(read.terminal && read.error);
    assert_eq!(decoder.next().unwrap(), None);
}
