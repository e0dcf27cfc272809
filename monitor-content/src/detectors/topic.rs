//! What a text asks about: `topic.weapons`, `topic.medical_advice` and others, by words, in English.
//!
//! A word alone says little: code "kills" processes, and a novel has guns. A subject is a finding only where its own
//! sentence also asks for it or sets out to use it ([`Lexicon::asks`]) and says nothing that makes it harmless
//! ([`Lexicon::unless`]); phrases that nobody writes by chance are findings alone. The finding is the subject.

mod lexicon;

use aho_corasick::{AhoCorasick, MatchKind};

use super::trigger::Triggers;
use super::{Described, Engine};
use crate::Finding;
use crate::finding::Ahead;
use lexicon::{LEXICONS, Lexicon};

/// How far before a subject its sentence is read. Within what an engine may look at, with the byte before a word.
const BEFORE_BYTES: usize = 64;
/// How far after the start of a subject.
const AFTER_BYTES: usize = 160;
/// Longest subject or phrase.
const MAX_TERM_BYTES: usize = 40;

const _: () = assert!(BEFORE_BYTES < super::CONTEXT_BYTES && AFTER_BYTES + 1 < super::LOOK_BYTES);
const _: () = assert!(MAX_TERM_BYTES < AFTER_BYTES);

pub(super) fn described() -> impl Iterator<Item = Described> {
    LEXICONS.iter().map(|lexicon| lexicon.described)
}

/// Finds subjects of the selected topics.
#[derive(Debug)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    /// Every subject and phrase, sorted.
    terms: Vec<Term>,
    triggers: Triggers,
}

#[derive(Debug)]
struct Topic {
    name: &'static str,
    /// The words that ask, then those that make harmless.
    context: AhoCorasick,
    asks: usize,
}

#[derive(Debug)]
struct Term {
    text: &'static [u8],
    topic: usize,
    alone: bool,
}

enum Reading {
    Not,
    Undecided,
    Found(Finding),
}

impl Topics {
    /// `None` when no topic is selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        let mut topics = Vec::new();
        let mut terms = Vec::new();
        for lexicon in LEXICONS
            .iter()
            .filter(|lexicon| selected.contains(&lexicon.described.name))
        {
            let term = |alone| {
                let topic = topics.len();
                move |text: &&'static str| Term {
                    text: text.as_bytes(),
                    topic,
                    alone,
                }
            };
            terms.extend(lexicon.subjects.iter().map(term(false)));
            terms.extend(lexicon.alone.iter().map(term(true)));
            topics.push(Topic::compile(lexicon)?);
        }
        terms.sort_by_key(|term| term.text);
        (!topics.is_empty()).then(|| Self {
            triggers: Triggers::new(terms.iter().map(|term| term.text), true),
            topics,
            terms,
        })
    }

    /// The next place where a term may begin. The triggers need a byte after the shortest.
    fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        self.triggers.find(text, at).or_else(|| {
            let last = text.len().checked_sub(Triggers::MIN_BYTES)?;
            (last >= at).then_some(last)
        })
    }

    /// The terms that `rest` begins with.
    fn terms_at<'a>(&'a self, rest: &'a [u8]) -> impl Iterator<Item = &'a Term> {
        let key = prefix(rest);
        let first = self.terms.partition_point(|term| prefix(term.text) < key);
        self.terms
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take_while(move |term| prefix(term.text) == key)
            .filter(|term| {
                rest.get(..term.text.len())
                    .is_some_and(|text| text.eq_ignore_ascii_case(term.text))
            })
    }

    fn read(&self, text: &[u8], start: usize, ahead: Ahead) -> Reading {
        let rest = text.get(start..).unwrap_or_default();
        let mut undecided = false;
        for term in self.terms_at(rest) {
            let mut end = start + term.text.len();
            // A plural is the same subject.
            if text.get(end).is_some_and(|b| b.eq_ignore_ascii_case(&b's')) {
                end += 1;
            }
            if end == text.len() && ahead == Ahead::Wait {
                undecided = true;
                continue;
            }
            if text.get(end).copied().is_some_and(in_word) {
                continue;
            }
            let Some(topic) = self.topics.get(term.topic) else {
                continue;
            };
            match topic.judge(text, start, end, term.alone, ahead) {
                Reading::Not => {}
                Reading::Undecided => undecided = true,
                found @ Reading::Found(_) if !undecided => return found,
                Reading::Found(_) => {}
            }
        }
        if undecided {
            Reading::Undecided
        } else {
            Reading::Not
        }
    }

    /// Where the last words of a text that goes on may become a term.
    fn tail(&self, text: &[u8], from: usize) -> usize {
        let low = text.len().saturating_sub(MAX_TERM_BYTES).max(from);
        (low..text.len())
            .filter(|at| starts_word(text, *at))
            .find(|at| {
                let rest = text.get(*at..).unwrap_or_default();
                self.terms.iter().any(|term| {
                    term.text
                        .get(..rest.len())
                        .is_some_and(|begin| begin.eq_ignore_ascii_case(rest))
                })
            })
            .unwrap_or(text.len())
    }
}

