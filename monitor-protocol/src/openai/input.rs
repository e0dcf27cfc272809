//! Input that is no conversation: a text, token numbers, or an array of either.

use super::content;
use crate::{
    JsonError, Place, Request, Role,
    json::{Kind, Reader},
};

/// Reads `prompt` or `input`: a string, an array of strings, an array of token numbers, an array of such arrays
/// (openai-python 3.54.0, `types/completion_create_params.py`, `embedding_create_params.py`), or an array of parts
/// (`types/moderation_create_params.py`). Returns how many inputs there are.
pub(super) fn input<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    role: Role,
) -> Result<u32, JsonError> {
    let first = request.texts.len();
    let mut inputs: u32 = 0;
    let mut numbers: u64 = 0;
    if reader.peek()? == Kind::Array {
        reader.array(|reader| {
            if reader.peek()? == Kind::Number {
                numbers = numbers.saturating_add(1);
                return reader.skip().map(drop);
            }
            inputs = inputs.saturating_add(1);
            element(reader, request)
        })?;
    } else {
        inputs = 1;
        element(reader, request)?;
    }
    request.token_ids = request.token_ids.saturating_add(numbers);
    for text in request.texts.iter_mut().skip(first) {
        text.role = role;
    }
    Ok(inputs.saturating_add(u32::from(numbers > 0)))
}

fn element<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<(), JsonError> {
    if reader.peek()? != Kind::Array {
        return content::content(reader, request, Place::Message);
    }
    reader
        .array(|reader| {
            if reader.peek()? == Kind::Number {
                request.token_ids = request.token_ids.saturating_add(1);
                return reader.skip().map(drop);
            }
            content::content(reader, request, Place::Message)
        })
        .map(drop)
}
