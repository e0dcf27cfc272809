//! The only free text that a record can hold.

use std::fmt;

/// Longest text in a record. Paths and model names of real requests fit; a prompt does not.
pub const MAX_SHORT_TEXT_BYTES: usize = 200;

/// A short text that came from a workload: a method, a path, a model's name.
///
/// At most [`MAX_SHORT_TEXT_BYTES`], so that a hostile request can neither smuggle its body into a record nor make
/// records costly to keep; what is longer ends in `…`. Control characters are replaced by `�`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortText(Box<str>);

impl ShortText {
    /// Takes a text, clipped.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let clipped = text.len() > MAX_SHORT_TEXT_BYTES;
        if !clipped && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Self(text.into());
        }
        let mut kept = String::with_capacity(MAX_SHORT_TEXT_BYTES);
        let limit = MAX_SHORT_TEXT_BYTES - if clipped { '…'.len_utf8() } else { 0 };
        for character in text.chars() {
            let character = if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            };
            if kept.len() + character.len_utf8() > limit {
                break;
            }
            kept.push(character);
        }
        if clipped {
            kept.push('…');
        }
        Self(kept.into())
    }

    /// The path of a request target: without query and fragment, where credentials and texts may stand.
    #[must_use]
    pub fn path(target: &str) -> Self {
        Self::new(target.split(['?', '#']).next().unwrap_or_default())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ShortText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits() {
        assert_eq!(ShortText::new("gpt-4o-mini").as_str(), "gpt-4o-mini");
        assert_eq!(ShortText::path("/v1/chat?key=secret#x").as_str(), "/v1/chat");
        assert_eq!(ShortText::new(&"a".repeat(200)).as_str().len(), 200);
    }

    #[test]
    fn clips_and_cleans() {
        let clipped = ShortText::new(&"é".repeat(1 << 20));
        assert!(clipped.as_str().len() <= MAX_SHORT_TEXT_BYTES);
        assert!(clipped.as_str().ends_with('…'));
        assert_eq!(ShortText::new("a\nb\u{1b}[2J").as_str(), "a�b�[2J");
        assert!(ShortText::new(&"\n".repeat(200)).as_str().len() <= MAX_SHORT_TEXT_BYTES);
    }
}
