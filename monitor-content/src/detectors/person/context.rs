//! What stands before a name.

use super::cues::{self, Cue, MAX_WORD_BYTES};
use super::token::Token;
use crate::bytes::letter_before;

/// How far before a name its context may begin; within what an engine may look at.
const NEAR_BYTES: usize = 60;
const _: () = assert!(NEAR_BYTES + 4 <= super::super::CONTEXT_BYTES);
/// Longest tag that is passed: `</strong>`.
const MAX_TAG_BYTES: usize = 10;

/// What is between a word and a name.
#[derive(Debug, Default)]
struct Gap {
    /// A colon, an equals sign, a tab, a bar, the end of a cell.
    colon: bool,
    line: bool,
    comma: bool,
    dot: bool,
}

/// What is said before the name at `at`.
pub(super) fn cue(text: &[u8], at: usize) -> Option<Cue> {
    let low = at.saturating_sub(NEAR_BYTES);
    let (gap, end) = gap(text, low, at)?;
    let mut lower = [0; MAX_WORD_BYTES];
    let start = word_start(text, low, end)?;
    let word = lowered(text, start, end, &mut lower)?;
    let plain = !gap.colon && !gap.line && !gap.comma;
    let spaced = plain && !gap.dot;
    let found = cues::of(word).or_else(|| hump(text, start, end))?;
    let identifier = start
        .checked_sub(1)
        .is_some_and(|before| text.get(before).is_some_and(|b| b.is_ascii_digit() || *b == b'_'));
    // `MS Server`, `SIG *`: but `MR SMITH`.
    let loud = end - start >= 2
        && text.get(start..end)?.iter().all(u8::is_ascii_uppercase)
        && !text.get(at + 1).is_some_and(u8::is_ascii_uppercase);
    match found {
        Cue::Title | Cue::Short if plain && !identifier && !loud => Some(found),
        Cue::Greeting | Cue::Article if spaced => Some(found),
        Cue::Namesake if plain => Some(found),
        Cue::Introduction if spaced || (gap.colon && !gap.comma) => Some(found),
        Cue::Hint if spaced && particle(word) => Some(called_after(text, low, start)),
        Cue::Hint if spaced => Some(hint(text, low, start, word)),
        Cue::Notice if !gap.dot => Some(found),
        Cue::Label | Cue::Role if gap.colon && !gap.dot && !gap.comma => Some(found),
        // `이름 김정웅`: Chinese, Japanese and Korean; in other scripts the next word of a sentence.
        Cue::Label if spaced && text.get(at) >= Some(&0xE3) => Some(Cue::Label),
        Cue::Label if spaced => Some(Cue::Spaced),
        Cue::Role if spaced => Some(Cue::Short),
        Cue::Name if !gap.dot && !gap.comma => name(text, low, start, end, gap.colon),
        Cue::Signature if gap.line && !gap.colon && (gap.comma || !common(word)) => Some(Cue::Signature),
        _ => None,
    }
}

/// Whether a word is itself one that names are written after.
pub(super) fn is_cue(text: &[u8], token: &Token) -> bool {
    let mut lower = [0; MAX_WORD_BYTES];
    lowered(text, token.start, token.end, &mut lower)
        .and_then(cues::of)
        .is_some()
}

/// Whether a notice names whoever follows: `Copyright (c) 2024 …`.
pub(super) fn in_notice(text: &[u8], at: usize) -> bool {
    let near = text.get(at.saturating_sub(NEAR_BYTES)..at).unwrap_or_default();
    near.windows(3).any(|three| three.eq_ignore_ascii_case(b"(c)"))
        || near.windows(2).any(|two| two == "©".as_bytes())
        || near
            .windows(9)
            .any(|nine| nine.eq_ignore_ascii_case(b"copyright"))
}

/// Whether a number stands before `at`, as before the name of a street: `557 Bowman Brook`.
pub(super) fn in_street(text: &[u8], at: usize) -> bool {
    matches!(text.get(..at), Some([.., b'0'..=b'9', b' ']))
}

/// What stands before `at` up to a word, and where that word ends.
fn gap(text: &[u8], low: usize, at: usize) -> Option<(Gap, usize)> {
    let mut gap = Gap::default();
    let mut end = at;
    while end > low {
        match text.get(end - 1)? {
            b' ' => {}
            b':' if text.get(..end - 1)?.ends_with(b":") => return None,
            b':' | b'=' | b'\t' | b'|' => gap.colon = true,
            b'\n' | b'\r' => gap.line = true,
            b',' | b'!' => gap.comma = true,
            b'.' => gap.dot = true,
            b'"' | b'\'' | b'*' | b'(' | b'`' | b'_' => {}
            b'>' => {
                let tag = text.get(end.saturating_sub(MAX_TAG_BYTES).max(low)..end)?;
                end -= tag.len() - tag.iter().rposition(|b| *b == b'<')? - 1;
                gap.colon = true;
            }
            // A full-width colon.
            0x9A if text.get(..end)?.ends_with("：".as_bytes()) => {
                gap.colon = true;
                end -= 2;
            }
            0xA0 if text.get(..end)?.ends_with(b"\xC2\xA0") => end -= 1,
            byte if byte.is_ascii_alphabetic() || *byte >= 0x80 => return Some((gap, end)),
            _ => return None,
        }
        end -= 1;
    }
    None
}

