//! Bytes on their way to one side: slices of what the other side sent, and now and then bytes of our own.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Slices of a vectored write; rustls gathers them into one record.
const MAX_SLICES: usize = 8;

/// A queue of bytes to be written.
#[derive(Default)]
pub(super) struct Outbound {
    queue: VecDeque<Bytes>,
    len: usize,
}

impl Outbound {
    /// Appends `bytes`.
    pub(super) fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Bytes waiting.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first slices, for one write.
    pub(super) fn slices<'a>(&'a self, out: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut n = 0;
        for (slot, bytes) in out.iter_mut().zip(&self.queue) {
            *slot = IoSlice::new(bytes);
            n += 1;
        }
        n
    }

    /// An array for [`Outbound::slices`].
    pub(super) fn empty_slices<'a>() -> [IoSlice<'a>; MAX_SLICES] {
        [IoSlice::new(&[]); MAX_SLICES]
    }

    /// Takes `written` bytes off the front.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(front) = self.queue.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.queue.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.len = 0;
        self.queue.drain(..).flatten().collect()
    }
}
