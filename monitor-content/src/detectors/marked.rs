//! Keys whose issuer's mark stands in their middle: a digit and `Q~` in Microsoft Entra's client secrets, `:AA` in Telegram's
//! bot tokens, `-us12` after Mailchimp's 32 characters.
//!
//! A key starts a known number of bytes before its mark. What may be the beginning of one is held: three characters of a
//! word, a number, or a word of hexadecimal digits.

use super::Engine;
use super::trigger::Triggers;
use crate::Finding;
use crate::bytes::ByteSet;
use crate::finding::Ahead;

const AZURE: &str = "secret.azure";
const TELEGRAM: &str = "secret.telegram";
const MAILCHIMP: &str = "secret.mailchimp";

const CLIENT_SECRET: ByteSet = ByteSet::alphanumeric_and(b"_~.-");
const TOKEN: ByteSet = ByteSet::alphanumeric_and(b"_-");
const DIGITS: ByteSet = ByteSet::of(b"0123456789");
const HEX: ByteSet = ByteSet::of(b"0123456789abcdef");
const WORD: ByteSet = ByteSet::alphanumeric_and(b"");

/// Characters of a client secret before its digit, and after the mark.
const BEFORE_DIGIT: usize = 3;
const AFTER_MARK: std::ops::RangeInclusive<usize> = 31..=34;
const BOT_DIGITS: std::ops::RangeInclusive<usize> = 8..=10;
const BOT_TOKEN_BYTES: usize = 35;
const MAILCHIMP_BYTES: usize = 32;

/// Finds them.
#[derive(Debug)]
pub(super) struct MarkedKeys {
    triggers: Triggers,
    selected: Vec<&'static str>,
}

/// What stands at a mark.
enum Reading {
    Not,
    Undecided(usize),
    Key(&'static str, usize, usize),
}

impl MarkedKeys {
    /// `None` when no detector of this kind is selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        let selected: Vec<_> = [AZURE, TELEGRAM, MAILCHIMP]
            .into_iter()
            .filter(|name| selected.contains(name))
            .collect();
        let marks = (b'0'..=b'9').flat_map(|digit| [vec![digit, b'Q', b'~'], vec![b'-', b'u', b's', digit]]);
        let marks: Vec<_> = marks.chain([b":AA".to_vec()]).collect();
        (!selected.is_empty()).then(|| Self {
            triggers: Triggers::new(marks.iter().map(Vec::as_slice), false),
            selected,
        })
    }
}

impl Engine for MarkedKeys {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(mark) = self.triggers.find(text, at) {
            at = mark + 1;
            match read(text, mark, ahead) {
                Reading::Key(detector, start, end) if start >= from && self.selected.contains(&detector) => {
                    out.push(Finding {
                        detector,
                        start,
                        end,
                        confidence_percent: 92,
                        explanation: "the issuer's mark and what stands round it",
                        continued: false,
                    });
                }
                Reading::Undecided(start) if start >= from => return start,
                _ => {}
            }
        }
        if ahead == Ahead::Wait {
            tail(text).max(from)
        } else {
            text.len()
        }
    }
}

/// The start of the run of members that ends at `end`, at most `limit` bytes long; `None` when it is longer.
fn run_before(class: &ByteSet, text: &[u8], end: usize, limit: usize) -> Option<usize> {
    let run = text.get(..end)?;
    let length = run
        .iter()
        .rev()
        .take(limit + 1)
        .take_while(|b| class.has(**b))
        .count();
    (length <= limit).then(|| end - length)
}

fn read(text: &[u8], mark: usize, ahead: Ahead) -> Reading {
    match text.get(mark) {
        Some(b':') => bot_token(text, mark, ahead),
        Some(b'-') => mailchimp(text, mark, ahead),
        _ => client_secret(text, mark, ahead),
    }
}

fn bot_token(text: &[u8], colon: usize, ahead: Ahead) -> Reading {
    if text.get(colon..colon + 3) != Some(b":AA") {
        return Reading::Not;
    }
    let Some(start) = run_before(&DIGITS, text, colon, *BOT_DIGITS.end()) else {
        return Reading::Not;
    };
    let end = TOKEN.run(text, colon + 1, colon + 2 + BOT_TOKEN_BYTES);
    if !BOT_DIGITS.contains(&(colon - start)) {
        return Reading::Not;
    }
    if end == text.len() && end <= colon + 1 + BOT_TOKEN_BYTES && ahead == Ahead::Wait {
        return Reading::Undecided(start);
    }
    if end - colon - 1 == BOT_TOKEN_BYTES && random(text.get(colon + 3..end)) {
        return Reading::Key(TELEGRAM, start, end);
    }
    Reading::Not
}

