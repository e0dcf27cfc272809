//! The payload of a `chunk` event: a document inside base64 inside a document.

use std::{fmt, ops::Range};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{FrameError, json::Reader};

/// What a `chunk` event wraps.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The base64 in the payload, without the quotes.
    encoded: Range<usize>,
    document: Vec<u8>,
}

impl Chunk {
    /// Unwraps a payload; `None` when it has no `bytes`.
    ///
    /// # Errors
    ///
    /// [`FrameError::Chunk`] when what a client would unwrap is not certain: not JSON, `bytes` twice, not base64.
    pub(super) fn read(payload: &[u8]) -> Result<Option<Self>, FrameError> {
        if payload.is_empty() {
            return Ok(None);
        }
        let mut found = None;
        let mut twice = false;
        let mut read = || {
            let mut reader = Reader::new(payload)?;
            reader.object(|reader, key| {
                if key.text() == "bytes" {
                    twice |= found.is_some();
                    found = Some(reader.string()?);
                } else {
                    reader.skip()?;
                }
                Ok(())
            })?;
            reader.finish()
        };
        read().map_err(|_| FrameError::Chunk)?;
        match found {
            _ if twice => Err(FrameError::Chunk),
            None => Ok(None),
            Some(None) => Err(FrameError::Chunk),
            Some(Some(string)) => {
                let document = BASE64_STANDARD.decode(string.text().as_bytes());
                Ok(Some(Self {
                    encoded: string.span(),
                    document: document.map_err(|_| FrameError::Chunk)?,
                }))
            }
        }
    }

    pub(super) fn document(&self) -> &[u8] {
        &self.document
    }

    /// The payload this was read from, with another document inside.
    pub(super) fn wrap(&self, payload: &[u8], document: &[u8]) -> Vec<u8> {
        let mut out = payload.get(..self.encoded.start).unwrap_or_default().to_vec();
        out.extend_from_slice(BASE64_STANDARD.encode(document).as_bytes());
        out.extend_from_slice(payload.get(self.encoded.end..).unwrap_or_default());
        out
    }
}

impl fmt::Debug for Chunk {
    /// Never shows the document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").finish_non_exhaustive()
    }
}
