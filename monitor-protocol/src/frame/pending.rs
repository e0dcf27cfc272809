//! Bytes that have come and belong to no frame yet.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Bytes that have come and belong to no frame yet: chunks as they came, before them the start of a frame from chunks
/// that are used up. A frame that lies in one chunk is a slice of it; only what straddles chunks is copied, once.
#[derive(Debug, Default)]
pub(super) struct Pending {
    chunks: VecDeque<Bytes>,
    carry: BytesMut,
}

impl Pending {
    pub(super) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The start of the frame, from chunks that are used up.
    pub(super) fn carry(&self) -> &[u8] {
        &self.carry
    }

    /// The first chunk that is not used up.
    pub(super) fn front(&self) -> Option<&Bytes> {
        self.chunks.front()
    }

    /// Uses up the first chunk: the frame goes on after it.
    pub(super) fn use_up(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.carry.extend_from_slice(&chunk);
        }
    }

    /// Uses up the first `len` bytes of the first chunk: the frame goes on after them.
    pub(super) fn use_up_to(&mut self, len: usize) {
        let part = self.split_front(len);
        self.carry.extend_from_slice(&part);
    }

    /// The frame: what is used up, and the first `len` bytes of the first chunk.
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        let part = self.split_front(len);
        if self.carry.is_empty() {
            return part;
        }
        self.carry.extend_from_slice(&part);
        self.carry.split().freeze()
    }

    /// Puts a frame back that was taken.
    pub(super) fn put_back(&mut self, frame: Bytes) {
        self.chunks.push_front(frame);
    }

    /// All of it, in order.
    pub(super) fn remainder(&mut self) -> Bytes {
        if self.carry.is_empty() && self.chunks.len() == 1 {
            return self.chunks.pop_front().unwrap_or_default();
        }
        for chunk in self.chunks.drain(..) {
            self.carry.extend_from_slice(&chunk);
        }
        self.carry.split().freeze()
    }

    fn split_front(&mut self, len: usize) -> Bytes {
        let Some(chunk) = self.chunks.front_mut() else {
            return Bytes::new();
        };
        let part = chunk.split_to(len.min(chunk.len()));
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        part
    }
}
