//! A body as it arrives.

use bytes::{Bytes, BytesMut};

/// The pieces of a body. Most often there is one, and it is not copied.
#[derive(Default)]
pub(super) struct Pieces {
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    /// Adds the next piece.
    pub(super) fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.extend_from_slice(&piece);
        }
    }

    /// The whole body.
    pub(super) fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}
