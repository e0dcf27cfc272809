//! Dates of birth: a date after a word that says that somebody was born.
//!
//! A date is written in numbers (`1985-03-12`, `12.3.1985`, `03/12/85`, `19850312`, `1985年3月12日`) or with the name of the
//! month (`12 March 1985`, `March 12, 1985`, `12 de marzo de 1985`). The nearest word that says what date it is decides.
//! Words are listed as the fold leaves them, without the marks of Latin letters.

mod months;

use std::cell::Cell;

use super::Described;
use super::context::{Words, nearest};
use super::cursor::Cursor;
use super::groups::{Group, Joint, Run, number};
use super::numbers::{Reader, Reading};
use crate::Finding;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.birth_date",
    placeholder: "[REDACTED:birth_date]",
};

#[rustfmt::skip]
const BORN: Words = &[
    "born", "birth", "births", "birthday*", "birthdate*", "dob", "bday", "geboren", "geborene*", "geb", "geburts*", "nee", "naissance",
    "nacimiento", "nacido", "nacida", "nacio", "nacimento", "nascita", "nato", "nata", "nascimento", "nascido", "nascida", "nasceu", "geboorte*",
    "fodt", "fodsels*", "fodd", "fodelse*", "syntynyt", "syntyma*", "urodz*", "narozen*", "szuletett", "nascut*", "naster*", "dogum*", "dogdu", "γεννη*", "γέννη*",
    "roden*", "rojen*", "rojst*", "narodeni*", "narodil*", "szuletes*", "szul*", "gimimo", "dzims*", "dzimu*", "sunni*", "sundi*", "lahir", "sinh",
    "рожд*", "родился", "родилась", "родена", "роден", "раждане", "народж*", "народив*", "народил*", "जन्म*", "ميلاد", "الميلاد", "تولد", "לידה", "เกิด*", "生年月日", "生日", "出生", "誕生", "생년월일", "생일", "출생",
];
#[rustfmt::skip]
const OTHER: Words = &[
    "died", "death", "expir*", "valid", "issued", "hired", "joined", "created", "updated", "modified", "released", "version", "due", "invoice", "order",
    "gestorben", "gultig", "decede*", "mort", "caduc*", "vence", "fallec*", "scadenza", "morto",
];

/// Finds birth dates.
#[derive(Debug)]
pub(super) struct BirthDates;

impl Reader for BirthDates {
    fn lead(&self, text: &[u8], at: usize) -> usize {
        months::lead(text, at)
    }

    fn read(&self, text: &[u8], at: usize, run: &Run, ahead: Ahead) -> Reading {
        let Some(first) = run.groups().first() else {
            return Reading::Not;
        };
        if at > 0 && text.get(at - 1).is_some_and(u8::is_ascii_alphanumeric) {
            return Reading::Not;
        }
        // The rest of a longer row: `1985-03-12-07`.
        if let Some([digit, b'-' | b'.' | b'/']) = at.checked_sub(2).and_then(|low| text.get(low..at))
            && digit.is_ascii_digit()
        {
            return Reading::Not;
        }
        let named = months::before(text, at);
        let start = named.map_or(at, |(start, _)| start);
        let date = match numeric(run).filter(|_| named.is_none()) {
            Some(end) => Some(end),
            None if first.len <= 4 => {
                let ended = Cell::new(false);
                let mut cursor = Cursor::new(text, first.end(), &ended);
                let end = written(&mut cursor, run, first, named);
                if ended.get() && ahead == Ahead::Wait && is_born(text, start) {
                    return Reading::Undecided;
                }
                end
            }
            None => None,
        };
        let Some(end) = date else {
            return Reading::Not;
        };
        if !is_born(text, start) {
            return Reading::Not;
        }
        match text.get(end) {
            None if ahead == Ahead::Wait => return Reading::Undecided,
            // A time may follow: `1985-03-12T00:00:00Z`.
            Some(b'T') => {}
            Some(after) if after.is_ascii_alphanumeric() => return Reading::Not,
            _ => {}
        }
        Reading::Found(Finding {
            detector: DESCRIBED.name,
            start,
            end,
            confidence_percent: 85,
            explanation: "date after a word for birth",
            continued: false,
        })
    }
}

