//! Strings: scanning to the closing quote, unescaping, escaping.

use std::{borrow::Cow, ops::Range};

use super::{JsonError, JsonFault};

/// A string inside a document: where it is, and whether its bytes are its text.
#[derive(Clone, Copy)]
pub(crate) struct Str<'b> {
    /// The bytes between the quotes, as written.
    pub(crate) raw: &'b str,
    /// Offset of `raw` in the document.
    pub(crate) start: usize,
    /// Whether `raw` contains a backslash.
    pub(crate) escaped: bool,
}

impl<'b> Str<'b> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    pub(crate) fn text(&self) -> Cow<'b, str> {
        if self.escaped {
            unescape(self.raw)
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// Bytes in one word.
const WORD: usize = 8;
/// How many words are looked at one by one before whole blocks are: most keys and values end within them.
const FIRST_WORDS: usize = 3;
/// Bytes in one block. A fixed size lets the compiler use vector compares; 32 is two SSE2 registers.
const BLOCK: usize = 32;

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Offset of the first special byte of a word, by arithmetic on all eight at once. A byte is less than `n` when
/// subtracting `n` borrows into its high bit; a borrow can only mislead above the first byte found, which is the one asked
/// for.
fn first_special(word: u64) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    let less = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let found = (less(word, 0x20) | less(quote, 1) | less(backslash, 1)) & HIGHS;
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
}

/// First byte at or after `start` that ends or interrupts a string's plain text.
fn find_special(bytes: &[u8], start: usize) -> Option<usize> {
    let found = find_special_from(bytes, start);
    #[cfg(test)]
    crate::work::look_at(found.unwrap_or(bytes.len()) - start + 1);
    found
}

fn find_special_from(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut words = FIRST_WORDS;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<WORD>()) {
        if let Some(found) = first_special(u64::from_le_bytes(*word)) {
            return Some(at + found);
        }
        at += WORD;
        words = words.saturating_sub(1);
        while words == 0
            && let Some(block) = bytes.get(at..at + BLOCK)
            && !block.iter().fold(false, |found, &byte| found | is_special(byte))
        {
            at += BLOCK;
        }
    }
    bytes
        .get(at..)?
        .iter()
        .position(|&byte| is_special(byte))
        .map(|found| at + found)
}

/// Scans a string whose text begins at `start` (just after the opening quote). Returns the offset of the closing quote
/// and whether an escape was seen.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let mut at = start;
    let mut escaped = false;
    loop {
        let Some(found) = find_special(bytes, at) else {
            return Err(JsonError {
                offset: bytes.len(),
                fault: JsonFault::Truncated,
            });
        };
        match bytes.get(found) {
            Some(b'"') => return Ok((found, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = found + escape_len(bytes, found)?;
            }
            _ => {
                return Err(JsonError {
                    offset: found,
                    fault: JsonFault::Control,
                });
            }
        }
    }
}

/// Length of the escape sequence at `at`: 2, or 6 for `\uXXXX`.
fn escape_len(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            for offset in at + 2..at + 6 {
                match bytes.get(offset) {
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => {
                        return Err(JsonError {
                            offset,
                            fault: JsonFault::Escape,
                        });
                    }
                    None => {
                        return Err(JsonError {
                            offset,
                            fault: JsonFault::Truncated,
                        });
                    }
                }
            }
            Ok(6)
        }
        Some(_) => Err(JsonError {
            offset: at + 1,
            fault: JsonFault::Escape,
        }),
        None => Err(JsonError {
            offset: at + 1,
            fault: JsonFault::Truncated,
        }),
    }
}

/// One step of unescaping: what a stretch of raw text stands for.
#[derive(Clone, Copy)]
pub(crate) enum Unescaped<'b> {
    /// A stretch without escapes: it stands for itself.
    Plain(&'b str),
    /// An escape sequence of this many raw bytes stands for this character.
    Escape(usize, char),
}

/// The first step of unescaping `raw`, the inside of a valid JSON string; `None` at its end. A sequence that is not
/// valid is taken literally, one backslash at a time, so that the walk always ends.
pub(crate) fn next_unescaped(raw: &str) -> Option<Unescaped<'_>> {
    let escape = memchr::memchr(b'\\', raw.as_bytes());
    #[cfg(test)]
    crate::work::look_at(escape.unwrap_or(raw.len()) + 1);
    match escape {
        None if raw.is_empty() => None,
        None => Some(Unescaped::Plain(raw)),
        Some(0) => Some(escape_at_start(raw)),
        Some(at) => raw.get(..at).map(Unescaped::Plain),
    }
}

fn escape_at_start(raw: &str) -> Unescaped<'_> {
    let simple = |character| Unescaped::Escape(2, character);
    match raw.as_bytes().get(1) {
        Some(b'"') => simple('"'),
        Some(b'\\') => simple('\\'),
        Some(b'/') => simple('/'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => match hex4(raw, 2) {
            Some(high @ 0xD800..=0xDBFF) => match (raw.get(6..8), hex4(raw, 8)) {
                (Some("\\u"), Some(low @ 0xDC00..=0xDFFF)) => {
                    let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    Unescaped::Escape(12, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
                }
                _ => Unescaped::Escape(6, char::REPLACEMENT_CHARACTER),
            },
            Some(code) => Unescaped::Escape(6, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
            None => Unescaped::Escape(1, '\\'),
        },
        _ => Unescaped::Escape(1, '\\'),
    }
}

fn hex4(raw: &str, at: usize) -> Option<u32> {
    let digits = raw.as_bytes().get(at..at + 4)?;
    digits.iter().try_fold(0, |code, &digit| {
        Some(code << 4 | char::from(digit).to_digit(16)?)
    })
}

/// The text of a JSON string, given the bytes between its quotes. Borrowed when nothing is escaped. A lone surrogate
/// becomes U+FFFD.
#[must_use]
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(step) = next_unescaped(rest) {
        let taken = match step {
            Unescaped::Plain(plain) => {
                text.push_str(plain);
                plain.len()
            }
            Unescaped::Escape(taken, character) => {
                text.push(character);
                taken
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(text)
}

/// Appends `text` escaped for the inside of a JSON string: quotes, backslashes and control characters, nothing else.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    while let Some(at) = find_special(rest, 0) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, tail)) = tail.split_first() else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(control >> 4), digit(control & 0xf)]);
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_every_form() {
        assert_eq!(
            unescape(r#"a\"\\\/\b\f\n\r\té\u20AC"#),
            "a\"\\/\u{8}\u{c}\n\r\té€"
        );
        assert_eq!(unescape(r"\ud83d\ude00!"), "😀!");
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        assert_eq!(unescape(r"\ud83d!"), "\u{FFFD}!");
        assert_eq!(unescape(r"\ude00\ud83d"), "\u{FFFD}\u{FFFD}");
        assert_eq!(unescape(r"\ud83dA"), "\u{FFFD}A");
    }

    #[test]
    fn borrows_what_needs_no_unescaping() {
        assert!(matches!(unescape("plain é"), Cow::Borrowed("plain é")));
    }

    proptest::proptest! {
        #[test]
        fn escape_then_unescape_is_identity(text in "\\PC*|[\\x00-\\x7f]{0,80}") {
            let mut raw = Vec::new();
            escape_into(&mut raw, &text);
            let raw = String::from_utf8(raw).unwrap();
            proptest::prop_assert_eq!(unescape(&raw), text.as_str());
            let document = format!("\"{raw}\"");
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&document).unwrap(), text);
        }
    }
}
