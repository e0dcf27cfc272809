//! Finding pseudonyms in an answer, and giving the originals back.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::Pair;
use super::form::{Form, forms};

/// What finds the pseudonyms of one exchange in its answer.
pub struct Restorer {
    search: AhoCorasick,
    /// In the order of the search's patterns.
    patterns: Vec<Pattern>,
    /// Every pattern in lower case, in order.
    sorted: Vec<String>,
    /// Lower-case bytes that a pattern starts with.
    first: Box<[bool; 256]>,
    longest: usize,
}

struct Pattern {
    /// The pair it is a form of.
    pair: usize,
    form: Form,
    original: String,
    fake: String,
}

impl fmt::Debug for Restorer {
    /// Never shows a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer of {} forms", self.patterns.len())
    }
}

impl Restorer {
    /// `None` where there is nothing to find. A form that two of them have in common is nobody's.
    pub(super) fn new<'p>(pairs: impl Iterator<Item = (usize, &'p Pair)>) -> Option<Self> {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut wholes = HashSet::new();
        let mut parts: HashMap<String, Option<Pattern>> = HashMap::new();
        for (pair, of) in pairs {
            for (at, (text, form, original)) in forms(of).into_iter().enumerate() {
                let folded = text.to_ascii_lowercase();
                let pattern = Pattern {
                    pair,
                    form,
                    original,
                    fake: text,
                };
                if at == 0 {
                    wholes.insert(folded);
                    patterns.push(pattern);
                    continue;
                }
                parts
                    .entry(folded)
                    .and_modify(|known| {
                        if known.as_ref().is_some_and(|known| known.pair != pair) {
                            *known = None;
                        }
                    })
                    .or_insert(Some(pattern));
            }
        }
        let parts = parts.into_iter().filter(|(folded, _)| !wholes.contains(folded));
        patterns.extend(parts.filter_map(|(_, pattern)| pattern));
        let texts: Vec<&str> = patterns.iter().map(|pattern| pattern.fake.as_str()).collect();
        if texts.is_empty() {
            return None;
        }
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&texts)
            .ok()?;
        let mut sorted: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        sorted.sort_unstable();
        let mut first = Box::new([false; 256]);
        for text in &sorted {
            if let Some(byte) = text.bytes().next() {
                first[usize::from(byte)] = true;
            }
        }
        let longest = sorted.iter().map(String::len).max().unwrap_or(0);
        Some(Self {
            search,
            patterns,
            sorted,
            first,
            longest,
        })
    }

    /// What is to be put back in a whole text.
    pub fn restore(self: &Arc<Self>, text: &str, out: &mut Vec<Restored>) {
        let mut restoration = Restoration::new(self.clone());
        restoration.push(text, out);
        restoration.release(out);
    }

    /// Notes the pairs of which a form is in a text.
    pub(super) fn meet(&self, text: &str, met: &mut HashSet<usize>) {
        let found = self.search.find_iter(text);
        let patterns = found.filter_map(|found| self.patterns.get(found.pattern().as_usize()));
        met.extend(patterns.map(|pattern| pattern.pair));
    }

    /// Where, from `from` on, the text ends in the beginning of a pattern; its length where it does not.
    fn open_end(&self, text: &str, from: usize) -> usize {
        let low = from.max((text.len() + 1).saturating_sub(self.longest));
        let Some(tail) = text.as_bytes().get(low..) else {
            return text.len();
        };
        let tail = tail.to_ascii_lowercase();
        let begins = |at: &usize| {
            let rest = tail.get(*at..).unwrap_or_default();
            rest.first().is_some_and(|byte| self.first[usize::from(*byte)]) && self.begins(rest)
        };
        (0..tail.len()).find(begins).map_or(text.len(), |at| low + at)
    }

    /// Whether these bytes are the beginning of a pattern, and not all of it.
    fn begins(&self, bytes: &[u8]) -> bool {
        let at = self.sorted.partition_point(|text| text.as_bytes() <= bytes);
        self.sorted
            .get(at)
            .is_some_and(|text| text.as_bytes().starts_with(bytes))
    }
}

/// A span of an answer that is a pseudonym, and the original as it is written there.
#[derive(Clone, PartialEq, Eq)]
pub struct Restored {
    /// Byte offset of the first byte in the answer's text.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// What is to stand there.
    pub original: String,
}

impl fmt::Debug for Restored {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restored")
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Reads one growing text of an answer. Whatever the pieces, the same is restored: held back is only a tail that may still
/// become a pseudonym, which is shorter than the longest one.
pub struct Restoration {
    restorer: Arc<Restorer>,
    /// The text from the first byte that is not decided.
    tail: String,
    start: usize,
    /// What stands before the tail.
    before: Option<char>,
}

impl fmt::Debug for Restoration {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restoration with {} bytes", self.tail.len())
    }
}

impl Restoration {
    /// Starts at the beginning of a text.
    #[must_use]
    pub fn new(restorer: Arc<Restorer>) -> Self {
        Self {
            restorer,
            tail: String::new(),
            start: 0,
            before: None,
        }
    }

    /// Takes the next piece and appends what is decided by it, with offsets from the text's start.
    pub fn push(&mut self, piece: &str, out: &mut Vec<Restored>) {
        self.tail.push_str(piece);
        self.advance(true, out);
    }

    /// Decides what is held: nothing more comes, or not soon enough.
    pub fn release(&mut self, out: &mut Vec<Restored>) {
        self.advance(false, out);
    }

    /// Every byte before this offset is final.
    #[must_use]
    pub const fn decided(&self) -> usize {
        self.start
    }

    fn advance(&mut self, goes_on: bool, out: &mut Vec<Restored>) {
        let mut at = 0;
        let restorer = self.restorer.clone();
        let open_end = |at| {
            if goes_on {
                restorer.open_end(&self.tail, at)
            } else {
                self.tail.len()
            }
        };
        let mut open = open_end(0);
        while let Some(found) = restorer.search.find(Input::new(&self.tail).range(at..)) {
            let Some(pattern) = restorer.patterns.get(found.pattern().as_usize()) else {
                break;
            };
            if open <= found.start() {
                break;
            }
            if pattern.form.is_word() {
                if goes_on && found.end() == self.tail.len() {
                    open = found.start();
                    break;
                }
                if !self.is_word(found.start(), found.end()) {
                    at = found.start() + 1;
                    continue;
                }
            }
            let matched = self.tail.get(found.start()..found.end()).unwrap_or_default();
            out.push(Restored {
                start: self.start + found.start(),
                end: self.start + found.end(),
                original: pattern.form.restored(matched, &pattern.fake, &pattern.original),
            });
            at = found.end();
            if open < at {
                open = open_end(at);
            }
        }
        self.before = self
            .tail
            .get(..open)
            .and_then(|decided| decided.chars().next_back())
            .or(self.before);
        self.tail.drain(..open);
        self.start += open;
    }

    /// Whether letters and digits end at both sides of a span.
    fn is_word(&self, start: usize, end: usize) -> bool {
        let before = self.tail.get(..start).and_then(|text| text.chars().next_back());
        let before = before.or(self.before);
        let after = self.tail.get(end..).and_then(|text| text.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    }
}
