//! Requests and whole answers: what is read lies in the body, and edits of it read back.

use monitor_protocol::{Edit, Literal, edit, prompt_count, read_request, read_response};
use serde::de::IgnoredAny;

use crate::{MARKER, memory};

/// The boundary of forms.
pub const BOUNDARY: &str = "b0undary";

/// The first bytes choose the call; a form is given by its first delimiter.
pub fn request(input: &[u8]) {
    let Some((call, body)) = monitor_fuzz_seeds::call(input) else {
        return;
    };
    let boundary = body.starts_with(b"--").then_some(BOUNDARY);
    memory::bounded(body.len(), || {
        let Ok(request) = read_request(&call, boundary, body) else {
            return;
        };
        drop(prompt_count(&call, body, &request));
        let edits = check_texts(body, request.texts.iter().map(|text| &text.literal));
        if let Some(limit) = &request.max_output_tokens {
            let clamped = edit(body, &[Edit::json(limit.span.clone(), "1")]).unwrap();
            let after = read_request(&call, boundary, &clamped).unwrap();
            assert!(after.max_output_tokens.is_some());
        }
        if let Some(ask) = &request.ask_usage {
            let asked = edit(body, std::slice::from_ref(ask)).unwrap();
            assert!(read_request(&call, boundary, &asked).unwrap().include_usage);
        }
        for tool in &request.tools {
            assert!(body.get(tool.clone()).is_some());
        }
        assert!(request.insert_at <= body.len());
        if edits.is_empty() {
            return;
        }
        let edited = edit(body, &edits).unwrap();
        let after = read_request(&call, boundary, &edited).unwrap();
        let found = after.texts.iter().filter(|text| text.text() == MARKER).count();
        assert!(found >= edits.len(), "{found} of {} edits are read", edits.len());
        if boundary.is_none() {
            serde_json::from_slice::<IgnoredAny>(&edited).unwrap();
        }
    });
}

/// The first bytes choose the call.
pub fn response(input: &[u8]) {
    let Some((call, body)) = monitor_fuzz_seeds::call(input) else {
        return;
    };
    memory::bounded(body.len(), || {
        let Ok(response) = read_response(&call, body) else {
            return;
        };
        let mut edits = check_texts(body, response.texts.iter().map(|text| &text.literal));
        let texts = edits.len();
        if let Some(usage) = response.usage {
            let _ = usage.usage();
        }
        edits.extend(
            response
                .echoes
                .iter()
                .map(|echo| Edit::json(echo.clone(), "null")),
        );
        if edits.is_empty() {
            return;
        }
        let edited = edit(body, &edits).unwrap();
        let after = read_response(&call, &edited).unwrap();
        let found = after.texts.iter().filter(|text| text.text() == MARKER).count();
        // Two texts that are the same now may be read as one and its repetition.
        let is_text = |echo: &&std::ops::Range<usize>| edited.get((*echo).clone()) != Some(b"null");
        let repeated = after.echoes.iter().filter(is_text).count();
        assert!(found + repeated >= texts, "{found} of {texts} edits are read");
    });
}

/// Each text lies in the body as it is read. Returns edits that replace each by the marker.
fn check_texts<'a>(body: &[u8], texts: impl Iterator<Item = &'a Literal<'a>>) -> Vec<Edit<'static>> {
    let mut edits = Vec::new();
    for text in texts {
        assert_eq!(body.get(text.span.clone()), Some(text.raw.as_bytes()));
        let value = text.text();
        let edit = text.raw_spans().edit(0..value.len(), MARKER).unwrap();
        assert_eq!(edit.span, text.span);
        edits.push(edit);
    }
    edits
}
