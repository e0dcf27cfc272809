//! Patterns with `*` and `?`, as price tables, selectors and allow lists use them.

use std::fmt;

/// Longest accepted pattern: a path of the usual kind fits, and matching costs at most this many steps per byte.
pub const MAX_PATTERN_BYTES: usize = 256;

/// A pattern in which `*` stands for any run of bytes (`/` included) and `?` for exactly one character.
///
/// Everything else stands for itself; there is no escape and no character class. Matching keeps one restart point,
/// so its time is at most the pattern's length times the text's, and linear in the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// Why a pattern was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GlobError {
    /// The pattern has no characters and would match only the empty text.
    #[error("the pattern is empty; write `*` to match anything, or leave the key out")]
    Empty,
    /// The pattern exceeds [`MAX_PATTERN_BYTES`].
    #[error("the pattern has {0} bytes, more than {MAX_PATTERN_BYTES}; shorten it with `*`")]
    TooLong(usize),
}

impl Glob {
    /// Accepts a pattern.
    ///
    /// # Errors
    ///
    /// An empty pattern, or one above [`MAX_PATTERN_BYTES`].
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        match pattern.len() {
            0 => Err(GlobError::Empty),
            length if length > MAX_PATTERN_BYTES => Err(GlobError::TooLong(length)),
            _ => Ok(Self(pattern.into())),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` matches, with case.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at_pattern, mut at_text) = (0, 0);
        // Where the last `*` stands, and up to where of the text it has swallowed.
        let mut star: Option<(usize, usize)> = None;
        while at_text < text.len() {
            match pattern.get(at_pattern) {
                Some(b'*') => {
                    star = Some((at_pattern, at_text));
                    at_pattern += 1;
                }
                Some(b'?') => {
                    at_pattern += 1;
                    at_text += character_length(text[at_text]).min(text.len() - at_text);
                }
                Some(&byte) if byte == text[at_text] => {
                    at_pattern += 1;
                    at_text += 1;
                }
                _ => match star {
                    // An earlier `*` never needs another try: the last one can swallow whatever it could.
                    Some((position, swallowed)) => {
                        star = Some((position, swallowed + 1));
                        at_pattern = position + 1;
                        at_text = swallowed + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[at_pattern..].iter().all(|&byte| byte == b'*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({})", self.0)
    }
}

impl serde::Serialize for Glob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Bytes of the UTF-8 character that begins with `first`.
fn character_length(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn wildcards() {
        assert!(matches("gpt-4o-mini", "gpt-4o-mini"));
        assert!(!matches("gpt-4o-mini", "gpt-4o"));
        assert!(matches("claude-*", "claude-"));
        assert!(matches("claude-*", "claude-sonnet-4"));
        assert!(!matches("claude-*", "not-claude-sonnet"));
        assert!(matches("/usr/*/python3*", "/usr/local/bin/python3.11"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "abbcbc"));
        assert!(!matches("a*b*c", "abbcbcd"));
        assert!(matches("?o", "go"));
        assert!(matches("?o", "ño"));
        assert!(!matches("?o", "o"));
        assert!(matches("a*?", "ab"));
        assert!(!matches("a*?", "a"));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        assert_eq!(Glob::new(""), Err(GlobError::Empty));
        assert_eq!(Glob::new(&"a".repeat(257)), Err(GlobError::TooLong(257)));
    }

    #[test]
    fn hostile_text_stays_linear() {
        let glob = Glob::new(&"*a".repeat(100)).unwrap();
        let text = "a".repeat(1 << 20) + "b";
        let started = std::time::Instant::now();
        assert!(!glob.matches(&text));
        assert!(started.elapsed().as_secs() < 20);
    }

    /// The definition, in exponential time.
    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| oracle(rest, &text[n..])),
            Some(('?', rest)) => !text.is_empty() && oracle(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && oracle(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab?*é]{1,7}", text in "[abé]{0,9}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Glob::new(&pattern).unwrap().matches(&text), oracle(&p, &t));
        }
    }
}
