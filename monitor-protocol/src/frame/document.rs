//! A frame that is a JSON document and the bytes around it.

use std::{fmt, ops::Range};

use bytes::Bytes;

use crate::{Edit, EditError, edit};

/// A JSON document of a stream of them, with the bytes around it that belong to the framing.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    raw: Bytes,
    data: Range<usize>,
}

impl Document {
    pub(super) fn new(raw: Bytes, data: Range<usize>) -> Self {
        Self { raw, data }
    }

    /// The bytes as they came, those around the document included.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The document; empty where the bytes are of the framing only.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.raw.get(self.data.clone()).unwrap_or_default()
    }

    /// The bytes with edits made to the document, and nothing else changed.
    pub(super) fn edited(&self, edits: &[Edit<'_>]) -> Result<Bytes, EditError> {
        if edits.is_empty() {
            return Ok(self.raw.clone());
        }
        let data = edit(self.data(), edits)?;
        let head = self.raw.get(..self.data.start).unwrap_or_default();
        let tail = self.raw.get(self.data.end..).unwrap_or_default();
        Ok([head, &data, tail].concat().into())
    }
}

impl fmt::Debug for Document {
    /// Never shows the document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("raw_bytes", &self.raw.len())
            .field("data", &self.data)
            .finish()
    }
}
