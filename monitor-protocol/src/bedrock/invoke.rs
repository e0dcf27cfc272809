//! Invoke: body and answer have the shapes of the model, whose vendor the path names.
//!
//! 1. A vendor with one shape has that shape.
//! 2. Where the path does not tell (several shapes of one vendor, an application inference profile, an imported model),
//!    the document's own members do.
//! 3. What has no known shape is read as text models are (`text`): every string of it is listed.
//!
//! To the last event of a stream, Bedrock adds counts of its own ([`METRICS`]).

mod shapes;
mod text;

use self::shapes::Shapes;
use super::{
    converse, request,
    usage::{self, METRICS},
};
use crate::{
    Api, Call, Frame, JsonError, Operation, PromptCount, ReadError, Request, Response, StreamEvent,
    json::Reader, prompt, reading::Reading,
};

pub(super) fn read_request<'b>(call: &Call, body: &'b [u8]) -> Result<Request<'b>, ReadError> {
    match Shapes::of(call, body) {
        Shapes::Of(inner) => inner.shape.shape().read_request(&inner, None, body),
        Shapes::Nova => request::read_request(body),
        Shapes::Text => text::read_request(body),
    }
}

/// Whose shape the body of a model that is invoked has; the call itself where it is none of a known family.
pub(crate) fn invoked_as(call: &Call, body: &[u8]) -> Call {
    match Shapes::of(call, body) {
        Shapes::Of(inner) => inner,
        Shapes::Nova => Call::new(Api::Bedrock, Operation::Converse),
        Shapes::Text => call.clone(),
    }
}

pub(super) fn prompt_count(call: &Call, body: &[u8], request: &Request<'_>) -> PromptCount {
    match Shapes::of(call, body) {
        Shapes::Of(inner) => inner.shape.shape().prompt_count(&inner, body, request),
        Shapes::Nova | Shapes::Text => prompt::estimate(request),
    }
}

pub(super) fn read_response<'b>(call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
    let response = match Shapes::of(call, body) {
        Shapes::Of(inner) => inner.shape.shape().read_response(&inner, body)?,
        Shapes::Nova => converse::whole(body)?.into_response(body),
        Shapes::Text => text::read(body)?.into_response(body),
    };
    Ok(Response {
        error: response.error || response.usage.is_none() && is_exception(body)?,
        ..response
    })
}

/// Whether the body is an exception of the service: `{"message": "…"}`, whatever the model.
fn is_exception(body: &[u8]) -> Result<bool, JsonError> {
    let (mut members, mut has_message) = (0, false);
    Reader::new(body)?.object(|reader, key| {
        members += 1;
        if &*key.text() == "message" {
            has_message = reader.string()?.is_some();
            return Ok(());
        }
        reader.skip().map(drop)
    })?;
    // `originalStatusCode`, `resourceName`, `originalMessage` may stand beside it.
    Ok(has_message && members <= 3)
}

pub(super) fn read_event<'e>(call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
    let data = frame.data();
    let mut event = match Shapes::of(call, data) {
        Shapes::Of(inner) => inner.shape.shape().read_event(&inner, frame)?,
        Shapes::Nova => Reading::read(data, |reading, reader, name| {
            converse::named_event(reading, reader, name)
        })?
        .into_event(),
        Shapes::Text => text::read(data)?.into_event(),
    };
    if memchr::memmem::find(data, METRICS.as_bytes()).is_some() {
        Reader::new(data)?.object(|reader, key| {
            if key.text() != METRICS {
                return reader.skip().map(drop);
            }
            if let Some(counters) = usage::metrics(reader)? {
                event.usage = Some(event.usage.unwrap_or_default().merge(counters));
                event.terminal = true;
            }
            Ok(())
        })?;
    }
    Ok(event)
}
