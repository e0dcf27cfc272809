//! National identity, tax, insurance and health numbers, and passports: the shape, check digits and ranges their
//! issuers define, and the words people write next to them.
//!
//! 1. The text is passed over eight bytes at a time for digits; nothing without a digit is an id.
//! 2. From the first digit of a run, and from the letters joined to it or one space before it, the table gives the
//!    [`Shape`]s that begin with so many letters and so many digits.
//! 3. A shape that fits, stands alone and passes its issuer's check is a candidate. It is a finding if the shape is
//!    distinctive enough by itself, or if a word of its rule stands near: a bare row of nine digits with one check
//!    digit is an id one time in ten, with `BSN:` before it nearly always.
//!
//! Of several candidates at one place the one whose word is nearest wins, then the longest, then the most certain.

mod africa;
mod checks;
mod context;
mod dates;
mod east_asia;
mod east_europe;
mod edges;
mod france_benelux;
mod german;
mod islands;
mod latin_america;
mod machine_readable;
mod nordic;
mod north_america;
mod oceania;
mod passport;
mod rules;
mod shape;
mod south_asia;
mod south_europe;
mod west_asia;

use smallvec::SmallVec;

use super::{Described, Engine};
use crate::Finding;
use crate::finding::Ahead;
use context::{Nearby, Words};
use edges::Edge;
use machine_readable::MachineReadable;
use rules::Rule;
use shape::{Beginning, Entry, Fit, MAX_DIGITS, MAX_LETTERS, Number, Shapes, Written};

/// The engine that finds machine-readable zones, where passports are sought.
pub(super) fn machine_readable(selected: &[&'static str]) -> Option<MachineReadable> {
    let detector = passport::RULES.first()?.described.name;
    selected
        .contains(&detector)
        .then_some(MachineReadable { detector })
}

/// Every detector of this engine, each once.
pub(super) fn described() -> impl Iterator<Item = Described> {
    rules::all().map(|rule| rule.described)
}

/// Finds the ids of the selected rules.
#[derive(Debug)]
pub(super) struct NationalIds {
    shapes: Shapes,
}

/// A shape that fits.
struct Candidate<'a> {
    written: &'a Written,
    end: usize,
    /// Nothing but a word near it may make it a finding.
    doubtful: bool,
}

/// What a candidate is by one rule.
struct Reading {
    entry: Entry,
    end: usize,
    percent: u8,
    /// How near its word is: the larger the nearer.
    near: Option<usize>,
}