/// Whether the words before say that somebody was born.
fn is_born(text: &[u8], start: usize) -> bool {
    // `né le`; without its accent the word is also that for "not", which no date follows.
    let before = text.get(start.saturating_sub(7)..start).unwrap_or_default();
    let (_, near) = before.split_at(before.len().saturating_sub(6));
    let begins = before.len() < 7
        || before
            .first()
            .is_some_and(|b| !b.is_ascii_alphanumeric() && *b < 0x80);
    (begins && near.eq_ignore_ascii_case(b"ne le ")) || nearest(text, start, &[BORN, OTHER]) == Some(0)
}

/// Years somebody alive, or of the last generations, was born in.
fn year(group: &Group, value: u32) -> bool {
    group.len == 4 && (1900..=2030).contains(&value)
}

fn day(group: &Group, value: u32) -> bool {
    group.len <= 2 && (1..=31).contains(&value)
}

/// The end of a date in numbers that the run begins with.
fn numeric(run: &Run) -> Option<usize> {
    let groups = run.groups();
    if let [date, ..] = groups
        && date.len == 8
        && !run.cut
    {
        let digits = run.of(date);
        let [y, m, d] = [
            number(digits.get(..4)?),
            number(digits.get(4..6)?),
            number(digits.get(6..)?),
        ];
        return ((1900..=2030).contains(&y) && (1..=12).contains(&m) && (1..=31).contains(&d))
            .then_some(date.end());
    }
    let [a, b, c, ..] = groups else {
        return None;
    };
    let joined = a.joint == b.joint && matches!(a.joint, Joint::One(b'.' | b'-' | b'/' | b' ') | Joint::Wide);
    let [x, y, z] = [run.value(a)?, run.value(b)?, run.value(c)?];
    let whole = !(run.cut && groups.len() == 3) && c.joint != a.joint;
    let short = c.len == 2 && day(a, x) && day(b, y) && a.joint != Joint::One(b' ');
    let order = (year(a, x) && day(b, y) && day(c, z)) || (day(a, x) && day(b, y) && (year(c, z) || short));
    // One of the two is a month.
    let month = y <= 12 || (x <= 12 && a.len <= 2);
    (joined && whole && order && month).then_some(c.end())
}

fn years(cursor: &mut Cursor<'_>) -> Option<usize> {
    let (count, value) = cursor.digits(5);
    (count == 4 && (1900..=2030).contains(&value)).then_some(cursor.at)
}

/// The end of a date with the name of its month, or with `年`.
fn written(
    cursor: &mut Cursor<'_>,
    run: &Run,
    first: &Group,
    named: Option<(usize, usize)>,
) -> Option<usize> {
    let value = run.value(first)?;
    if year(first, value) {
        let mark = |cursor: &mut Cursor<'_>, marks: &[&str]| marks.iter().any(|m| cursor.pass(m.as_bytes()));
        if !mark(cursor, &["年", "년 ", "년"]) {
            return None;
        }
        cursor.digits(5);
        if !mark(cursor, &["月", "월 ", "월"]) {
            return None;
        }
        cursor.digits(5);
        return mark(cursor, &["日", "일"]).then_some(cursor.at);
    }
    if !day(first, value) {
        return None;
    }
    cursor.any(&[b"st", b"nd", b"rd", b"th", b"er", "o".as_bytes()]);
    if named.is_some() {
        // `March 12, 1985`
        return if cursor.any(&[b", ", b" ", b","]) {
            years(cursor)
        } else {
            None
        };
    }
    if !cursor.any(&[b". ", b" de ", b" of ", b" ", b"-", b".", b"/"]) {
        return None;
    }
    let begin = cursor.at;
    while cursor.at < begin + months::MAX_BYTES
        && cursor
            .peek()
            .is_some_and(|b| b.is_ascii_alphabetic() || b >= 0x80)
    {
        cursor.at += 1;
    }
    let month = cursor.text.get(begin..cursor.at)?;
    if !months::is_month(month) {
        return None;
    }
    if !cursor.any(&[b". ", b", ", b" de ", b" del ", b" ", b"-", b".", b"/"]) {
        return None;
    }
    years(cursor)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_those_of_folded_text() {
        crate::detectors::context::assert_folded(&[super::BORN, super::OTHER]);
    }
}
