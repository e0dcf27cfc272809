//! Base64 in a text, read as what it stands for (RFC 4648, sections 4 and 5; lines as in RFC 2045, section 6.8).
//!
//! A run is characters of either alphabet, over line ends where the line holds whole groups of four. Bytes that are no
//! text become line ends, one for one; a run of which more than a quarter is none is an image, a digest or a long name,
//! and is not read.

use std::ops::Range;

use crate::bytes::ByteSet;

/// Fewer characters stand for less than any finding worth hiding.
const MIN_CHARS: usize = 20;
/// Characters of a line that may go on in the next one: a word at a line's end is none.
const MIN_LINE_CHARS: usize = 48;

const ALPHABET: ByteSet = ByteSet::alphanumeric_and(b"+/-_");
/// Longer runs are read from their beginning only.
const MAX_SHIFTED_CHARS: usize = 4096;
/// Bytes that are in no text: controls, and those that UTF-8 does not have.
const NEVER_TEXT: ByteSet = ByteSet::of(
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\
      \xc0\xc1\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff",
);
/// Stands for no character of either alphabet.
const NO_VALUE: u8 = 64;
const VALUES: [u8; 256] = values();

/// What a run of base64 stands for. Its debug output shows no text.
pub(crate) struct Encoded {
    text: String,
    /// Where each line starts: in `text`, and in the text that the run is in.
    lines: Vec<(usize, usize)>,
    /// Where the run ends.
    end: usize,
}

impl Encoded {
    /// The next run from `*at` on that stands for text; `at` is moved behind it.
    pub(crate) fn next(text: &str, at: &mut usize) -> Option<Self> {
        let bytes = text.as_bytes();
        while let Some(start) = next_start(bytes, at) {
            let mut decoded = Vec::new();
            let mut lines = Vec::new();
            let mut line = start;
            loop {
                let end = ALPHABET.run(bytes, line, bytes.len());
                lines.push((decoded.len(), line));
                decode(bytes.get(line..end).unwrap_or_default(), &mut decoded);
                *at = end;
                match next_line(bytes, line..end) {
                    Some(next) => line = next,
                    None => break,
                }
            }
            let end = *at;
            if let Some(text) = as_text(&decoded) {
                return Some(Self { text, lines, end });
            }
            // The end of a path, or of a name, may be in front.
            for start in start + 1..start + 4 {
                if lines.len() > 1 || end - start > MAX_SHIFTED_CHARS {
                    break;
                }
                decoded.clear();
                decode(bytes.get(start..end).unwrap_or_default(), &mut decoded);
                if let Some(text) = as_text(&decoded) {
                    let lines = vec![(0, start)];
                    return Some(Self { text, lines, end });
                }
            }
        }
        None
    }

    /// What the run stands for.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The characters that a span of [`Encoded::text`] is written with, as a span of the text that the run is in.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.group(range.start).min(self.end);
        let last = range.end.saturating_sub(1).max(range.start);
        start..(self.group(last) + 4).clamp(start, self.end)
    }

    /// Where the group of four begins that the byte at `at` is written in.
    fn group(&self, at: usize) -> usize {
        let after = self.lines.partition_point(|(text, _)| *text <= at);
        match after.checked_sub(1).and_then(|line| self.lines.get(line)) {
            Some((text, source)) => source + (at - text) / 3 * 4,
            None => at,
        }
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoded({} bytes)", self.text.len())
    }
}

/// Where the next run that is long enough starts, `*at` being at no place within one. Every such run has a character at
/// one of the places looked at.
fn next_start(text: &[u8], at: &mut usize) -> Option<usize> {
    loop {
        let probe = *at + MIN_CHARS - 1;
        if !ALPHABET.has(*text.get(probe)?) {
            *at = probe + 1;
            continue;
        }
        let run = text.get(*at..probe)?;
        let before = run.iter().rev().take_while(|b| ALPHABET.has(**b)).count();
        let start = probe - before;
        let end = ALPHABET.run(text, probe, start + MIN_CHARS);
        if end - start >= MIN_CHARS {
            return Some(start);
        }
        *at = end;
    }
}

/// Where the run goes on after this line of it.
fn next_line(text: &[u8], line: Range<usize>) -> Option<usize> {
    if line.len() < MIN_LINE_CHARS || !line.len().is_multiple_of(4) {
        return None;
    }
    let next = match text.get(line.end..) {
        Some([b'\n', ..]) => line.end + 1,
        Some([b'\r', b'\n', ..]) => line.end + 2,
        _ => return None,
    };
    text.get(next).filter(|b| ALPHABET.has(**b)).map(|_| next)
}

const fn values() -> [u8; 256] {
    let mut values = [NO_VALUE; 256];
    let mut at = 0;
    while at < 26 {
        values[b'A' as usize + at] = at as u8;
        values[b'a' as usize + at] = 26 + at as u8;
        at += 1;
    }
    at = 0;
    while at < 10 {
        values[b'0' as usize + at] = 52 + at as u8;
        at += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
}

/// Appends the bytes that `line` stands for; the line has no character outside the alphabets.
fn decode(line: &[u8], out: &mut Vec<u8>) {
    let value = |byte: u8| u32::from(VALUES[usize::from(byte)] & 63);
    out.reserve(line.len() / 4 * 3 + 2);
    let (groups, rest) = line.as_chunks::<4>();
    for [a, b, c, d] in groups {
        let bits = value(*a) << 18 | value(*b) << 12 | value(*c) << 6 | value(*d);
        let [_, x, y, z] = bits.to_be_bytes();
        out.extend_from_slice(&[x, y, z]);
    }
    if let [a, b, more @ ..] = rest {
        let third = more.first().map_or(0, |c| value(*c));
        let [_, x, y, _] = (value(*a) << 18 | value(*b) << 12 | third << 6).to_be_bytes();
        out.push(x);
        if !more.is_empty() {
            out.push(y);
        }
    }
}

/// The text that `bytes` are, if they are, byte for byte.
fn as_text(bytes: &[u8]) -> Option<String> {
    // Cheaper than to look for characters, and tells nearly all that is no text: a sixth of random bytes is among these.
    let never = bytes.iter().filter(|b| NEVER_TEXT.has(**b)).count();
    if never > bytes.len() / 10 {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    let mut none = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let kept = !character.is_control() || matches!(character, '\t' | '\n' | '\r');
            none += usize::from(!kept);
            if kept {
                text.push(character);
            } else {
                // The controls from U+0080 on have two bytes.
                text.extend(std::iter::repeat_n('\n', character.len_utf8()));
            }
        }
        none += chunk.invalid().len();
        text.extend(std::iter::repeat_n('\n', chunk.invalid().len()));
    }
    (none <= bytes.len() / 4).then_some(text)
}
