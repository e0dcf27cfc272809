//! The way of an exchange through the whole interface, once per API.

use monitor_protocol::*;

#[test]
fn openai_request_is_read_edited_and_counted() {
    let body = br#"{"model":"gpt-4o-mini","stream":true,"messages":[{"content":"be\nbrief","role":"system"},{"role":"user","name":"ann","content":[{"type":"text","text":"my card 4111"}]},{"role":"tool","tool_call_id":"x","content":"42"}],"max_tokens":5,"max_completion_tokens":7}"#;
    let call = recognise(Api::OpenAi, RequestLine::post("/v1/chat/completions"));
    let request = read_request(&call, None, body).unwrap();
    assert_eq!(request.model.as_deref(), Some("gpt-4o-mini"));
    assert!(request.stream && !request.include_usage);
    assert_eq!(request.max_output_tokens.as_ref().unwrap().tokens, 7);
    let texts: Vec<_> = request
        .texts
        .iter()
        .map(|text| (text.role, text.place, text.text().into_owned()))
        .collect();
    assert_eq!(
        texts,
        [
            (Role::System, Place::Message, "be\nbrief".into()),
            (Role::User, Place::Name, "ann".into()),
            (Role::User, Place::Message, "my card 4111".into()),
            (Role::Tool, Place::ToolResult, "42".into()),
        ]
    );
    let plan = prompt_count(&call, body, &request);
    assert_eq!((plan.overhead, plan.certainty), (3 * 4 + 1 + 3, Certainty::Exact));
    let span = request.texts[2].raw_spans().span(8..12).unwrap();
    let clamp = request.max_output_tokens.unwrap().span;
    let edited = edit(body, &[Edit::text(span, "[card]"), Edit::json(clamp, "3")]).unwrap();
    let expected = String::from_utf8_lossy(body)
        .replace("4111", "[card]")
        .replace("tokens\":7", "tokens\":3");
    assert_eq!(String::from_utf8_lossy(&edited), expected);
}

#[test]
fn anthropic_stream_is_read_and_edited() {
    let mut decoder = FrameDecoder::new(Framing::Sse);
    decoder.push("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n".into());
    let event = decoder.next().unwrap().unwrap();
    let read = read_event(&Call::new(Api::Anthropic, Operation::Messages), &event).unwrap();
    assert_eq!(read.deltas[0].text, "Hi");
    assert_eq!(
        read.deltas[0].channel,
        Channel {
            choice: 0,
            part: Part::Text,
            index: 1
        }
    );
    let edited = event
        .edited(&[Edit::text(read.deltas[0].span.clone(), "Ho")])
        .unwrap();
    assert_eq!(edited, String::from_utf8_lossy(event.raw()).replace("Hi", "Ho"));
}