/// What was read at one place.
enum Outcome {
    Undecided,
    Not,
    Found(Finding),
}
impl NationalIds {
    /// Compiles the rules whose detectors are selected; `None` when none is.
    pub(super) fn compile(selected: &[&'static str]) -> Option<Self> {
        let selected: Vec<_> = rules::all()
            .enumerate()
            .filter(|(_, rule)| selected.contains(&rule.described.name))
            .collect();
        (!selected.is_empty()).then(|| Self {
            shapes: Shapes::compile(&selected),
        })
    }

    /// Reads the id that begins at `start`, if there is one.
    fn read(
        &self,
        text: &[u8],
        start: usize,
        beginning: Beginning,
        ahead: Ahead,
        words: &mut Words,
    ) -> Outcome {
        let mut fitting = self.shapes.beginning_with(beginning).peekable();
        if fitting.peek().is_none() {
            return Outcome::Not;
        }
        let left = edges::left(text, start);
        if left == Edge::Joined {
            return Outcome::Not;
        }
        let mut candidates: SmallVec<[Candidate<'_>; 8]> = SmallVec::new();
        for written in fitting {
            let end = match written.fit(text, start) {
                Fit::Not => continue,
                Fit::Partly if ahead == Ahead::Wait => return Outcome::Undecided,
                Fit::Partly => continue,
                Fit::Whole { end } => end,
            };
            let Some(right) = edges::right(text, end, ahead) else {
                return Outcome::Undecided;
            };
            let edge = left.max(right);
            if edge != Edge::Joined {
                let doubtful = edge == Edge::Doubtful || (edge == Edge::InRow && written.spaced);
                candidates.push(Candidate {
                    written,
                    end,
                    doubtful,
                });
            }
        }
        let Some(end) = candidates.iter().map(|candidate| candidate.end).max() else {
            return Outcome::Not;
        };
        let before = words.before(text, start, ahead);
        if let Some(finding) = judge(text, start, &candidates, &before) {
            return Outcome::Found(finding);
        }
        match words.after(text, start, end, ahead) {
            // What needs no word was judged.
            Some(after) if after.rules == 0 => Outcome::Not,
            Some(after) => judge(text, start, &candidates, &after).map_or(Outcome::Not, Outcome::Found),
            None if candidates.iter().any(|candidate| candidate.checks(text, start)) => Outcome::Undecided,
            None => Outcome::Not,
        }
    }
}

impl Candidate<'_> {
    /// Whether it is an id by any rule.
    fn checks(&self, text: &[u8], start: usize) -> bool {
        let number = Number::read(text, start, self.end);
        self.written
            .entries
            .iter()
            .any(|entry| (entry.shape.check)(number.as_bytes()))
    }
}

/// The best finding among the candidates, given the words near them.
fn judge(text: &[u8], start: usize, candidates: &[Candidate<'_>], near: &Nearby) -> Option<Finding> {
    let mut best: Option<Reading> = None;
    for candidate in candidates {
        let alone = candidate.written.alone && !candidate.doubtful;
        if !alone && near.rules & candidate.written.rules == 0 {
            continue;
        }
        let number = Number::read(text, start, candidate.end);
        for entry in &candidate.written.entries {
            let named = near.rules & (1 << entry.rule) != 0;
            let percent = match named {
                true => entry.shape.near_percent,
                false if alone && !number.lower_case => entry.shape.alone_percent,
                false => 0,
            };
            if percent == 0 || !(entry.shape.check)(number.as_bytes()) {
                continue;
            }
            let reading = Reading {
                entry: *entry,
                end: candidate.end,
                percent,
                near: named.then(|| near.nearness(entry.rule)),
            };
            if best.as_ref().is_none_or(|best| reading.rank() > best.rank()) {
                best = Some(reading);
            }
        }
    }
    best.map(|reading| reading.finding(start))
}

impl Reading {
    fn rank(&self) -> (Option<usize>, usize, u8) {
        (self.near, self.end, self.percent)
    }

    fn finding(&self, start: usize) -> Finding {
        let rule = self.entry.described;
        Finding {
            detector: rule.described.name,
            start,
            end: self.end,
            confidence_percent: self.percent,
            explanation: if self.near.is_some() {
                rule.near_explanation
            } else {
                rule.explanation
            },
            continued: false,
        }
    }
}

impl Engine for NationalIds {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        // A run is only ever left half-read when it is too long to be an id.
        if at > 0 && shape::digit(text, at - 1) {
            at = shape::digits_end(text, at, usize::MAX);
        }
        let mut words = Words::default();
        while let Some(first) = shape::next_digit(text, at) {
            let run = shape::digits_end(text, first, MAX_DIGITS + 1);
            let digits = run - first;
            let joined = edges::letters_start(text, first, at);
            // Letters of their own and one separator before the digits: `QQ 12 34 56 C`.
            let apart = (joined == Some(first))
                .then(|| edges::letters_apart(text, first, at))
                .flatten();
            let touches = run == text.len() && ahead == Ahead::Wait && digits <= MAX_DIGITS;
            let mut next = run;
            let starts = [
                apart.map(|start| (start, first - start - 1, true)),
                joined.map(|start| (start, first - start, false)),
            ];
            for (start, letters, apart) in starts.into_iter().flatten() {
                if letters > MAX_LETTERS || digits > MAX_DIGITS {
                    continue;
                }
                if touches {
                    if edges::left(text, start) == Edge::Joined {
                        continue;
                    }
                    return start;
                }
                let beginning = Beginning {
                    letters,
                    apart,
                    digits,
                    next: text.get(run).copied(),
                };
                match self.read(text, start, beginning, ahead, &mut words) {
                    Outcome::Undecided => return start,
                    Outcome::Not => {}
                    Outcome::Found(finding) => {
                        next = finding.end;
                        out.push(finding);
                        break;
                    }
                }
            }
            at = next;
        }
        if ahead == Ahead::Wait {
            edges::held_start(text, at)
        } else {
            text.len()
        }
    }
}

#[cfg(test)]
mod tests;
