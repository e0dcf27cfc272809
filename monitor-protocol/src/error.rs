//! Why a body or an event could not be read.

use crate::{json::JsonError, multipart::FormFault};

/// A body or event that is not what its operation says it is. Never carries text of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not one JSON document by RFC 8259, or nested too deeply.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not a form by RFC 7578, or one that parsers read differently.
    #[error("invalid form: {0}")]
    Form(#[from] FormFault),
    /// JSON, but its outermost value is no object.
    #[error("the JSON document is not an object, as every body of this operation is")]
    NotAnObject,
    /// The operation is [`crate::Operation::Other`]: its shape is unknown here and nothing was read.
    #[error("operation is not one whose bodies are read")]
    NotRead,
}
