//! Embeddings and moderations: input, and an answer in numbers.
//!
//! Shapes: openai-python 3.54.0, `types/embedding_create_params.py`, `create_embedding_response.py`,
//! `moderation_create_params.py`, `moderation_create_response.py`.

use super::{input::input, usage};
use crate::{
    Place, ReadError, Request, Response, Role, answer::Answer, json::document, request::unknown_key,
};

pub(super) fn read_request(body: &[u8]) -> Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| match &*key.text() {
        "input" => input(reader, &mut request, Role::User).map(drop),
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        // Known, and read by no model.
        "dimensions" | "encoding_format" | "user" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    })?;
    Ok(request)
}

/// Vectors and scores are no text.
pub(super) fn read_response(body: &[u8]) -> Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    document(body, |reader, key| match &*key.text() {
        "model" => response.read_model(reader),
        "usage" => response.read_usage(reader, usage::read_prompt),
        "error" => response.read_error(reader),
        _ => reader.skip().map(drop),
    })?;
    Ok(response)
}
