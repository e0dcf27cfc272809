//! The chunks of a streamed answer.

use smallvec::SmallVec;

use crate::{
    Delta, Frame, JsonError, ReadError, StreamEvent,
    json::{Kind, Reader},
};

/// The stream ends at data that begins so: openai-python 3.54.0, `src/openai/_streaming.py`, `Stream.__stream__`.
const DONE: &[u8] = b"[DONE]";

pub(super) fn read_event(event: &Frame) -> Result<StreamEvent<'_>, ReadError> {
    let data = event.data();
    let mut out = StreamEvent::default();
    if data.is_empty() {
        return Ok(out);
    }
    if data.starts_with(DONE) {
        out.terminal = true;
        return Ok(out);
    }
    let mut reader = Reader::new(data)?;
    let mut choices_seen = 0;
    let is_object = reader.object(|reader, key| match &*key.text() {
        "choices" => choices(reader, &mut out, &mut choices_seen),
        "model" => {
            out.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "usage" => usage(reader, &mut out),
        // Groq sends usage here, asked for or not.
        "x_groq" => reader
            .object(|reader, key| match &*key.text() {
                "usage" => usage(reader, &mut out),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        // The client raises on any `error` that Python takes for true.
        "error" => {
            out.error |= !matches!(reader.peek()?, Kind::Null | Kind::False);
            reader.skip().map(drop)
        }
        _ => reader.skip().map(drop),
    })?;
    reader.finish()?;
    if !is_object {
        return Err(ReadError::NotAnObject);
    }
    out.usage_only = out.usage.is_some() && choices_seen == 0 && !out.error;
    Ok(out)
}

fn usage(reader: &mut Reader<'_>, out: &mut StreamEvent<'_>) -> Result<(), JsonError> {
    let start = reader.position()?;
    if let Some(counters) = super::usage::read(reader)? {
        out.usage = Some(out.usage.unwrap_or_default().merge(counters));
        out.usage_span = Some(start..reader.offset());
    }
    Ok(())
}

/// `choices`. The `index` may stand after the delta, so it is written into the deltas at the end of the choice.
fn choices<'e>(reader: &mut Reader<'e>, out: &mut StreamEvent<'e>, seen: &mut u32) -> Result<(), JsonError> {
    reader
        .array(|reader| {
            let first = out.deltas.len();
            let mut choice = *seen;
            *seen += 1;
            reader.object(|reader, key| match &*key.text() {
                "index" => {
                    if let Some((index, _)) = reader.count()? {
                        choice = u32::try_from(index).unwrap_or(u32::MAX);
                    }
                    Ok(())
                }
                "delta" | "message" => {
                    let StreamEvent { deltas, echoes, .. } = out;
                    super::response::message(
                        reader,
                        &mut |string, part, index| push(deltas, Delta::new(string, 0, part, index)),
                        &mut |span| echoes.push(span),
                    )
                }
                "finish_reason" => {
                    if let Some(reason) = reader.string()? {
                        out.finish = Some(super::finish(&reason.text()));
                    }
                    Ok(())
                }
                "logprobs" => {
                    let is_null = reader.peek()? == Kind::Null;
                    let span = reader.skip()?;
                    if !is_null {
                        out.echoes.push(span);
                    }
                    Ok(())
                }
                _ => reader.skip().map(drop),
            })?;
            for delta in out.deltas.iter_mut().skip(first) {
                delta.channel.choice = choice;
            }
            Ok(())
        })
        .map(drop)
}

/// Empty pieces (`"content": ""` beside a role) say nothing and are left out.
fn push<'e>(deltas: &mut SmallVec<[Delta<'e>; 1]>, delta: Delta<'e>) {
    if !delta.span.is_empty() {
        deltas.push(delta);
    }
}
