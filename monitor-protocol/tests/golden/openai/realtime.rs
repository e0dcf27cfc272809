//! Realtime conversations: each message of a client or the server is one document.

use monitor_protocol::*;

use crate::reading::{read_fixture, request_texts, text, usage};

const REALTIME: Call = Call::new(Api::OpenAi, Operation::Realtime);

fn read(body: &str) -> Request<'_> {
    read_request(&REALTIME, None, body.as_bytes()).unwrap()
}

fn texts(body: &str) -> Vec<(Role, Place, String)> {
    request_texts(&read(body))
}

#[test]
fn client_messages_and_which_of_them_ask() {
    use {Place as P, Role as R};
    let update = r#"{"type":"session.update","event_id":"e1","session":{"type":"realtime","model":"gpt-realtime","instructions":"Be kind.","output_modalities":["audio"],"audio":{"input":{"format":{"type":"audio/pcm","rate":24000},"transcription":{"model":"whisper-1","prompt":"Names: Ann"},"turn_detection":{"type":"server_vad"}},"output":{"voice":"marin"}},"tools":[{"type":"function","name":"look","description":"Look up","parameters":{"type":"object","properties":{}}}],"tool_choice":"auto","max_output_tokens":"inf","tracing":"auto"}}"#;
    assert_eq!(
        texts(update),
        [
            text(R::System, P::Message, "Be kind."),
            text(R::System, P::Message, "Names: Ann"),
            text(R::Unstated, P::ToolDefinition, "look"),
            text(R::Unstated, P::ToolDefinition, "Look up"),
        ]
    );
    let request = read(update);
    assert_eq!(request.model.as_deref(), Some("gpt-realtime"));
    assert!(!request.asks && request.max_output_tokens.is_none());
    let item = r#"{"type":"conversation.item.create","previous_item_id":"i0","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"},{"type":"input_audio","audio":"UklGRg==","transcript":"spoken"},{"type":"input_image","image_url":"data:image/png;base64,iVBOR"}]}}"#;
    assert_eq!(
        texts(item),
        [
            text(R::User, P::Message, "hello"),
            text(R::User, P::Message, "spoken")
        ]
    );
    assert!(!read(item).asks);
    assert_eq!(
        (read(item).attachments.audio, read(item).attachments.images),
        (1, 1)
    );
    let output = r#"{"item":{"output":"it is sunny","call_id":"c1","type":"function_call_output"},"type":"conversation.item.create"}"#;
    assert_eq!(texts(output), [text(R::Tool, P::ToolResult, "it is sunny")]);
    let append = r#"{"type":"input_audio_buffer.append","audio":"UklGRg=="}"#;
    assert!(texts(append).is_empty() && !read(append).asks);
    let create = r#"{"response":{"instructions":"Answer now.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"out of band"}]}],"max_output_tokens":200,"conversation":"none"},"type":"response.create"}"#;
    let request = read(create);
    assert!(request.asks && request.hidden);
    assert_eq!(request.max_output_tokens.as_ref().unwrap().tokens, 200);
    assert_eq!(
        texts(create),
        [
            text(R::System, P::Message, "Answer now."),
            text(R::User, P::Message, "out of band")
        ]
    );
    let body = create.as_bytes();
    let plan = prompt_count(&REALTIME, body, &request);
    assert_eq!(plan.certainty, Certainty::UnderEstimate);
    assert!(read(r#"{"type":"response.create"}"#).asks);
}

#[test]
fn a_spoken_answer_with_a_tool_call() {
    let reading = read_fixture("openai/realtime/answer.ndjson");
    let channel = |part, index| reading.text(0, part, index).to_owned();
    assert_eq!(channel(Part::Transcript, 0), "Good day, Ann");
    assert_eq!(channel(Part::ToolName, 4096), "look");
    assert_eq!(channel(Part::ToolArguments, 4096), r#"{"q":1}"#);
    assert_eq!(
        reading.text(u32::MAX, Part::Transcript, 0),
        "What day is it",
        "what was heard"
    );
    assert_eq!(reading.texts.len(), 4);
    assert!(
        reading
            .repeats
            .iter()
            .filter(|told| *told == "Good day, Ann")
            .count()
            >= 4,
        "{:?}",
        reading.repeats
    );
    assert!(
        !reading.repeats.iter().any(|told| told == "typed by the client"),
        "the client's own words"
    );
    // 200 of the answer and 14 of the transcription, which are in none of the answer's counters.
    assert_eq!(reading.usage, usage(200 - 64 + 10, 64, 0, 55 + 4, 0));
    assert_eq!(
        (reading.modalities.input_audio, reading.modalities.output_audio),
        (120, 40)
    );
    assert_eq!(reading.finish, [Finish::ToolCalls]);
    assert!(reading.terminal && !reading.error);
}

#[test]
fn answers_begin_and_end_and_errors_do_not_end_them() {
    let event = |data: &str| Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
    let created = event(r#"{"type":"response.created","response":{"status":"in_progress","output":[]}}"#);
    let created = read_event(&REALTIME, &created).unwrap();
    assert!(created.begins && !created.terminal);
    let cancelled = event(
        r#"{"type":"response.done","response":{"status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},"output":[],"usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}"#,
    );
    let cancelled = read_event(&REALTIME, &cancelled).unwrap();
    assert!(cancelled.terminal && cancelled.usage.is_some());
    assert_eq!(cancelled.finish, Some(Finish::Other));
    let failed = event(
        r#"{"type":"response.done","response":{"status":"failed","status_details":{"type":"failed","error":{"type":"server_error","code":"x"}}}}"#,
    );
    let failed = read_event(&REALTIME, &failed).unwrap();
    assert!(failed.terminal && failed.error);
    let error = event(
        r#"{"type":"error","event_id":"e","error":{"type":"invalid_request_error","code":"c","message":"m"}}"#,
    );
    let error = read_event(&REALTIME, &error).unwrap();
    assert!(error.error && !error.terminal && error.deltas.is_empty());
}

#[test]
fn the_beta_names_its_events_otherwise() {
    let event = |data: &str| Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
    for (data, part) in [
        (
            r#"{"type":"response.text.delta","output_index":0,"content_index":0,"delta":"x"}"#,
            Part::Text,
        ),
        (
            r#"{"type":"response.audio_transcript.delta","output_index":0,"content_index":0,"delta":"x"}"#,
            Part::Transcript,
        ),
    ] {
        let event = event(data);
        let read = read_event(&REALTIME, &event).unwrap();
        assert_eq!((read.deltas[0].channel.part, &*read.deltas[0].text), (part, "x"));
    }
    let audio = event(r#"{"type":"response.audio.delta","delta":"UklGRg=="}"#);
    assert!(read_event(&REALTIME, &audio).unwrap().deltas.is_empty());
}
