//! The chunks of a streamed answer.

use super::{super::usage, response::choices};
use crate::{ReadError, StreamEvent, answer::Answer, json::document};

pub(in crate::openai) fn read_event(data: &[u8]) -> Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    let mut choices_seen = 0;
    document(data, |reader, key| match &*key.text() {
        "choices" => choices(reader, &mut out, &mut choices_seen),
        "model" => out.read_model(reader),
        "usage" => out.read_usage(reader, usage::read),
        // Groq sends usage here, asked for or not.
        "x_groq" => reader
            .object(|reader, key| match &*key.text() {
                "usage" => out.read_usage(reader, usage::read),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "error" => out.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    out.usage_only = out.usage.is_some() && choices_seen == 0 && !out.error;
    Ok(out)
}
