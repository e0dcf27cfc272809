//! Phone numbers: international ones by calling code and length, national ones by the way they are written.
//!
//! 1. A `+` or `00` with a calling code and as many digits as its country has is a number.
//! 2. Groups as they are written in the large countries ([`shapes`]) are one, when nothing shows another kind of number.
//! 3. Any other 7 to 15 digits are one after a word that says so.
//!
//! A number must stand alone: not in a word, a longer row of numbers, a decimal, a date, a path or an amount. The nearest
//! word before it that says what it is must not say something else (`order`, `version`, `isbn`).

mod countries;
mod extension;
mod shapes;
mod words;

use super::Described;
use super::context::nearest;
use super::groups::{Group, Joint, Run};
use super::numbers::{Reader, Reading};
use crate::Finding;
use crate::bytes::ends_escape;
use crate::finding::Ahead;
use shapes::{Number, dates};

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.phone",
    placeholder: "[REDACTED:phone]",
};

/// ITU-T E.164: at most 15 digits. Shorter ones than seven are too much like anything else.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Bytes after a number that [`right`] may look at.
const AFTER_BYTES: usize = 3;

/// Finds phone numbers.
#[derive(Debug)]
pub(super) struct Phones;

impl Reader for Phones {
    fn lead(&self, text: &[u8], at: usize) -> usize {
        match text.get(..at).unwrap_or_default() {
            [.., b'(', b'+'] | [.., b'+', b'('] => at - 2,
            [.., b'+' | b'('] => at - 1,
            _ => at,
        }
    }

    fn read(&self, text: &[u8], at: usize, run: &Run, ahead: Ahead) -> Reading {
        if run.digits().len() < *DIGITS.start() {
            return Reading::Not;
        }
        let mut start = self.lead(text, at);
        // Brackets round more than the first group are not the number's own.
        if text.get(start..at).is_some_and(|lead| lead.contains(&b'(')) && !bracketed(run) {
            start = if text.get(at - 1) == Some(&b'+') {
                at - 1
            } else {
                at
            };
        }
        let lead = text.get(start..at).unwrap_or_default();
        if !left(text, start, lead) {
            return Reading::Not;
        }
        let groups = run.groups();
        let whole = if run.cut { groups.len() - 1 } else { groups.len() };
        // The longest row of groups that makes a number; a shorter one only where the row may break.
        for count in (1..=whole).rev() {
            let Some(taken) = groups.get(..count) else {
                continue;
            };
            let broken = count < groups.len();
            if groups.get(count).is_some_and(|next| !breaks(taken, next)) {
                continue;
            }
            if let Some(found) = self.judge(text, start, lead, run, taken, broken, ahead) {
                return found;
            }
        }
        Reading::Not
    }
}

impl Phones {
    /// `None` when these groups make no number.
    #[expect(clippy::too_many_arguments, reason = "one candidate, seen from all sides")]
    fn judge(
        &self,
        text: &[u8],
        start: usize,
        lead: &[u8],
        run: &Run,
        groups: &[Group],
        broken: bool,
        ahead: Ahead,
    ) -> Option<Reading> {
        let end = groups.last()?.end();
        let number = Number::of(run, groups, lead)?;
        if !DIGITS.contains(&number.digits().len()) || dates(run, groups) {
            return None;
        }
        let evidence = shapes::evidence(&number);
        let international = lead.contains(&b'+');
        if international && evidence.is_none() && number.groups() > 1 && !number.plausible() {
            return None;
        }
        // The rest of a row of numbers: only what has a shape of its own stands in one.
        if broken && evidence.is_none() {
            return None;
        }
        let end = match extension::read(text, end) {
            extension::Extension::None => end,
            extension::Extension::End(end) => end,
            extension::Extension::Partial(_) if ahead == Ahead::Wait => return Some(Reading::Undecided),
            extension::Extension::Partial(end) => end,
        };
        if ahead == Ahead::Wait && end + AFTER_BYTES > text.len() {
            return Some(Reading::Undecided);
        }
        if !right(text, end, international) {
            return None;
        }
        let context = nearest(text, start, &[words::PHONE, words::OTHER]);
        let confidence_percent = match (evidence, context) {
            (Some(alone), Some(0)) => alone.max(80) + 5,
            (Some(alone), None) if alone >= 50 => alone,
            // A plus sign and a valid length are more than a word nearby.
            (Some(alone), Some(_)) if international => alone,
            (None, Some(0)) if number.plausible() => 75,
            _ => return None,
        };
        Some(Reading::Found(Finding {
            detector: DESCRIBED.name,
            start,
            end,
            confidence_percent: confidence_percent.min(95),
            explanation: match (evidence, context) {
                (None, _) => "digits after a word for a phone",
                (Some(_), Some(0)) => "written as a phone number, after a word for one",
                (Some(_), _) if international => "calling code and length of a country",
                (Some(_), _) => "written as a phone number of a country",
            },
            continued: false,
        }))
    }
}

/// Whether the bracket before the run closes after its first group.
fn bracketed(run: &Run) -> bool {
    run.groups()
        .first()
        .is_some_and(|group| group.joint == Joint::Close)
}

/// Whether a row of groups may break after `taken`: at a space, where they are not joined by spaces themselves, or at
/// something wider.
fn breaks(taken: &[Group], next: &Group) -> bool {
    let Some((last, inner)) = taken.split_last() else {
        return false;
    };
    match last.joint {
        Joint::Wide | Joint::Open | Joint::Close | Joint::End => true,
        Joint::One(b' ') => {
            !inner.iter().any(|g| g.joint == Joint::One(b' ')) || (inner.len() >= 2 && next.len != last.len)
        }
        Joint::One(b'/') => inner.iter().all(|g| g.joint != Joint::One(b'/')) && inner.len() >= 2,
        _ => false,
    }
}

fn left(text: &[u8], start: usize, lead: &[u8]) -> bool {
    let before = text.get(..start).unwrap_or_default();
    if ends_escape(text, start) {
        return true;
    }
    if lead.contains(&b'+') {
        return match before {
            [.., b'+' | b'_' | b'^' | b')' | b']'] => false,
            [.., byte] => !byte.is_ascii_alphanumeric(),
            [] => true,
        };
    }
    match before {
        // In a row of numbers, a sum, or an amount.
        [.., digit, b' ' | b',' | b':' | b'.' | b'*' | b'\''] if digit.is_ascii_digit() => {
            lead == b"(" && before.ends_with(b" ")
        }
        [
            ..,
            b'.' | b'_' | b'/' | b'-' | b'+' | b'*' | b'#' | b'$' | b'%' | b'@' | b'&' | b'^' | b'~' | b'?'
            | b'\\' | b')' | b']' | b'<',
        ] => false,
        [.., byte] => !byte.is_ascii_alphanumeric(),
        [] => true,
    }
}

fn right(text: &[u8], end: usize, international: bool) -> bool {
    match text.get(end..).unwrap_or_default() {
        // A decimal, a time, an amount; a longer name or path.
        [b'.' | b',' | b':' | b'\'', after, ..] if after.is_ascii_digit() => international,
        [b'-' | b'/' | b':', after, ..] if after.is_ascii_alphanumeric() => international,
        [b'%' | b'_' | b'*' | b'+' | b'^' | b'=' | b'$' | b'(' | b'[', ..] => false,
        [0xC2, 0xB0, ..] | [0xE2, 0x82, 0xAC, ..] => false,
        [after, ..] => !after.is_ascii_alphanumeric(),
        [] => true,
    }
}
