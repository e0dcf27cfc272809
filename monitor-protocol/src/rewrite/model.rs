//! Asking another model.

use super::Rewrite;
use crate::{
    Api, Call, JsonError, Operation, RequestLine, bedrock,
    json::{Reader, escape_into},
    recognise,
};

/// What makes a request's body name `model`, each byte beside that as it was. `None` where the body names none: the path may
/// ([`with_model_in_target`]), or the model was named before.
#[must_use]
pub fn with_model_in_body(body: &[u8], model: &str) -> Option<Vec<Rewrite>> {
    let mut json = vec![b'"'];
    escape_into(&mut json, model);
    json.push(b'"');
    let json = String::from_utf8(json).ok()?;
    let rewrites = model_values(body).ok()?;
    let rewrite = |span| Rewrite {
        span,
        json: json.clone(),
    };
    (!rewrites.is_empty()).then(|| rewrites.into_iter().map(rewrite).collect())
}

/// Every value of the member `model`: of a key that stands twice, readers take different ones.
fn model_values(body: &[u8]) -> Result<Vec<std::ops::Range<usize>>, JsonError> {
    let mut spans = Vec::new();
    let mut reader = Reader::new(body)?;
    reader.object(|reader, key| {
        if key.text() == "model" {
            let start = reader.position()?;
            reader.skip()?;
            spans.push(start..reader.offset());
            return Ok(());
        }
        reader.skip().map(drop)
    })?;
    reader.finish()?;
    Ok(spans)
}

/// The path and query that ask the same of `model` as `line` asks of the model that its path names.
///
/// `None` where that cannot be done safely: the model is spelled in a way that is not found again, what comes of it would be
/// another call, or a model of another vendor that Bedrock invokes has another shape.
#[must_use]
pub fn with_model_in_target(api: Api, line: RequestLine<'_>, model: &str) -> Option<String> {
    let call = recognise(api, line);
    let named = call.model.as_deref()?;
    let is_invoked = call.operation == Operation::InvokeModel;
    let vendor = |model| bedrock::vendor(model).map(|(vendor, _)| vendor);
    let lower = model.to_ascii_lowercase();
    if is_invoked && (vendor(named).is_none() || vendor(named) != vendor(&lower)) {
        return None;
    }
    let (path, query) = match line.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (line.target, None),
    };
    let folded = path.to_ascii_lowercase();
    let written = percent_encoded(model);
    for spelled in [named.to_owned(), percent_encoded(named).to_ascii_lowercase()] {
        // From the end: a prefix of the path may have the same word.
        let Some(at) = folded.rfind(&spelled) else {
            continue;
        };
        let (before, after) = (path.get(..at)?, path.get(at + spelled.len()..)?);
        let mut target = format!("{before}{written}{after}");
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        let now = recognise(
            api,
            RequestLine {
                target: &target,
                ..line
            },
        );
        let asked = Call {
            model: Some(lower.clone()),
            ..call.clone()
        };
        if now == asked {
            return Some(target);
        }
    }
    None
}

/// As a segment of a path (RFC 3986, section 3.3). A colon is escaped, as botocore does: Bedrock's ids have one, and Gemini's
/// methods stand behind one.
fn percent_encoded(model: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit;

    #[test]
    fn the_body_names_another_model_and_nothing_else_changes() {
        let body = br#"{ "a": {"model":"x"}, "model" : "gpt-4o", "n":1, "model":null}"#;
        let rewrites = with_model_in_body(body, "gpt-\"mini").unwrap();
        let edits: Vec<_> = rewrites.iter().map(Rewrite::edit).collect();
        assert_eq!(
            String::from_utf8(edit(body, &edits).unwrap()).unwrap(),
            r#"{ "a": {"model":"x"}, "model" : "gpt-\"mini", "n":1, "model":"gpt-\"mini"}"#
        );
        for none in ["{}", "[]", "{", r#"{"a":{"model":"x"}}"#] {
            assert_eq!(with_model_in_body(none.as_bytes(), "m"), None, "{none}");
        }
    }

    #[test]
    fn the_path_names_another_model() {
        for (api, target, model, expected) in [
            (
                Api::Gemini,
                "/v1beta/models/Gemini-2.5-pro:streamGenerateContent?alt=sse",
                "gemini-2.5-flash",
                Some("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
            ),
            (
                Api::OpenAi,
                "/openai/deployments/openai/chat/completions?api-version=2024-10-21",
                "gpt-4o-mini",
                Some("/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21"),
            ),
            (
                Api::Bedrock,
                "/model/amazon.nova-pro-v1%3A0/converse",
                "amazon.nova-lite-v1:0",
                Some("/model/amazon.nova-lite-v1%3A0/converse"),
            ),
            (
                Api::Bedrock,
                "/model/anthropic.claude-opus-4-v1:0/invoke",
                "anthropic.claude-haiku-4-v1:0",
                Some("/model/anthropic.claude-haiku-4-v1%3A0/invoke"),
            ),
            (
                Api::Bedrock,
                "/model/anthropic.claude-opus-4-v1:0/invoke",
                "amazon.nova-lite-v1:0",
                None,
            ),
            (
                Api::Gemini,
                "/v1beta/models/gemini-2%2e5-pro:generateContent",
                "a",
                None,
            ),
            (Api::Gemini, "/v1beta/models/a:generateContent", "x/../y", None),
            (Api::OpenAi, "/v1/chat/completions", "a", None),
        ] {
            let rewritten = with_model_in_target(api, RequestLine::post(target), model);
            assert_eq!(rewritten.as_deref(), expected, "{target} {model}");
        }
    }
}
