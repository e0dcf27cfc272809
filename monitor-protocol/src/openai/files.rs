//! Uploaded files and batches. A batch's file holds requests, one a line, a fine-tuning file conversations: they are read
//! with the shapes that they have.
//!
//! Shapes: openai-python 3.54.0, `types/file_create_params.py`, `file_purpose.py`, `types/batch_create_params.py`.

use std::ops::Range;

use crate::{
    Api, Call, Certainty, Literal, Operation, Place, PromptCount, ReadError, Request, RequestLine, Response,
    Role,
    answer::Answer,
    json::{Kind, Reader, document},
    multipart::{Part, parts},
    recognise,
    request::unknown_key,
};

/// Reads the form of an upload.
pub(super) fn read_upload<'b>(boundary: Option<&str>, body: &'b [u8]) -> Result<Request<'b>, ReadError> {
    let parts = parts(boundary, body)?;
    let mut request = Request::empty();
    let purpose = |part: &Part<'_>| part.name == "purpose" && matches!(part.body, b"batch" | b"fine-tune");
    let has_lines = parts.iter().any(purpose);
    for part in &parts {
        match (part.name, part.text()) {
            ("file", Some(text)) => {
                let named = part
                    .filename
                    .is_some_and(|name| name.to_ascii_lowercase().ends_with(".jsonl"));
                let read = if has_lines || named {
                    lines(text, part.start)
                } else {
                    Ok(None)
                };
                match read {
                    Ok(Some(lines)) => take(&mut request, lines),
                    // A file of another kind: a document that some later prompt may have.
                    Ok(None) => request.push(
                        Literal::plain(text, part.start),
                        Role::Unstated,
                        Place::Document,
                        false,
                    ),
                    Err(error) if has_lines => return Err(error),
                    Err(_) => request.push(
                        Literal::plain(text, part.start),
                        Role::Unstated,
                        Place::Document,
                        false,
                    ),
                }
            }
            ("file", None) => request.attachments.files = request.attachments.files.saturating_add(1),
            ("purpose", _) => {}
            (name, _) if name.starts_with("expires_after") => {}
            _ => super::form::push(&mut request, part, Place::Other, false),
        }
    }
    Ok(request)
}

/// What the lines of a file say together.
struct Lines<'b> {
    request: Request<'b>,
    plan: PromptCount,
}

fn take<'b>(request: &mut Request<'b>, mut lines: Lines<'b>) {
    request.texts.append(&mut lines.request.texts);
    request.tools.append(&mut lines.request.tools);
    request.model = request.model.take().or(lines.request.model);
    request.messages = request.messages.saturating_add(lines.request.messages);
    request.plan = Some(Box::new(lines.plan));
}

/// Reads a file of JSON lines, which stands at `start` of the form; `None` if it has none.
fn lines(text: &str, start: usize) -> Result<Option<Lines<'_>>, ReadError> {
    let mut lines = Lines {
        request: Request::empty(),
        plan: PromptCount {
            overhead: 0,
            extra: Vec::new(),
            certainty: Certainty::Exact,
        },
    };
    let mut at = start;
    let mut any = false;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            any = true;
            one(line, at, &mut lines)?;
        }
        at += line.len();
    }
    Ok(any.then_some(lines))
}

/// One line: `{"custom_id", "method", "url", "body"}` of a batch; anything else is a conversation to learn from.
fn one<'b>(line: &'b str, start: usize, lines: &mut Lines<'b>) -> Result<(), ReadError> {
    let mut url = None;
    let mut bodies: Vec<Range<usize>> = Vec::new();
    let mut others = Request::empty();
    document(line.as_bytes(), |reader, key| match &*key.text() {
        "url" => {
            url = reader.string()?.map(|url| url.text());
            Ok(())
        }
        "body" if reader.peek()? == Kind::Object => {
            bodies.push(reader.skip()?);
            Ok(())
        }
        "custom_id" | "method" => reader.skip().map(drop),
        _ => others.push_all(reader, Place::Other, true, unknown_key),
    })?;
    if bodies.is_empty() {
        let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
        return add(&call, line.as_bytes(), start, lines);
    }
    add_texts(others, start, lines);
    let call = recognise(Api::OpenAi, RequestLine::post(url.as_deref().unwrap_or_default()));
    for body in bodies {
        let json = line.get(body.clone()).unwrap_or_default().as_bytes();
        // A file inside a file is none, and what is not known has its strings listed.
        if matches!(call.operation, Operation::Other | Operation::Files) {
            let mut unknown = Request::empty();
            unknown.push_all(&mut Reader::new(json)?, Place::Other, true, unknown_key)?;
            lines.plan.certainty = Certainty::Estimated;
            add_texts(unknown, start + body.start, lines);
        } else {
            add(&call, json, start + body.start, lines)?;
        }
    }
    Ok(())
}

/// Reads one request and adds what it says.
fn add<'b>(call: &Call, body: &'b [u8], start: usize, lines: &mut Lines<'b>) -> Result<(), ReadError> {
    let request = crate::read_request(call, None, body)?;
    let plan = crate::prompt_count(call, body, &request);
    lines.plan.overhead = lines.plan.overhead.saturating_add(plan.overhead);
    lines.plan.extra.extend(plan.extra);
    lines.plan.certainty = match (lines.plan.certainty, plan.certainty) {
        (Certainty::Exact, other) | (other, Certainty::Exact) => other,
        (Certainty::Estimated, Certainty::Estimated) => Certainty::Estimated,
        _ => Certainty::UnderEstimate,
    };
    add_texts(request, start, lines);
    Ok(())
}

fn add_texts<'b>(request: Request<'b>, start: usize, lines: &mut Lines<'b>) {
    let into = &mut lines.request;
    into.messages = into.messages.saturating_add(request.messages);
    into.model = into.model.take().or(request.model);
    let shifted = |span: Range<usize>| start + span.start..start + span.end;
    into.tools.extend(request.tools.into_iter().map(shifted));
    into.texts.extend(request.texts.into_iter().map(|mut text| {
        text.literal.shift(start);
        text
    }));
}

/// How to count what an upload holds.
pub(super) fn prompt_count(request: &Request<'_>) -> PromptCount {
    match &request.plan {
        Some(plan) => (**plan).clone(),
        None => super::prompt::as_it_stands(request),
    }
}

/// Reads the creation of a batch: which file, and for which operation.
pub(super) fn read_batch(body: &[u8]) -> Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.hidden = true;
    request.insert_at = document(body, |reader, key| match &*key.text() {
        "input_file_id" | "endpoint" | "completion_window" | "metadata" | "output_expires_after" => {
            reader.skip().map(drop)
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(request)
}

/// What is answered describes the file or the batch: no model has written it.
pub(super) fn read_response(body: &[u8]) -> Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    document(body, |reader, key| match &*key.text() {
        "error" => response.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(response)
}
