//! Images, audio, files and batches: forms, and usage by modality.

use monitor_protocol::*;

use crate::reading::{BOUNDARY, call_of, fixture, read_fixture, usage};

fn texts(request: &Request<'_>) -> Vec<(Place, String)> {
    let texts = request.texts.iter();
    texts.map(|text| (text.place, text.text().into_owned())).collect()
}

fn form(name: &str, then: impl FnOnce(&[u8], Request<'_>)) {
    let body = fixture(name);
    then(
        &body,
        read_request(&call_of(name), Some(BOUNDARY), &body).unwrap(),
    );
}

#[test]
fn image_prompts_as_json_and_as_a_form() {
    let body = fixture("openai/images/request.json");
    let request = read_request(&call_of("openai/images/x"), None, &body).unwrap();
    assert_eq!(
        texts(&request),
        [(Place::Message, "A cat for ann@example.org".to_owned())]
    );
    assert!(request.stream && request.choices == 2);
    form("openai/images/edit.form", |_, request| {
        assert_eq!(request.model.as_deref(), Some("gpt-image-1"));
        assert!(request.stream && request.choices == 3);
        assert_eq!(request.attachments.images, 2);
        assert_eq!(
            texts(&request),
            [
                (Place::Message, "A \"hat\" for C:\\ann".to_owned()),
                (Place::Other, "no dogs".to_owned())
            ]
        );
    });
}

/// A field of a form is not JSON: nothing in it is an escape, and nothing may be escaped in it.
#[test]
fn a_field_of_a_form_is_edited_as_it_stands() {
    form("openai/images/edit.form", |body, request| {
        let text = &request.texts[0];
        let at = text.text().find("C:\\ann").unwrap();
        let edits = [text.raw_spans().edit(at..at + 6, "\"D\\\n").unwrap()];
        let edited = edit(body, &edits).unwrap();
        let call = call_of("openai/images/x");
        let again = read_request(&call, Some(BOUNDARY), &edited).unwrap();
        assert_eq!(again.texts[0].text(), "A \"hat\" for \"D\\\n");
        assert_eq!(edited.len(), body.len() - 6 + 4);
    });
}

#[test]
fn image_tokens_by_modality() {
    let call = call_of("openai/images/x");
    let body = fixture("openai/images/response.json");
    let response = read_response(&call, &body).unwrap();
    let counters = response.usage.unwrap();
    assert_eq!(counters.usage(), usage(50, 0, 0, 4160, 0).unwrap());
    assert_eq!(
        (
            counters.modalities().input_image,
            counters.modalities().output_image
        ),
        (40, 4160)
    );
    assert_eq!(response.texts.len(), 1, "images are no text");
    assert_eq!(response.texts[0].channel.choice, 1);
    let body = fixture("openai/images/response_svg.json");
    let counters = read_response(&call, &body).unwrap().usage.unwrap();
    assert_eq!(counters.usage().total(), 150 + 27, "a second model's tokens too");
    assert_eq!(counters.modalities().output_image, 90);
    let reading = read_fixture("openai/images/stream.sse");
    assert_eq!(reading.usage, usage(50, 0, 0, 4160, 0));
    assert!(reading.terminal && reading.texts.is_empty());
}

#[test]
fn transcriptions_are_forms() {
    form("openai/transcriptions/request.form", |body, request| {
        assert_eq!(request.model.as_deref(), Some("gpt-4o-transcribe"));
        assert!(request.stream);
        assert_eq!(request.attachments.audio, 1);
        assert_eq!(texts(&request), [(Place::Message, "Names: Ann".to_owned())]);
        let plan = prompt_count(&call_of("openai/transcriptions/x"), body, &request);
        assert_eq!(plan.certainty, Certainty::UnderEstimate);
    });
    let body = fixture("openai/transcriptions/request.form");
    let call = call_of("openai/transcriptions/x");
    for boundary in [None, Some("another")] {
        let error = read_request(&call, boundary, &body).unwrap_err();
        assert!(matches!(error, ReadError::Form(_)), "{error}");
    }
}

#[test]
fn transcripts_and_their_usage() {
    let call = call_of("openai/transcriptions/x");
    let body = fixture("openai/transcriptions/response.json");
    let response = read_response(&call, &body).unwrap();
    let counters = response.usage.unwrap();
    assert_eq!(counters.usage(), usage(14, 0, 0, 45, 0).unwrap());
    assert_eq!(
        counters.modalities().input_audio,
        14,
        "audio tokens are not dropped"
    );
    assert_eq!(response.texts[0].text(), "Call 4111");
    assert_eq!(response.echoes.len(), 1);
    let body = fixture("openai/transcriptions/response_verbose.json");
    let response = read_response(&call, &body).unwrap();
    assert!(response.usage.is_none(), "told as a duration");
    assert_eq!((response.texts.len(), response.echoes.len()), (1, 2));
    let reading = read_fixture("openai/transcriptions/stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "I see skies");
    assert_eq!(reading.repeats, ["I see skies"]);
    assert_eq!(reading.usage, usage(14, 0, 0, 5, 0));
    assert!(reading.terminal && reading.echoes == 1);
}

#[test]
fn speech() {
    let body = fixture("openai/speech/request.json");
    let request = read_request(&call_of("openai/speech/x"), None, &body).unwrap();
    assert_eq!(request.texts.len(), 2);
    assert_eq!(
        (request.texts[0].role, request.texts[1].role),
        (Role::User, Role::System)
    );
    assert!(request.stream);
    let reading = read_fixture("openai/speech/stream.sse");
    assert_eq!(reading.usage, usage(14, 0, 0, 101, 0));
    assert!(reading.terminal && reading.texts.is_empty());
}

#[test]
fn prompts_of_a_batch_file_are_read_by_their_shapes_and_counted() {
    form("openai/files/batch.form", |body, request| {
        assert_eq!(
            texts(&request),
            [
                (Place::Message, "Be brief".to_owned()),
                (Place::Message, "mail \"ann@example.org\"".to_owned()),
                (Place::Message, "to embed".to_owned()),
                (Place::ToolResult, "tool words".to_owned()),
                (Place::Other, "odd words".to_owned()),
            ]
        );
        let call = call_of("openai/files/x");
        let plan = prompt_count(&call, body, &request);
        assert_eq!(plan.overhead, (2 * 4 + 3) + 3, "of the chat and the response");
        assert!(request.texts.iter().all(|text| text.counted));
        // An edit stays inside its line's string, escaped as JSON.
        let text = &request.texts[1];
        let edits = [text.raw_spans().edit(5..22, "\"[email]\"").unwrap()];
        let edited = edit(body, &edits).unwrap();
        let again = read_request(&call, Some(BOUNDARY), &edited).unwrap();
        assert_eq!(again.texts[1].text(), "mail \"[email]\"");
        assert_eq!(again.texts.len(), request.texts.len());
    });
}

#[test]
fn other_files() {
    form("openai/files/fine_tune.form", |_, request| {
        let found = texts(&request);
        for text in ["question", "answer", "preferred how", "well"] {
            assert!(found.iter().any(|(_, found)| found == text), "{text}");
        }
    });
    form("openai/files/document.form", |_, request| {
        assert_eq!(
            texts(&request),
            [(Place::Document, "Some notes.\nMore.".to_owned())]
        );
        assert!(!request.texts[0].counted);
    });
    form("openai/files/binary.form", |_, request| {
        assert!(request.texts.is_empty() && request.attachments.files == 1);
    });
    let broken = fixture("openai/files/batch.form");
    let broken = String::from_utf8(broken).unwrap().replace("\"url\":", "\"url\"");
    let broken = broken.replace("\"url\" ", "\"url\" x ");
    let call = call_of("openai/files/x");
    assert!(read_request(&call, Some(BOUNDARY), broken.as_bytes()).is_err());
}

#[test]
fn batches_name_a_file() {
    let call = call_of("openai/batches/x");
    let body = fixture("openai/batches/request.json");
    let request = read_request(&call, None, &body).unwrap();
    assert!(request.texts.is_empty() && request.hidden);
    let body = fixture("openai/batches/response.json");
    let response = read_response(&call, &body).unwrap();
    assert!(!response.error && response.texts.is_empty());
}
