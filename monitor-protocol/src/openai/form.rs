//! What OpenAI's forms have in common.

use std::borrow::Cow;

use crate::{
    Literal, Place, ReadError, Request, Role,
    multipart::{Part, parts},
};

/// Reads a form: the model and whether a stream is asked for, and by `field` all other parts.
pub(super) fn read<'b>(
    boundary: Option<&str>,
    body: &'b [u8],
    mut field: impl FnMut(&Part<'b>, &mut Request<'b>),
) -> Result<Request<'b>, ReadError> {
    let mut request = Request::empty();
    for part in parts(boundary, body)? {
        match (part.name, part.text()) {
            ("model", Some(model)) => request.model = Some(Cow::Borrowed(model)),
            // What is called true here is what Python's and pydantic's readers of forms take for it.
            ("stream", Some(stream)) => {
                let stream = stream.trim().to_ascii_lowercase();
                request.stream = matches!(&*stream, "true" | "1" | "yes" | "on");
            }
            _ => field(&part, &mut request),
        }
    }
    Ok(request)
}

/// Lists a part's text. A part that is none is a file.
pub(super) fn push<'b>(request: &mut Request<'b>, part: &Part<'b>, place: Place, counted: bool) {
    match part.text() {
        Some(text) => request.push(Literal::plain(text, part.start), Role::User, place, counted),
        None => request.attachments.files = request.attachments.files.saturating_add(1),
    }
}
