//! What stands after the number of a house: parts of it, places, a region, a postal code.

use super::super::cursor::Cursor;
use super::words::{MAX_WORD_BYTES, PARTICLE, REGIONS, STATES, UNIT, lists};
use crate::bytes::letter;

/// Bytes of an address after the number of its house.
const MAX_BYTES: usize = 150;
/// Most parts after it.
const MAX_PARTS: usize = 6;
/// Most words of a place.
const MAX_WORDS: usize = 6;

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tail {
    /// Offset after it.
    pub(super) end: usize,
    pub(super) unit: bool,
    pub(super) place: bool,
    /// A postal code that only one country writes so, or one beside a place.
    pub(super) code: bool,
    /// A region as its post office shortens it, and a postal code.
    pub(super) region: bool,
}

/// Reads on from where the number of the house, or the name of its street, ended.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Tail {
    let from = cursor.at;
    let mut tail = Tail {
        end: from,
        ..Tail::default()
    };
    // Places that count when a code follows them.
    let mut places = 0;
    for _ in 0..MAX_PARTS {
        let before = cursor.at;
        let Some(gap) = gap(cursor) else {
            break;
        };
        if cursor.at - from > MAX_BYTES {
            cursor.at = before;
            break;
        }
        if let Some(end) = unit(cursor) {
            tail.unit = true;
            tail.end = end;
            continue;
        }
        if region(cursor) {
            tail.region = true;
            tail.code = true;
            tail.end = cursor.at;
            break;
        }
        if let Some(code) = code(cursor) {
            let end = cursor.at;
            let place = place_after(cursor);
            if code == Code::Sure || place || places > 0 {
                tail.code = true;
                tail.place |= place || places > 0;
                tail.end = if place { cursor.at } else { end };
            }
            break;
        }
        if gap == Gap::Space && !tail.unit {
            break;
        }
        if !place(cursor) {
            cursor.at = before;
            break;
        }
        places += 1;
        if gap == Gap::Comma && !tail.place {
            tail.place = true;
            tail.end = cursor.at;
        }
    }
    if tail.end > from {
        // `Ronchi (TE)`, `Mendes / SP`.
        cursor.at = tail.end;
        tail.end = suffix(cursor).unwrap_or(tail.end);
    }
    tail
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Space,
    Comma,
    Line,
}

fn gap(cursor: &mut Cursor<'_>) -> Option<Gap> {
    let mut found = None;
    for _ in 0..4 {
        let next = match cursor.peek()? {
            b' ' => Gap::Space,
            b',' => Gap::Comma,
            b'\n' => Gap::Line,
            b'\r' => Gap::Line,
            b'-' if found.is_none() && cursor.ahead(1).is_some_and(|b| b.is_ascii_digit()) => Gap::Space,
            // The dot after a number: `utca 95.`
            b'.' if found.is_none() => Gap::Space,
            // As JSON and source code write a line's end.
            b'\\' if cursor.ahead(1) == Some(b'n') => {
                cursor.at += 1;
                Gap::Line
            }
            _ => break,
        };
        if found == Some(Gap::Line) && next == Gap::Line {
            return None;
        }
        cursor.at += 1;
        if next != Gap::Space || found.is_none() {
            found = Some(next);
        }
    }
    found
}

/// `Apt. 216`, `Suite 4B`, `# 12`, `Bl. 21`: the end of it.
fn unit(cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut ahead = *cursor;
    let hash = ahead.pass(b"#");
    if !hash {
        let word = ahead.word(MAX_WORD_BYTES);
        if lists(word) & UNIT == 0 {
            return None;
        }
        ahead.pass(b".");
    }
    ahead.pass(b" ");
    let (count, _) = ahead.digits(6);
    let mut letters = 0;
    while letters < 2
        && ahead
            .peek()
            .is_some_and(|b| b.is_ascii_uppercase() || (count > 0 && b.is_ascii_lowercase()))
    {
        ahead.at += 1;
        letters += 1;
    }
    let whole = !ahead.peek().is_some_and(|b| b.is_ascii_alphanumeric());
    if count + letters == 0 || !whole {
        return None;
    }
    cursor.at = ahead.at;
    Some(ahead.at)
}

