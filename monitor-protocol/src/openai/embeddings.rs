//! Embeddings and moderations: input. Their answers are vectors and scores, read where self-hosted servers' are.
//!
//! Shapes: openai-python 3.54.0, `types/embedding_create_params.py`, `create_embedding_response.py`,
//! `moderation_create_params.py`, `moderation_create_response.py`.

use super::input::input;
use crate::{Place, ReadError, Request, Role, json::document, request::unknown_key};

pub(super) fn read_request(body: &[u8]) -> Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    request.insert_at = document(body, |reader, key| match &*key.text() {
        // llama.cpp has it by either name.
        "input" | "content" => input(reader, &mut request, Role::User).map(drop),
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
