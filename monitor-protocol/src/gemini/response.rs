//! Answers, whole and in chunks.

use super::{
    answer::{self, Answer},
    live,
};
use crate::{
    Call, Delta, Frame, Operation, ReadError, Response, ResponseText, StreamEvent,
    json::{Kind, Reader},
};

/// Reads a whole answer. Of a stream that comes as a JSON array and was gathered, the elements are read one after the
/// other; an error for such a stream comes as an array of one (google-genai 3.4.0, `errors.py`, `APIError`).
pub(super) fn read_response<'b>(call: &Call, body: &'b [u8]) -> Result<Response<'b>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut answer = Answer::default();
    let mut is_object = true;
    let mut usage_raw = None;
    if reader.peek()? == Kind::Array {
        reader.array(|reader| {
            is_object &= document(reader, call, &mut answer)?;
            usage_raw = answer.usage_span.clone().map(|span| reader.slice(span));
            Ok(())
        })?;
    } else {
        is_object = document(&mut reader, call, &mut answer)?;
        usage_raw = answer.usage_span.clone().map(|span| reader.slice(span));
    }
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    let text = |(string, channel): (_, crate::Channel)| {
        ResponseText::new(string, channel.choice, channel.part, channel.index)
    };
    Ok(Response {
        model: answer.model,
        usage: answer.usage,
        usage_raw,
        texts: answer.texts.into_iter().map(text).collect(),
        echoes: answer.echoes,
        finish: answer.finish,
        error: answer.error,
    })
}

/// Reads a chunk, or a message of a Live session. A stream has no end of its own: the chunk in which a candidate finishes, or that says why there is no
/// answer, is taken for it.
pub(super) fn read_event<'e>(call: &Call, frame: &'e Frame) -> Result<StreamEvent<'e>, ReadError> {
    let data = frame.data();
    if data.is_empty() {
        return Ok(StreamEvent::default());
    }
    let mut reader = Reader::new(data)?;
    let mut answer = Answer::default();
    let is_object = document(&mut reader, call, &mut answer)?;
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    let deltas = answer.texts.into_iter();
    let (lane, begins, terminal) = match call.operation {
        Operation::Live => (
            Some(live::LANE.into()),
            answer.begins,
            answer.turn_complete || answer.error,
        ),
        _ => (None, false, answer.finish.is_some() || answer.error),
    };
    Ok(StreamEvent {
        deltas: deltas
            .filter(|(string, _)| !string.raw.is_empty())
            .map(|(string, channel)| Delta::new(string, channel.choice, channel.part, channel.index))
            .collect(),
        usage: answer.usage,
        usage_span: answer.usage_span,
        model: answer.model,
        echoes: answer.echoes.into(),
        lane,
        begins,
        terminal,
        finish: answer.finish,
        error: answer.error,
        ..StreamEvent::default()
    })
}

/// One document. What is counted, kept or queued answers nothing: only errors are read of it, and what a cache holds.
fn document<'b>(
    reader: &mut Reader<'b>,
    call: &Call,
    answer: &mut Answer<'b>,
) -> Result<bool, crate::JsonError> {
    let error = |reader: &mut Reader<'b>, answer: &mut Answer<'b>| {
        answer.error |= reader.peek()? != Kind::Null;
        reader.skip().map(drop)
    };
    reader.object(|reader, key| match (call.operation, &*super::key::camel(&key)) {
        (Operation::CountTokens | Operation::Batches | Operation::CachedContents, "error") => {
            error(reader, answer)
        }
        (Operation::CachedContents, "usageMetadata") => answer.usage(reader, super::usage::read_cached),
        (Operation::CountTokens | Operation::Batches | Operation::CachedContents, _) => {
            reader.skip().map(drop)
        }
        (Operation::Live, key) => live::server(reader, key, answer),
        _ => answer::member(reader, &key, answer),
    })
}
