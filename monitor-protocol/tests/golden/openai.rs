//! OpenAI chat completions and its compatible servers.

#[path = "openai/hosted.rs"]
mod hosted;
#[path = "openai/media.rs"]
mod media;
#[path = "openai/prompts.rs"]
mod prompts;
#[path = "openai/realtime.rs"]
mod realtime;
#[path = "openai/responses.rs"]
mod responses;

use monitor_protocol::*;

use crate::reading::{fixture, read_fixture, request_texts, text, usage};

const CHAT: Call = Call::new(Api::OpenAi, Operation::ChatCompletions);

#[test]
fn chat_stream_with_include_usage() {
    let reading = read_fixture("openai/chat_completions/stream_include_usage.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Grüße from 東京 😀, \"quoted\"\n");
    assert_eq!(reading.usage, usage(11, 8, 0, 10, 0));
    assert_eq!(reading.usage_only, 1, "the extra chunk can be withheld");
    assert_eq!(reading.model.as_deref(), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(reading.finish, [Finish::Stop]);
    assert!(reading.terminal && !reading.error);
}

#[test]
fn chat_stream_without_include_usage() {
    let reading = read_fixture("openai/chat_completions/stream_without_usage.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hello!");
    assert_eq!((reading.usage, reading.usage_only), (None, 0));
    assert!(reading.terminal);
}

#[test]
fn client_abort_mid_stream_keeps_what_was_seen() {
    let reading = read_fixture("openai/chat_completions/stream_aborted.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hello");
    assert!(!reading.terminal && !reading.error && reading.usage.is_none());
    assert!(
        reading.remainder.starts_with(b"data: {"),
        "half an event is no event, and is not lost"
    );
}

#[test]
fn provider_error_mid_stream() {
    let reading = read_fixture("openai/chat_completions/stream_error.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "So far");
    assert!(reading.error && !reading.terminal);
    let reading = read_fixture("openai/chat_completions/stream_openrouter.sse");
    assert!(reading.error);
    assert_eq!(reading.finish, [Finish::Error]);
}

#[test]
fn several_choices_are_several_texts() {
    let reading = read_fixture("openai/chat_completions/stream_two_choices.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "one two");
    assert_eq!(reading.text(1, Part::Text, 0), "uno dos");
    assert_eq!(reading.finish, [Finish::Stop, Finish::Length]);
}

#[test]
fn tool_call_argument_deltas_join_per_call() {
    let reading = read_fixture("openai/chat_completions/stream_tool_calls.sse");
    assert_eq!(reading.text(0, Part::ToolName, 0), "get_weather");
    assert_eq!(reading.text(0, Part::ToolArguments, 0), r#"{"city":"Paris"}"#);
    assert_eq!(reading.text(0, Part::ToolName, 1), "get_time");
    assert_eq!(reading.text(0, Part::ToolArguments, 1), r#"{"tz":"CET"}"#);
    assert_eq!(reading.texts.len(), 4);
    assert_eq!(reading.finish, [Finish::ToolCalls]);
}

#[test]
fn refusals_are_a_text_of_their_own() {
    let reading = read_fixture("openai/chat_completions/stream_refusal.sse");
    assert_eq!(reading.text(0, Part::Refusal, 0), "I can't help.");
    assert_eq!(reading.texts.len(), 1);
}

#[test]
fn reasoning_content_and_cache_of_deepseek() {
    let reading = read_fixture("openai/chat_completions/stream_reasoning_deepseek.sse");
    assert_eq!(reading.text(0, Part::Reasoning, 0), "Thinking");
    assert_eq!(reading.text(0, Part::Text, 0), "42");
    assert_eq!(reading.usage, usage(8, 4, 0, 5, 25));
    assert_eq!(
        reading.usage_only, 0,
        "its usage chunk has a choice and must reach the client"
    );
}

#[test]
fn reasoning_told_twice_is_read_once() {
    let reading = read_fixture("openai/chat_completions/stream_openrouter.sse");
    assert_eq!(reading.text(0, Part::Reasoning, 0), "Let me");
    assert_eq!(reading.echoes, 1);
}

#[test]
fn reasoning_told_only_in_details_is_read() {
    let data = r#"data: {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.summary","summary":"S"}]}}]}"#;
    let event = Frame::Sse(SseEvent::parse(format!("{data}\n\n").into()));
    let read = read_event(&CHAT, &event).unwrap();
    assert_eq!(
        (read.deltas[0].channel.part, &*read.deltas[0].text),
        (Part::Reasoning, "S")
    );
    assert!(read.echoes.is_empty());
}

#[test]
fn thinking_parts_of_mistral() {
    let reading = read_fixture("openai/chat_completions/stream_mistral_thinking.sse");
    assert_eq!(reading.text(0, Part::Reasoning, 0), "Hmm");
    assert_eq!(reading.text(0, Part::Text, 0), "Yes");
    assert_eq!(reading.usage, usage(9, 0, 0, 5, 0));
}

#[test]
fn usage_of_groq_stands_elsewhere() {
    assert_eq!(
        read_fixture("openai/chat_completions/stream_groq.sse").usage,
        usage(36, 0, 0, 3, 0)
    );
}

#[test]
fn cumulative_usage_is_not_summed() {
    assert_eq!(
        read_fixture("openai/chat_completions/stream_cumulative_usage.sse").usage,
        usage(5, 0, 0, 3, 0)
    );
}

#[test]
fn audio_tokens_are_in_the_totals_and_the_transcript_is_text() {
    let reading = read_fixture("openai/chat_completions/stream_audio.sse");
    assert_eq!(reading.usage, usage(30, 0, 0, 70, 0));
    assert_eq!(
        (reading.modalities.input_audio, reading.modalities.output_audio),
        (21, 55)
    );
    assert_eq!(reading.text(0, Part::Transcript, 0), "Good day");
}

#[test]
fn chunks_without_choices_say_nothing() {
    let reading = read_fixture("openai/chat_completions/stream_azure_filter.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "ok");
    assert_eq!((reading.usage_only, reading.finish), (0, vec![Finish::Filtered]));
}

#[test]
fn line_ends_do_not_matter() {
    let lf = read_fixture("openai/chat_completions/stream_include_usage.sse");
    for name in [
        "openai/chat_completions/stream_crlf.sse",
        "openai/chat_completions/stream_cr.sse",
    ] {
        assert_eq!(read_fixture(name), lf, "{name}");
    }
}

#[test]
fn multi_line_data_comments_and_byte_order_mark() {
    let reading = read_fixture("openai/chat_completions/stream_multiline_comments_bom.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "multi line");
    assert_eq!(reading.events.len(), 4, "two chunks, a name without data, [DONE]");
    assert!(reading.terminal);
}

/// Who edits a text must not leave it readable in the log probabilities.
#[test]
fn log_probabilities_are_an_echo() {
    let body = fixture("openai/chat_completions/stream_logprobs.sse");
    let mut decoder = FrameDecoder::new(Framing::Sse);
    decoder.push(body.into());
    let event = decoder.next().unwrap().unwrap();
    let read = read_event(&CHAT, &event).unwrap();
    let edits = [
        Edit::text(read.deltas[0].span.clone(), "**"),
        Edit::json(read.echoes[0].clone(), "null"),
    ];
    let edited = event.edited(&edits).unwrap();
    assert!(!String::from_utf8_lossy(&edited).contains("Hi"));
    assert!(
        read_event(&CHAT, &Frame::Sse(SseEvent::parse(edited)))
            .unwrap()
            .echoes
            .is_empty()
    );
}

#[test]
fn whole_response() {
    let body = fixture("openai/chat_completions/response.json");
    let response = read_response(&CHAT, &body).unwrap();
    assert_eq!(
        response.usage.map(|counters| counters.usage()),
        usage(76, 1024, 100, 44, 256)
    );
    assert_eq!(response.usage.unwrap().usage().total(), 1500);
    assert!(response.usage_raw.unwrap().starts_with('{'));
    assert_eq!(response.texts[0].text(), "It is \"sunny\"\n in München 😀.");
    assert_eq!(response.texts[1].channel.part, Part::Citation);
    assert_eq!(response.finish, Some(Finish::Stop));
    assert!(!format!("{response:?}").contains("sunny"));
}

#[test]
fn whole_response_with_tool_calls_and_choices_out_of_order() {
    let body = fixture("openai/chat_completions/response_tool_calls_two_choices.json");
    let response = read_response(&CHAT, &body).unwrap();
    let texts: Vec<_> = response
        .texts
        .iter()
        .map(|text| {
            (
                text.channel.choice,
                text.channel.part,
                text.channel.index,
                text.text().into_owned(),
            )
        })
        .collect();
    assert_eq!(
        texts,
        [
            (1, Part::ToolName, 0, "get_weather".to_owned()),
            (1, Part::ToolArguments, 0, r#"{"city":"Paris"}"#.to_owned()),
            (1, Part::ToolName, 1, "sh".to_owned()),
            (1, Part::ToolArguments, 1, "ls".to_owned()),
            (0, Part::Refusal, 0, "No.".to_owned()),
        ]
    );
    assert_eq!(response.echoes.len(), 1);
}

#[test]
fn reasoning_beside_the_completion_is_counted_once() {
    let body = fixture("openai/chat_completions/response_reasoning_beside_completion.json");
    let response = read_response(&CHAT, &body).unwrap();
    assert_eq!(response.usage.unwrap().usage(), usage(26, 6, 0, 9, 94).unwrap());
}

#[test]
fn total_tokens_reveal_hidden_reasoning() {
    let body = fixture("openai/chat_completions/response_hidden_reasoning.json");
    let response = read_response(&CHAT, &body).unwrap();
    assert_eq!(response.usage.unwrap().usage(), usage(10, 0, 0, 5, 65).unwrap());
}

#[test]
fn error_body() {
    let body = fixture("openai/chat_completions/response_error.json");
    let response = read_response(&CHAT, &body).unwrap();
    assert!(response.error && response.texts.is_empty() && response.usage.is_none());
}

#[test]
fn every_text_of_a_conversation() {
    let body = fixture("openai/chat_completions/request_conversation.json");
    let request = read_request(&CHAT, None, &body).unwrap();
    let texts = request_texts(&request);
    use {Place as P, Role as R};
    assert_eq!(
        texts,
        [
            text(R::Developer, P::Message, "Answer in German."),
            text(R::User, P::Name, "ann"),
            text(R::User, P::Message, "Was ist \"das\"? 😀"),
            text(R::User, P::Document, "plan.pdf"),
            text(R::Assistant, P::Message, "Nein."),
            text(R::Assistant, P::ToolCall, "look"),
            text(R::Assistant, P::ToolCall, r#"{"at": "it"}"#),
            text(R::Assistant, P::ToolCall, "sh"),
            text(R::Assistant, P::ToolCall, "ls -l"),
            text(R::Tool, P::ToolResult, "a cat"),
            text(R::Tool, P::ToolResult, "total 0"),
            text(R::Assistant, P::ToolCall, "old"),
            text(R::Assistant, P::ToolCall, "{}"),
            text(R::Tool, P::Name, "old"),
            text(R::Tool, P::ToolResult, "legacy result"),
            text(R::Unstated, P::ToolDefinition, "sh"),
            text(R::Unstated, P::ToolDefinition, "Run it"),
            text(R::Unstated, P::ToolDefinition, "start: WORD"),
            text(R::Unstated, P::ToolDefinition, "old"),
            text(R::Unstated, P::ToolDefinition, "secret_field"),
            text(R::Unstated, P::OutputSchema, "answer"),
            text(R::Unstated, P::OutputSchema, "verdict"),
            text(R::Unstated, P::OutputSchema, "the verdict"),
            text(R::Unstated, P::Prediction, "predicted words"),
        ]
    );
    assert_eq!(
        request.attachments,
        Attachments {
            images: 1,
            audio: 1,
            files: 1
        }
    );
    assert_eq!(
        (
            request.messages,
            request.names,
            request.tool_calls,
            request.choices
        ),
        (7, 2, 3, 2)
    );
    assert_eq!(
        request.max_output_tokens.as_ref().map(|limit| limit.tokens),
        Some(4096)
    );
    assert!(request.stream && request.include_usage && request.ask_usage.is_none());
    assert!(!format!("{request:?}").contains("Was ist"));
}

/// Whatever a lenient server may read is listed; where keys are duplicated, all their texts are.
#[test]
fn evasive_bodies_hide_no_text() {
    let body = fixture("openai/chat_completions/request_evasive.json");
    let request = read_request(&CHAT, None, &body).unwrap();
    assert_eq!(
        request.model.as_deref(),
        Some("gpt-4o-mini"),
        "the last one counts, however it is spelt"
    );
    assert_eq!(
        request.max_output_tokens.as_ref().map(|limit| limit.tokens),
        Some(100)
    );
    assert_eq!(request.choices, 3);
    let texts: Vec<String> = request
        .texts
        .iter()
        .map(|text| text.text().into_owned())
        .collect();
    for hidden in [
        "first list",
        "role after",
        "a",
        "b",
        "c",
        "d",
        "bare",
        "object content",
        "nested",
        "string part",
        "no type",
        "unknown member",
        "other case",
        "legacy",
        "rag",
    ] {
        assert!(texts.iter().any(|text| text == hidden), "{hidden}");
    }
    let role = |wanted: &str| {
        request
            .texts
            .iter()
            .find(|text| text.text() == wanted)
            .map(|text| text.role)
    };
    assert_eq!(
        (role("role after"), role("b")),
        (Some(Role::System), Some(Role::Assistant))
    );
}

#[test]
fn usage_can_be_asked_for() {
    for (before, after) in [
        (
            r#"{"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream":true,"stream_options":null}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{ }}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_obfuscation":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
        ),
        (
            r#"{"stream_options":{"x":1,"include_usage":false},"stream":true}"#,
            r#"{"stream_options":{"x":1,"include_usage":true},"stream":true}"#,
        ),
    ] {
        let request = read_request(&CHAT, None, before.as_bytes()).unwrap();
        let edited = edit(before.as_bytes(), &[request.ask_usage.unwrap()]).unwrap();
        assert_eq!(String::from_utf8_lossy(&edited), after);
        assert!(read_request(&CHAT, None, &edited).unwrap().include_usage);
    }
    for asked in [
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":false}"#,
    ] {
        assert_eq!(
            read_request(&CHAT, None, asked.as_bytes()).unwrap().ask_usage,
            None
        );
    }
}

#[test]
fn unreadable_bodies() {
    for (body, error) in [
        (&b"[]"[..], "not an object"),
        (b"", "too early"),
        (b"{", "too early"),
        (b"{}x", "after the end"),
        (b"\xEF\xBB\xBF{}", "unexpected byte"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
    ] {
        let found = read_request(&CHAT, None, body).unwrap_err().to_string();
        assert!(found.contains(error), "{found}");
    }
    assert_eq!(
        read_request(&Call::new(Api::OpenAi, Operation::Other), None, b"{}"),
        Err(ReadError::NotRead)
    );
    let event = Frame::Sse(SseEvent::parse("data: {\"choices\"\n\n".into()));
    assert!(read_event(&CHAT, &event).is_err());
}
