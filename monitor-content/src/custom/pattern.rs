//! A regular expression as a table.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use super::CustomError;
use crate::finding::Ahead;

/// Most bytes of a table; the patterns of keys and numbers need a hundredth of it.
const MAX_TABLE_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes that making it may take.
const MAX_BUILD_BYTES: usize = 4 * MAX_TABLE_BYTES;

pub(super) struct Pattern {
    table: dense::DFA<Vec<u32>>,
    /// Whether a match may start with a byte.
    first: [bool; 256],
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a table of {} bytes", self.table.memory_usage())
    }
}

/// What a start has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    None,
    /// The bytes at hand do not decide.
    Undecided,
    /// It matches up to here, and further text makes no difference.
    Match(usize),
}

/// A keyword as a pattern: in any case, between borders of words where it begins and ends in one.
pub(super) fn word(word: &str) -> String {
    let is_word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let before = if is_word(word.bytes().next()) { r"\b" } else { "" };
    let after = if is_word(word.bytes().last()) { r"\b" } else { "" };
    let mut escaped = String::new();
    for part in word.split_whitespace() {
        if !escaped.is_empty() {
            escaped.push_str(r"\s+");
        }
        for c in part.chars() {
            if c.is_ascii_punctuation() {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    format!("(?i:{before}{escaped}{after})")
}

impl Pattern {
    pub(super) fn new(regex: &str) -> Result<Self, CustomError> {
        let table = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::LeftmostFirst)
                    .dfa_size_limit(Some(MAX_TABLE_BYTES))
                    .determinize_size_limit(Some(MAX_BUILD_BYTES)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(regex)
            .map_err(|error| CustomError::Pattern(reason(&error)))?;
        let mut pattern = Self {
            table,
            first: [false; 256],
        };
        // After each kind of byte that can make a difference to an assertion: none, a line's end, a word's, another.
        for before in [None, Some(b'\n'), Some(b'\r'), Some(b'a'), Some(b' '), Some(0xff)] {
            let state = pattern.start(before);
            let Some(state) = state else { continue };
            if pattern.table.is_match_state(pattern.table.next_eoi_state(state)) {
                return Err(CustomError::Empty);
            }
            for byte in 0..=u8::MAX {
                let next = pattern.table.next_state(state, byte);
                if pattern.table.is_match_state(next) {
                    return Err(CustomError::Empty);
                }
                pattern.first[usize::from(byte)] |= !pattern.table.is_dead_state(next);
            }
        }
        Ok(pattern)
    }

    /// Where, at or after `from`, a match may start.
    pub(super) fn next_start(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let n = rest.iter().position(|byte| self.first[usize::from(*byte)])?;
        Some(from + n)
    }

    /// Tries a match at `start`, looking at `look` bytes at most.
    pub(super) fn run(&self, text: &[u8], start: usize, look: usize, ahead: Ahead) -> Run {
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
        let Some(mut state) = self.start(before) else {
            return Run::None;
        };
        let mut found = Run::None;
        let seen = text.get(start..text.len().min(start + look)).unwrap_or_default();
        for (n, byte) in seen.iter().enumerate() {
            state = self.table.next_state(state, *byte);
            if self.table.is_special_state(state) {
                if self.table.is_match_state(state) {
                    // A match is told one byte late.
                    found = Run::Match(start + n);
                } else if self.table.is_dead_state(state) {
                    return found;
                } else if self.table.is_quit_state(state) {
                    return Run::None;
                }
            }
        }
        if seen.len() == look {
            return found;
        }
        if ahead == Ahead::Wait {
            return Run::Undecided;
        }
        if self.table.is_match_state(self.table.next_eoi_state(state)) {
            return Run::Match(text.len());
        }
        found
    }

    fn start(&self, before: Option<u8>) -> Option<regex_automata::util::primitives::StateID> {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        self.table.start_state(&config).ok()
    }
}

fn reason(error: &dense::BuildError) -> String {
    if error.is_size_limit_exceeded() {
        return format!(
            "its table would exceed {} MiB; write shorter repetitions and fewer alternatives",
            MAX_TABLE_BYTES >> 20
        );
    }
    use std::error::Error;
    // The innermost error says what is wrong with the syntax, and where.
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