fn client_secret(text: &[u8], digit: usize, ahead: Ahead) -> Reading {
    let Some(start) = run_before(&CLIENT_SECRET, text, digit, BEFORE_DIGIT) else {
        return Reading::Not;
    };
    if digit - start != BEFORE_DIGIT || text.get(digit + 1..digit + 3) != Some(b"Q~") {
        return Reading::Not;
    }
    let body = digit + 3;
    let limit = body + *AFTER_MARK.end() + 1;
    let end = CLIENT_SECRET.run(text, body, limit);
    if end == text.len() && end < limit && ahead == Ahead::Wait {
        return Reading::Undecided(start);
    }
    // A full stop after it is the sentence's.
    let end = if text.get(end - 1) == Some(&b'.') {
        end - 1
    } else {
        end
    };
    if AFTER_MARK.contains(&(end - body)) && random(text.get(body..end)) {
        return Reading::Key(AZURE, start, end);
    }
    Reading::Not
}

fn mailchimp(text: &[u8], dash: usize, ahead: Ahead) -> Reading {
    let Some(start) = run_before(&WORD, text, dash, MAILCHIMP_BYTES) else {
        return Reading::Not;
    };
    let name = text.get(start..dash).unwrap_or_default();
    if name.len() != MAILCHIMP_BYTES
        || !name.iter().all(|b| HEX.has(*b))
        || text.get(dash..dash + 3) != Some(b"-us")
    {
        return Reading::Not;
    }
    let end = WORD.run(text, dash + 3, dash + 6);
    if end == text.len() && end < dash + 6 && ahead == Ahead::Wait {
        return Reading::Undecided(start);
    }
    let number = text.get(dash + 3..end).unwrap_or_default();
    if (1..=2).contains(&number.len()) && number.iter().all(u8::is_ascii_digit) && random(Some(name)) {
        return Reading::Key(MAILCHIMP, start, end);
    }
    Reading::Not
}

/// Not a row of the same few characters.
fn random(body: Option<&[u8]>) -> bool {
    const MIN_DISTINCT: u32 = 10;
    let seen = body
        .unwrap_or_default()
        .iter()
        .fold(0_u128, |seen, byte| seen | 1 << (byte & 127));
    seen.count_ones() >= MIN_DISTINCT
}

/// Where the end of the text may be the beginning of a key.
fn tail(text: &[u8]) -> usize {
    let end = text.len();
    let begins = |mark: &[u8]| (1..=mark.len()).rev().find(|n| text.ends_with(&mark[..*n]));
    let mut held = end;
    // A client secret: its first three characters, a digit, `Q`.
    let ends: &[usize] = match text {
        [.., digit, b'Q', b'~'] if digit.is_ascii_digit() => &[3, 0],
        [.., digit, b'Q'] if digit.is_ascii_digit() => &[2, 0],
        [.., digit] if digit.is_ascii_digit() => &[1, 0],
        _ => &[0],
    };
    for back in ends {
        if let Some(start) = run_before(&CLIENT_SECRET, text, end - back, BEFORE_DIGIT)
            && (*back == 0 || end - back - start == BEFORE_DIGIT)
        {
            held = held.min(start);
        }
    }
    // A bot's number, `:` and `A`.
    let mark = begins(b":AA").unwrap_or(0);
    if let Some(start) = run_before(&DIGITS, text, end - mark, *BOT_DIGITS.end())
        && (mark == 0 || BOT_DIGITS.contains(&(end - mark - start)))
    {
        held = held.min(start);
    }
    // Mailchimp's characters, `-us`.
    let mark = begins(b"-us").unwrap_or(0);
    if let Some(start) = run_before(&WORD, text, end - mark, MAILCHIMP_BYTES)
        && text
            .get(start..end - mark)
            .is_some_and(|run| run.iter().all(|b| HEX.has(*b)))
        && (mark == 0 || end - mark - start == MAILCHIMP_BYTES)
    {
        held = held.min(start);
    }
    held
}
