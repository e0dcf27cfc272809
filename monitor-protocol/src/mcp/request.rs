//! What a client's messages say: requests, and answers to what the server asked.

use std::ops::Range;

use smallvec::SmallVec;

use crate::{
    JsonError, Place, ReadError, Request, Role,
    json::{Kind, Reader},
    request::{KeyUse, any_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(super) fn read_request(body: &[u8]) -> std::result::Result<Request<'_>, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::empty();
    request.insert_at = reader.position()? + 1;
    match reader.peek()? {
        Kind::Object => message(&mut reader, &mut request)?,
        Kind::Array => drop(reader.array(|reader| message(reader, &mut request))?),
        _ => return Err(ReadError::NotAnObject),
    }
    reader.finish()?;
    Ok(request)
}

fn message<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    request.messages = request.messages.saturating_add(1);
    let mut calls = false;
    let mut named = SmallVec::new();
    reader.object(|reader, key| match &*key.text() {
        "method" => {
            if reader
                .string()?
                .is_some_and(|method| method.text() == "tools/call")
            {
                calls = true;
                request.tool_calls = request.tool_calls.saturating_add(1);
            }
            Ok(())
        }
        "params" => params(reader, request, &mut named),
        // What a model (`sampling/createMessage`) or a person (`elicitation/create`) answered the server.
        "result" => list(reader, request, Role::Assistant, Place::Message, envelope_key),
        "error" => list(reader, request, Role::Unstated, Place::Other, envelope_key),
        "id" | "jsonrpc" => reader.skip().map(drop),
        _ => list(reader, request, Role::Unstated, Place::Other, unknown_key),
    })?;
    if calls {
        request.tools.extend(named);
    }
    Ok(())
}

/// Parameters of `tools/call` and `prompts/get` (`name`, `arguments`); of other methods, whatever they are.
/// What is named is appended to `named`: the method may stand after it.
fn params<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    named: &mut SmallVec<[Range<usize>; 1]>,
) -> Result<()> {
    reader
        .object(|reader, key| match &*key.text() {
            "name" => {
                let start = reader.position()?;
                list(reader, request, Role::Assistant, Place::ToolCall, unknown_key)?;
                named.push(start..reader.offset());
                Ok(())
            }
            "arguments" => list(reader, request, Role::Assistant, Place::ToolCall, any_key),
            "_meta" | "capabilities" | "clientInfo" | "cursor" | "level" | "progressToken"
            | "protocolVersion" | "requestId" => reader.skip().map(drop),
            _ => list(reader, request, Role::Unstated, Place::Other, envelope_key),
        })
        .map(drop)
}

/// Lists every string of the next value. None is in the prompt of a model that is asked here, so none is counted.
fn list<'b>(
    reader: &mut Reader<'b>,
    request: &mut Request<'b>,
    role: Role,
    place: Place,
    keys: fn(&str) -> KeyUse,
) -> Result<()> {
    let first = request.texts.len();
    request.push_all(reader, place, false, keys)?;
    for text in request.texts.iter_mut().skip(first) {
        text.role = role;
    }
    Ok(())
}

/// Members that hold data, references and fixed words.
fn envelope_key(key: &str) -> KeyUse {
    if super::answer::OPAQUE.contains(&key) {
        KeyUse::Skip
    } else {
        KeyUse::Shape
    }
}
