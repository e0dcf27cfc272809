//! Bytes that came from one side and are not read yet.

use bytes::{Bytes, BytesMut};

/// Room offered to one read: a TLS record's worth, so that a record is forwarded whole.
const READ_BYTES: usize = 16 * 1024;
/// With less room than this left in the buffer, a new one is made (or the old one, free again, reclaimed).
const MIN_ROOM_BYTES: usize = 4 * 1024;

/// The unread bytes of one side.
#[derive(Default)]
pub(super) struct Inbound {
    pub(super) bytes: BytesMut,
    /// The side has sent all it will send.
    pub(super) ended: bool,
}

impl Inbound {
    /// The buffer with room for a read.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        if self.bytes.capacity() - self.bytes.len() < MIN_ROOM_BYTES {
            self.bytes.reserve(READ_BYTES);
        }
        &mut self.bytes
    }

    /// Takes the first `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        self.bytes.split_to(n).freeze()
    }
}
