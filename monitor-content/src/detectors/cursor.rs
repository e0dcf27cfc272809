//! Bytes read one after the other, and whether one was asked for that the text does not have.

use std::cell::Cell;

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    ended: &'a Cell<bool>,
}

impl<'a> Cursor<'a> {
    /// A place; `ended` is set when a byte is asked for that the text does not have, by it or by a copy of it.
    pub(super) fn new(text: &'a [u8], at: usize, ended: &'a Cell<bool>) -> Self {
        Self { text, at, ended }
    }

    /// The byte `offset` bytes on.
    pub(super) fn ahead(&self, offset: usize) -> Option<u8> {
        let byte = self.text.get(self.at + offset).copied();
        if byte.is_none() {
            self.ended.set(true);
        }
        byte
    }

    /// The letter that comes next, and its length in bytes.
    pub(super) fn letter(&self) -> Option<(char, usize)> {
        self.ahead(0)?;
        crate::bytes::letter(self.text, self.at)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.ahead(0)
    }

    /// Passes `wanted`, in capitals or small letters, if it comes next.
    pub(super) fn pass(&mut self, wanted: &[u8]) -> bool {
        for (offset, byte) in wanted.iter().enumerate() {
            match self.text.get(self.at + offset) {
                None => {
                    self.ended.set(true);
                    return false;
                }
                Some(found) if found.eq_ignore_ascii_case(byte) => {}
                Some(_) => return false,
            }
        }
        self.at += wanted.len();
        true
    }

    pub(super) fn any(&mut self, wanted: &[&[u8]]) -> bool {
        wanted.iter().any(|w| self.pass(w))
    }

    /// Passes up to `most` digits, nine at most: how many, and the number that they write.
    pub(super) fn digits(&mut self, most: usize) -> (usize, u32) {
        let (mut count, mut value) = (0, 0);
        while count < most.min(9) {
            match self.peek() {
                Some(byte) if byte.is_ascii_digit() => value = value * 10 + u32::from(byte - b'0'),
                _ => break,
            }
            count += 1;
            self.at += 1;
        }
        (count, value)
    }

    /// Passes a word: letters, and hyphens, apostrophes and dots between them. At most `most` bytes.
    pub(super) fn word(&mut self, most: usize) -> &'a [u8] {
        let start = self.at;
        loop {
            if self.at - start > most {
                break;
            }
            if let Some((_, length)) = crate::bytes::letter(self.text, self.at) {
                self.at += length;
                continue;
            }
            let joined = self.at > start
                && matches!(self.peek(), Some(b'-' | b'\'' | b'.'))
                && crate::bytes::letter(self.text, self.at + 1).is_some();
            if !joined {
                self.ahead(1);
                break;
            }
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}
