//! The machine-readable zone of a passport: two lines of 44 signs (ICAO 9303, part 4, section 4.2.2), together or the
//! second by itself, with the check digits of the number, the birth date, the date of expiry and of all of them.

use super::checks::icao;
use super::edges::{self, Edge};
use crate::Finding;
use crate::detectors::Engine;
use crate::finding::Ahead;

const LINE_SIGNS: usize = 44;

/// Finds passports by their machine-readable zones.
#[derive(Debug)]
pub(in crate::detectors) struct MachineReadable {
    pub(super) detector: &'static str,
}

fn sign(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<'
}

/// Where the signs that end at `at` begin; `None` when they are more than a line.
fn line_start(text: &[u8], at: usize) -> Option<usize> {
    let near = text
        .get(at.saturating_sub(LINE_SIGNS + 1)..at)
        .unwrap_or_default();
    let signs = near.iter().rev().take_while(|b| sign(**b)).count();
    (signs <= LINE_SIGNS).then_some(at - signs)
}

fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| sign(**b)).count()
}

/// Names, after the kind of document and the issuing state.
fn is_first(line: &[u8]) -> bool {
    line.len() == LINE_SIGNS
        && line.starts_with(b"P")
        && !line.iter().any(u8::is_ascii_digit)
        && line
            .get(2..5)
            .is_some_and(|state| state.first().is_some_and(u8::is_ascii_uppercase))
        && line
            .get(5..)
            .is_some_and(|names| names.windows(2).any(|pair| pair == b"<<"))
}

fn is_second(line: &[u8]) -> bool {
    let checks = |from: usize, to: usize| {
        let digit = line.get(to).and_then(|b| char::from(*b).to_digit(10));
        line.get(from..to).is_some_and(|body| Some(icao(body)) == digit)
    };
    let Some(parts) = line.get(..10).zip(line.get(13..20)).zip(line.get(21..43)) else {
        return false;
    };
    let ((number, birth), rest) = parts;
    let all = [number, birth, rest].concat();
    line.len() == LINE_SIGNS
        && checks(0, 9)
        && checks(13, 19)
        && checks(21, 27)
        && line
            .get(13..19)
            .is_some_and(|date| date.iter().all(u8::is_ascii_digit))
        && line.last().and_then(|b| char::from(*b).to_digit(10)) == Some(icao(&all))
}

/// The bytes of the line end at `at`, also of one written as an escape; `None` when there is none.
fn line_break(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\\', b'n', ..] => Some(2),
        [b'\n' | b' ', ..] => Some(1),
        _ => None,
    }
}

impl MachineReadable {
    fn finding(
        &self,
        start: usize,
        end: usize,
        confidence_percent: u8,
        explanation: &'static str,
    ) -> Finding {
        Finding {
            detector: self.detector,
            start,
            end,
            confidence_percent,
            explanation,
            continued: false,
        }
    }

    /// What begins with the line `start..end`; `None` when more of the text has to be seen.
    fn read(&self, text: &[u8], start: usize, end: usize, ahead: Ahead) -> Option<Option<Finding>> {
        let line = text.get(start..end).unwrap_or_default();
        if line.len() != LINE_SIGNS || edges::left(text, start) == Edge::Joined {
            return Some(None);
        }
        if is_second(line) {
            let seen = "check digits of a machine-readable line";
            return Some(Some(self.finding(start, end, 98, seen)));
        }
        if !is_first(line) {
            return Some(None);
        }
        let waits = ahead == Ahead::Wait;
        // A carriage return or a backslash may be half a line end.
        if waits && text.len() < end + 2 {
            return None;
        }
        if let Some(gap) = line_break(text, end) {
            let second = end + gap;
            let last = line_end(text, second).min(second + LINE_SIGNS + 1);
            if waits && last == text.len() && last <= second + LINE_SIGNS {
                return None;
            }
            if text.get(second..last).is_some_and(is_second) {
                let seen = "both lines of a machine-readable zone and their check digits";
                return Some(Some(self.finding(start, last, 99, seen)));
            }
        }
        let seen = "first line of a machine-readable zone";
        Some(Some(self.finding(start, end, 80, seen)))
    }
}

impl Engine for MachineReadable {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(n) = text.get(at..).and_then(|rest| memchr::memchr(b'<', rest)) {
            let filler = at + n;
            let end = line_end(text, filler);
            at = end;
            let Some(start) = line_start(text, filler).filter(|start| *start >= from) else {
                continue;
            };
            if ahead == Ahead::Wait && end == text.len() && end - start <= LINE_SIGNS {
                return start;
            }
            match self.read(text, start, end, ahead) {
                None => return start,
                Some(None) => {}
                Some(Some(finding)) => {
                    at = finding.end;
                    out.push(finding);
                }
            }
        }
        match line_start(text, text.len()).filter(|_| ahead == Ahead::Wait) {
            Some(start) if edges::left(text, start) != Edge::Joined => start.max(at),
            _ => text.len(),
        }
    }
}
