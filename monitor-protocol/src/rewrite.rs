//! Making a request ask for less: a lower output limit, another model.
//!
//! Cold: a request is read once more for it, so that reading costs nothing where nothing is to be rewritten.

mod limit;
mod model;

use std::ops::Range;

use crate::Edit;

pub use limit::{lower_output_limit, min_output_limit};
pub use model::{with_model_in_body, with_model_in_target};

/// JSON to be written where a span of the body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The bytes that are replaced; empty where a member is added.
    pub span: Range<usize>,
    /// What is written there.
    pub json: String,
}

impl Rewrite {
    /// The same as an edit.
    #[must_use]
    pub fn edit(&self) -> Edit<'_> {
        Edit::json(self.span.clone(), &self.json)
    }
}
