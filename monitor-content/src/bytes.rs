//! Byte classes and the left boundary every rule shares.

/// A set of bytes as a table, so that a run is measured at one load a byte.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// ASCII letters and digits plus `more`.
    pub(crate) const fn alphanumeric_and(more: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            set[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        Self(set).and(more)
    }

    /// Exactly `bytes`.
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self([false; 256]).and(bytes)
    }

    const fn and(mut self, more: &[u8]) -> Self {
        let mut i = 0;
        while i < more.len() {
            self.0[more[i] as usize] = true;
            i += 1;
        }
        self
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// Offset after the run of members that starts at `at`, at most `limit`.
    pub(crate) fn run(&self, text: &[u8], at: usize, limit: usize) -> usize {
        let limit = limit.min(text.len());
        text.get(at..limit)
            .and_then(|rest| rest.iter().position(|b| !self.has(*b)))
            .map_or(limit.max(at), |n| at + n)
    }
}

/// Bytes of context [`ends_escape`] may look at.
pub(crate) const ESCAPE_BYTES: usize = 3;

/// Whether the text before `at` ends in an escape (`\n`, `\t`, `\r`, `%3D`) whose last byte only looks like a
/// part of the word that follows. Code and URLs inside a prompt are full of them.
pub(crate) fn ends_escape(text: &[u8], at: usize) -> bool {
    match text.get(..at) {
        Some([.., b'\\', b'n' | b'r' | b't']) => true,
        Some([.., b'%', high, low]) => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Where the character that `at` lies in begins.
pub(crate) fn char_start(text: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|at| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(at)
}

/// `at`, or where the character that it lies in ends.
pub(crate) fn char_end(text: &[u8], at: usize) -> usize {
    (at..at + 4)
        .find(|at| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(at)
}

/// The letter at `at` and its length in bytes. Vowel signs of Indian scripts are among them.
pub(crate) fn letter(text: &[u8], at: usize) -> Option<(char, usize)> {
    let first = *text.get(at)?;
    if first < 0x80 {
        return first.is_ascii_alphabetic().then_some((char::from(first), 1));
    }
    let bytes = text.get(at..(at + 4).min(text.len()))?;
    let character = bytes.utf8_chunks().next()?.valid().chars().next()?;
    let indian = ('\u{900}'..='\u{DFF}').contains(&character);
    (character.is_alphabetic() || indian).then_some((character, character.len_utf8()))
}

/// The letter that ends at `at`.
pub(crate) fn letter_before(text: &[u8], at: usize) -> Option<char> {
    let start = char_start(text, at.checked_sub(1)?);
    letter(text, start).map(|(character, _)| character)
}
