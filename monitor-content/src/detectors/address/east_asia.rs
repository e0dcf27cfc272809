//! Addresses as they are written in China, Japan and Korea: from the large to the small, and a number at the end.

use crate::bytes::{char_start, letter};

/// How far before the number its address may begin.
const MAX_BYTES: usize = 62;
/// How far after its first digit it may end.
const AFTER_BYTES: usize = 80;

/// Words for regions, cities and districts, one of which an address has, and for what is within them.
const REGIONS: &[&str] = &[
    "省",
    "市",
    "自治区",
    "県",
    "都",
    "府",
    "道",
    "특별시",
    "광역시",
    "시",
    "도",
];
const STREETS: &[&str] = &[
    "区", "區", "县", "町", "村", "街", "路", "道", "巷", "弄", "구", "군", "로", "길", "동", "읍", "면",
];

/// Letters of the three scripts, but those that sentences are made of and hardly any address is.
fn is_wide(character: char) -> bool {
    const SENTENCES: &str = "的是在了我你他她这那有不和就也说要会请吗呢吧把被让对はをです";
    !SENTENCES.contains(character) && is_letter(character)
}

fn is_letter(character: char) -> bool {
    matches!(character, '\u{3005}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}')
}

/// Where the row of characters before `at` starts; Korean ones have spaces between them, and a letter or a space may stand
/// before the number.
fn row_start(text: &[u8], at: usize) -> usize {
    let low = at.saturating_sub(MAX_BYTES);
    let mut start = at;
    let mut found = at;
    let mut letters = 0;
    while start > low {
        let before = char_start(text, start - 1);
        if before < low {
            break;
        }
        match letter(text, before) {
            Some((character, _)) if is_wide(character) => {
                start = before;
                found = before;
            }
            _ if text.get(before) == Some(&b' ') && start - before == 1 => start = before,
            Some((character, _)) if character.is_ascii_alphabetic() && letters < 2 => {
                letters += 1;
                start = before;
            }
            _ => break,
        }
    }
    found
}

/// Where the address whose number starts at `at` begins, or the beginning of one.
pub(super) fn lead(text: &[u8], at: usize) -> usize {
    row_start(text, at)
}

/// Where the address whose number starts at `at` begins.
pub(super) fn start(text: &[u8], at: usize) -> Option<usize> {
    let start = row_start(text, at);
    let row = std::str::from_utf8(text.get(start..at)?).ok()?;
    let region = REGIONS.iter().any(|region| row.contains(region));
    let all = REGIONS.iter().chain(STREETS).filter(|word| row.contains(**word));
    (region && all.count() >= 2).then_some(start)
}

/// Where it ends, and whether text still to come may prolong it: numbers, the words for what they count, and names of
/// houses.
pub(super) fn end(text: &[u8], at: usize) -> (usize, bool) {
    let (mut end, mut here) = (at, at);
    while here < at + AFTER_BYTES {
        match (letter(text, here), text.get(here)) {
            (Some((character, length)), _) if is_wide(character) => {
                here += length;
                end = here;
            }
            (_, Some(b'0'..=b'9' | b')')) => {
                here += 1;
                end = here;
            }
            (_, Some(b' ' | b'-' | b'(')) => here += 1,
            (_, Some(_)) => break,
            (_, None) => return (end, true),
        }
    }
    (end, false)
}