impl Engine for Topics {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let (mut at, mut free) = (from, from);
        while let Some(start) = self.next(text, at) {
            at = start + 1;
            if !starts_word(text, start) {
                continue;
            }
            match self.read(text, start, ahead) {
                Reading::Not => {}
                Reading::Undecided => return start,
                Reading::Found(finding) => {
                    at = finding.end;
                    free = finding.end;
                    out.push(finding);
                }
            }
        }
        if ahead == Ahead::Wait {
            self.tail(text, free)
        } else {
            text.len()
        }
    }
}

impl Topic {
    fn compile(lexicon: &'static Lexicon) -> Option<Self> {
        let words = lexicon.asks.iter().chain(lexicon.unless);
        let context = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(words)
            .ok()?;
        Some(Self {
            name: lexicon.described.name,
            context,
            asks: lexicon.asks.len(),
        })
    }

    /// Reads the sentence round a subject.
    fn judge(&self, text: &[u8], start: usize, end: usize, alone: bool, ahead: Ahead) -> Reading {
        let limit = start + AFTER_BYTES;
        let high = sentence_end(text, end, limit);
        if high.is_none() && text.len() <= limit && ahead == Ahead::Wait {
            return Reading::Undecided;
        }
        let high = high.unwrap_or(limit.min(text.len()));
        let low = sentence_start(text, start, start.saturating_sub(BEFORE_BYTES));
        let mut asked = alone;
        for hit in self
            .context
            .find_overlapping_iter(text.get(low..high).unwrap_or_default())
        {
            let (first, after) = (low + hit.start(), low + hit.end());
            if !starts_word(text, first) || text.get(after).copied().is_some_and(in_word) {
                continue;
            }
            // A fork bomb is none.
            if hit.pattern().as_usize() >= self.asks {
                return Reading::Not;
            }
            // The subject itself does not ask for it.
            asked |= after <= start || first >= end;
        }
        if !asked {
            return Reading::Not;
        }
        Reading::Found(Finding {
            detector: self.name,
            start,
            end,
            confidence_percent: if alone { 85 } else { 70 },
            explanation: if alone {
                "a phrase of the topic"
            } else {
                "a subject of the topic, and words that ask for it in its sentence"
            },
            continued: false,
        })
    }
}

/// The first three bytes in lower case: what the triggers find, and the terms are sorted by.
fn prefix(text: &[u8]) -> [u8; Triggers::MIN_BYTES] {
    let mut prefix = [0; Triggers::MIN_BYTES];
    for (to, from) in prefix.iter_mut().zip(text) {
        *to = from.to_ascii_lowercase();
    }
    prefix
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'_'
}

fn starts_word(text: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| text.get(before))
        .is_none_or(|byte| !in_word(*byte))
}

/// Whether a sentence ends with the byte at `at`; the byte after it belongs to what decides.
fn ends(text: &[u8], at: usize) -> bool {
    match (text.get(at), text.get(at + 1)) {
        (Some(b'.' | b'!' | b'?' | b';'), after) => after.is_none_or(u8::is_ascii_whitespace),
        (Some(b'\n'), after) => after == Some(&b'\n'),
        _ => false,
    }
}

/// The end of the sentence, when it comes before `limit` and does not depend on text still to come.
fn sentence_end(text: &[u8], from: usize, limit: usize) -> Option<usize> {
    (from..limit.min(text.len().saturating_sub(1))).find(|at| ends(text, *at))
}

fn sentence_start(text: &[u8], from: usize, low: usize) -> usize {
    (low..from)
        .rev()
        .find(|at| ends(text, *at))
        .map_or(low, |at| at + 1)
}

#[cfg(test)]
mod tests;