/// `KY 17422`, `ON K1A 0B1`, `NSW 2000`, after the city's name and a comma or a space.
fn region(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    let word = ahead.word(MAX_WORD_BYTES);
    let state = <&[u8; 2]>::try_from(word).is_ok_and(|word| STATES.contains(&word));
    let found = if state {
        ahead.any(&[b"  ", b" "]) && {
            let (count, _) = ahead.digits(5);
            let more = ahead;
            if count == 5 && ahead.pass(b"-") && ahead.digits(4).0 != 4 {
                ahead.at = more.at;
            }
            count == 5 && ends(&mut ahead)
        }
    } else {
        REGIONS.iter().any(|region| region.as_bytes() == word) && {
            ahead.any(&[b", ", b" "]) && ahead.digits(5).0 == 4 && ends(&mut ahead)
        }
    };
    if found {
        cursor.at = ahead.at;
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Written as only postal codes are.
    Sure,
    /// Four to six digits.
    Digits,
}

/// A postal code.
fn code(cursor: &mut Cursor<'_>) -> Option<Code> {
    let start = *cursor;
    let mut ahead = start;
    ahead.any(&["ΤΚ ".as_bytes(), b"CEP: ", b"CEP ", b"C.P. ", b"CP "]);
    let start = ahead;
    // `H-5418`, `D-10115`.
    if ahead.peek().is_some_and(|b| b.is_ascii_uppercase()) {
        ahead.at += 1;
        if ahead.peek().is_some_and(|b| b.is_ascii_uppercase()) {
            ahead.at += 1;
        }
        if !ahead.pass(b"-") {
            ahead.at = start.at;
        }
    }
    let prefixed = ahead.at > start.at;
    if let Some(end) = letters_and_digits(&mut ahead.clone()).filter(|_| !prefixed) {
        cursor.at = end;
        return Some(Code::Sure);
    }
    let (count, value) = ahead.digits(9);
    let mut more = ahead;
    let found = match count {
        // `47-219`, `617 67`.
        2 if more.pass(b"-") && more.digits(4).0 == 3 => Some((more.at, Code::Sure)),
        3 if more.pass(b" ") && more.digits(3).0 == 2 => Some((more.at, Code::Digits)),
        // `9504 ME`; `1234-567`.
        4 if letters(&mut more) => Some((more.at, Code::Sure)),
        4 if ahead.clone().pass(b"-") => {
            let mut more = ahead;
            (more.pass(b"-") && more.digits(4).0 == 3).then_some((more.at, Code::Sure))
        }
        5 if more.pass(b"-") && more.digits(4).0 == 3 => Some((more.at, Code::Sure)),
        // A year is none: `Hall 3, 2019 edition`.
        4 if !prefixed && (1950..=2050).contains(&value) => None,
        4..=6 | 8 => Some((ahead.at, Code::Digits)),
        _ => None,
    };
    let (end, kind) = found?;
    let mut after = *cursor;
    after.at = end;
    let whole = ends(&mut after);
    if !whole {
        return None;
    }
    cursor.at = end;
    Some(kind)
}

/// ` ME`: a space and two capitals, and no more.
fn letters(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.at;
    cursor.pass(b" ");
    let two = (0..2).all(|_| {
        let capital = cursor.peek().is_some_and(|b| b.is_ascii_uppercase());
        cursor.at += usize::from(capital);
        capital
    });
    let whole = two && ends(cursor);
    if !whole {
        cursor.at = start;
    }
    whole
}

/// British and Canadian codes: `M41 1SU`, `W2K 0RD`, `K1A 0B1`.
fn letters_and_digits(cursor: &mut Cursor<'_>) -> Option<usize> {
    let start = cursor.at;
    let mut shape = [0_u8; 8];
    let mut length = 0;
    while let Some(byte) = cursor.peek() {
        let class = match byte {
            b'A'..=b'Z' => b'A',
            b'0'..=b'9' => b'9',
            b' ' => b' ',
            _ => break,
        };
        // The code ends where its pattern does: a space after it is not its own.
        if let Some(slot) = shape.get_mut(length) {
            *slot = class;
            length += 1;
            cursor.at += 1;
        } else {
            break;
        }
    }
    let shape = shape.get(..length)?;
    const PATTERNS: &[&[u8]] = &[
        b"A9 9AA",
        b"A99 9AA",
        b"AA9 9AA",
        b"AA99 9AA",
        b"A9A 9AA",
        b"AA9A 9AA",
        b"A9A 9A9",
    ];
    let pattern = PATTERNS.iter().find(|pattern| shape.starts_with(pattern))?;
    cursor.at = start + pattern.len();
    ends(cursor).then_some(start + pattern.len())
}

/// Whether no letter or digit comes next.
fn ends(cursor: &mut Cursor<'_>) -> bool {
    cursor
        .peek()
        .is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_')
}

/// The place after a postal code: `10115 Berlin`, `87050, Piane Crati`.
fn place_after(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.at;
    let found = cursor.any(&[b", ", b" ", b",\n", b"\n"]) && place(cursor);
    if !found {
        cursor.at = start;
    }
    found
}

/// The name of a place: words with capitals, and small ones between them.
fn place(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.at;
    let mut end = start;
    for _ in 0..MAX_WORDS {
        let Some((first, _)) = cursor.letter() else {
            break;
        };
        let word = cursor.word(MAX_WORD_BYTES);
        let region = REGIONS.iter().any(|region| region.as_bytes() == word);
        let short = region || (word.len() == 2 && word.iter().all(u8::is_ascii_uppercase));
        if !(first.is_lowercase() || short && end > start) {
            end = cursor.at;
            // `St. Pölten`, `г. Москва`.
            if cursor.peek() == Some(b'.') && word.len() <= 5 {
                cursor.ahead(2);
                let dotted = letter(cursor.text, cursor.at + 2).is_some();
                if cursor.ahead(1) != Some(b' ') || !dotted {
                    break;
                }
                cursor.at += 1;
            }
        } else if !(lists(word) & PARTICLE != 0 && end > start) {
            break;
        }
        if cursor.peek() != Some(b' ') {
            break;
        }
        cursor.at += 1;
    }
    cursor.at = end;
    end > start
}

/// A region in brackets or after a slash: its end.
fn suffix(cursor: &mut Cursor<'_>) -> Option<usize> {
    let bracket = cursor.pass(b" (");
    if !bracket && !cursor.any(&[b" / ", b"/", b" - "]) {
        return None;
    }
    for _ in 0..2 {
        if !cursor.peek()?.is_ascii_uppercase() {
            return None;
        }
        cursor.at += 1;
    }
    let whole = if bracket { cursor.pass(b")") } else { ends(cursor) };
    whole.then_some(cursor.at)
}
