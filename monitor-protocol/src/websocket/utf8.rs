//! UTF-8 of a text that arrives in pieces, refused at the first byte that cannot belong to it.

use super::WebSocketError;

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character that a piece ended in, and its length.
    begun: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Checks the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), WebSocketError> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            // No character has more than four bytes: the check below ends it, one way or the other.
            let Some(place) = self.begun.get_mut(self.len) else {
                return Err(WebSocketError::Utf8);
            };
            *place = byte;
            self.len += 1;
            match std::str::from_utf8(self.begun.get(..self.len).unwrap_or_default()) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(WebSocketError::Utf8),
            }
        }
        #[cfg(test)]
        crate::work::look_at(piece.len());
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let tail = piece.get(error.valid_up_to()..).unwrap_or_default();
                for (place, byte) in self.begun.iter_mut().zip(tail) {
                    *place = *byte;
                }
                self.len = tail.len();
                Ok(())
            }
            Err(_) => Err(WebSocketError::Utf8),
        }
    }

    /// The text has ended.
    pub(super) fn end(&self) -> Result<(), WebSocketError> {
        if self.len == 0 {
            Ok(())
        } else {
            Err(WebSocketError::Utf8)
        }
    }
}