/// Where the word that ends at `end` starts: letters, and apostrophes and hyphens between them.
fn word_start(text: &[u8], low: usize, end: usize) -> Option<usize> {
    let mut start = end;
    loop {
        if start <= low || end - start > MAX_WORD_BYTES {
            return (start == 0).then_some(0);
        }
        if let Some(character) = letter_before(text, start) {
            start -= character.len_utf8();
        } else if matches!(text.get(start - 1), Some(b'\'' | b'-'))
            && letter_before(text, start - 1).is_some()
        {
            start -= 1;
        } else {
            return (start < end).then_some(start);
        }
    }
}

/// The text in small letters.
fn lowered<'a>(text: &[u8], start: usize, end: usize, out: &'a mut [u8; MAX_WORD_BYTES]) -> Option<&'a [u8]> {
    let word = std::str::from_utf8(text.get(start..end)?).ok()?;
    let mut length = 0;
    for small in word.chars().flat_map(char::to_lowercase) {
        let room = out.get_mut(length..length + small.len_utf8())?;
        length += small.encode_utf8(room).len();
    }
    out.get(..length)
}

/// The last of the words that capitals tell apart: `patientName`.
fn hump(text: &[u8], start: usize, end: usize) -> Option<Cue> {
    let last = last_hump(text, start, end)?;
    let mut lower = [0; MAX_WORD_BYTES];
    cues::of(lowered(text, last, end, &mut lower)?).filter(|cue| matches!(cue, Cue::Label | Cue::Name))
}

fn last_hump(text: &[u8], start: usize, end: usize) -> Option<usize> {
    (start + 1..end).rev().find(|at| {
        text.get(*at).is_some_and(u8::is_ascii_uppercase)
            && text.get(at - 1).is_some_and(u8::is_ascii_lowercase)
    })
}

/// Whose name: a person's by the word before, anything's with another one, or nobody says.
fn name(text: &[u8], low: usize, start: usize, end: usize, colon: bool) -> Option<Cue> {
    let (from, to) = match last_hump(text, start, end) {
        Some(last) => (start, last),
        None => {
            let joined = matches!(text.get(start.wrapping_sub(1)), Some(b' ' | b'_' | b'-'));
            let to = if joined { start - 1 } else { start };
            (word_start(text, low, to).unwrap_or(to), to)
        }
    };
    let mut lower = [0; MAX_WORD_BYTES];
    match lowered(text, from, to, &mut lower)? {
        [] if colon => Some(Cue::Name),
        word if cues::is_person(word) && colon => Some(Cue::Label),
        word if cues::is_person(word) => Some(Cue::Hint),
        _ => None,
    }
}

/// Words above a signature that are also common ones.
fn common(word: &[u8]) -> bool {
    matches!(
        word,
        b"thanks" | b"best" | b"wishes" | b"yours" | b"cheers" | b"truly" | b"stima"
    )
}

/// Words between what is called after somebody and the name: `Calle de`.
fn particle(word: &[u8]) -> bool {
    matches!(word, b"de" | b"da" | b"do" | b"del" | b"della")
}

/// The word before the one that starts at `start`, with a space between.
fn word_before<'a>(
    text: &[u8],
    low: usize,
    start: usize,
    lower: &'a mut [u8; MAX_WORD_BYTES],
) -> Option<&'a [u8]> {
    let end = start.checked_sub(1).filter(|end| text.get(*end) == Some(&b' '))?;
    lowered(text, word_start(text, low, end)?, end, lower)
}

fn called_after(text: &[u8], low: usize, start: usize) -> Cue {
    let mut lower = [0; MAX_WORD_BYTES];
    match word_before(text, low, start, &mut lower).and_then(cues::of) {
        Some(Cue::Namesake) => Cue::Namesake,
        _ => Cue::Hint,
    }
}

/// What a common word says with those before it: `my name is`, `mein Name ist`, `mi nombre es`.
fn hint(text: &[u8], low: usize, start: usize, word: &[u8]) -> Cue {
    let verbs: [&[u8]; 6] = [b"is", b"ist", b"es", b"e", b"jest", b"on"];
    let (mut name, mut whose) = ([0; MAX_WORD_BYTES], [0; MAX_WORD_BYTES]);
    let named = verbs.contains(&word)
        && word_before(text, low, start, &mut name).is_some_and(|name| {
            let before = start - 1 - name.len();
            match cues::of(name) {
                Some(Cue::Label) => true,
                Some(Cue::Name) => word_before(text, low, before, &mut whose).is_some_and(cues::is_person),
                _ => false,
            }
        });
    if named { Cue::Introduction } else { Cue::Hint }
}
