//! Detectors that operators define: a pattern, keywords, or a pattern that counts only near a keyword.
//!
//! 1. A pattern is compiled to a table before anything is scanned (`pattern`): it costs one look-up a byte, whatever
//!    it says. One whose table would be too large, or that matches nothing at all, is refused.
//! 2. Wherever a match may start, the table is run for [`LOOK_BYTES`] at most; what decides about a match is what
//!    decides about a built-in detector, so that streams find the same.
//! 3. Keywords are a pattern as well: any of them, in any case, between the borders of words.

mod catalog;
mod names;
mod pattern;

use std::sync::Arc;

use crate::Finding;
use crate::bytes::{char_end, char_start};
use crate::detectors::{CONTEXT_BYTES, Engine, LOOK_BYTES, known_names};
use crate::finding::Ahead;
use crate::fold::Folded;
use names::intern;
use pattern::{Pattern, Run};

pub use catalog::{DetectorCatalog, MAX_CUSTOM};
pub(crate) use names::placeholder;

/// Most bytes of a pattern.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// Most keywords of a detector.
pub const MAX_KEYWORDS: usize = 1000;
/// Most bytes of a keyword: it must fit what a stream holds back, with room round it.
pub const MAX_KEYWORD_BYTES: usize = 100;
/// Most bytes of a name.
const MAX_NAME_BYTES: usize = 63;
/// How far from a match a keyword may stand, to either side.
const NEAR_BYTES: usize = 64;

const _: () = assert!(NEAR_BYTES < CONTEXT_BYTES);

/// Families whose names are the built-in detectors' own.
const OWN_FAMILIES: &[&str] = &["pii.", "secret."];

/// What an operator says of a detector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomSpec {
    /// `family.name`, of small letters, digits and `_`.
    pub name: String,
    /// A regular expression over bytes, without look-around and back-references; empty for keywords alone.
    pub regex: String,
    /// Words and phrases, in any case. With a `regex`, one must stand near a match.
    pub keywords: Vec<String>,
    /// How sure a finding is, 1 to 100.
    pub confidence_percent: u8,
    /// Texts in which it must find something.
    pub finds: Vec<String>,
    /// Texts in which it must find nothing.
    pub passes: Vec<String>,
}

/// Why a detector cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomError {
    /// The name is not one, or taken.
    #[error(
        "`{0}` is no name of a detector; write `family.name` in small letters, digits and `_`, at most {MAX_NAME_BYTES} bytes, and not one of the built-in detectors or their families (pii, secret)"
    )]
    Name(String),
    /// Neither a pattern nor a keyword.
    #[error("the detector looks for nothing; give it a `regex`, `keywords` or both")]
    Nothing,
    /// Another has the name.
    #[error("another detector above is called `{0}`")]
    Twice(&'static str),
    /// There are too many.
    #[error("these are more than {MAX_CUSTOM} detectors; each reads every text")]
    TooMany,
    /// The pattern is too long.
    #[error("the regex has {0} bytes; the most is {MAX_PATTERN_BYTES}")]
    Long(usize),
    /// The pattern is not understood, or its table is too large.
    #[error("the regex cannot be used: {0}")]
    Pattern(String),
    /// It matches where there is nothing.
    #[error("the regex matches the empty text, that is everywhere; ask for at least one character")]
    Empty,
    /// A keyword is empty, too long, or there are too many.
    #[error("`{0}` is no keyword; give 1 to {MAX_KEYWORDS} of 1 to {MAX_KEYWORD_BYTES} bytes")]
    Keyword(String),
    /// An example says otherwise.
    #[error("the detector finds nothing in its own example number {0} of `finds`")]
    Finds(usize),
    /// An example says otherwise.
    #[error("the detector finds something in its own example number {0} of `passes`")]
    Passes(usize),
}

/// A detector of an operator's own, compiled.
#[derive(Debug)]
pub struct CustomDetector {
    name: &'static str,
    confidence_percent: u8,
    explanation: &'static str,
    pattern: Pattern,
    /// A keyword that must stand near.
    near: Option<Pattern>,
}

impl CustomDetector {
    /// Compiles it and tries its examples.
    ///
    /// # Errors
    /// [`CustomError`] for what is wrong with it.
    pub fn new(spec: &CustomSpec) -> Result<Self, CustomError> {
        if !is_name(&spec.name) {
            return Err(CustomError::Name(spec.name.clone()));
        }
        if spec.regex.len() > MAX_PATTERN_BYTES {
            return Err(CustomError::Long(spec.regex.len()));
        }
        let keywords = keywords(&spec.keywords)?;
        let (pattern, near, explanation) = match (spec.regex.as_str(), keywords) {
            ("", None) => return Err(CustomError::Nothing),
            ("", Some(keywords)) => (keywords, None, "one of the operator's keywords"),
            (regex, None) => (Pattern::new(regex)?, None, "the operator's pattern"),
            (regex, near) => (
                Pattern::new(regex)?,
                near,
                "the operator's pattern, near one of its keywords",
            ),
        };
        let name = intern(&spec.name).ok_or_else(|| CustomError::Name(spec.name.clone()))?;
        let detector = Self {
            name,
            confidence_percent: spec.confidence_percent.clamp(1, 100),
            explanation,
            pattern,
            near,
        };
        let finds = |text: &String| {
            let mut out = Vec::new();
            detector.scan(Folded::of(text).text().as_bytes(), 0, Ahead::Nothing, &mut out);
            !out.is_empty()
        };
        if let Some(index) = spec.finds.iter().position(|text| !finds(text)) {
            return Err(CustomError::Finds(index + 1));
        }
        if let Some(index) = spec.passes.iter().position(finds) {
            return Err(CustomError::Passes(index + 1));
        }
        Ok(detector)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a keyword stands near a match; `None` while text to come may bring one.
    fn is_near(&self, text: &[u8], start: usize, end: usize, ahead: Ahead) -> Option<bool> {
        let Some(near) = &self.near else {
            return Some(true);
        };
        let low = start.saturating_sub(NEAR_BYTES);
        let wanted = (end + NEAR_BYTES).min(start + LOOK_BYTES);
        let high = wanted.min(text.len());
        let seen = text.get(..high).unwrap_or_default();
        // A keyword that the border of the region cuts is not near; one that the text's end may cut is not decided.
        let at_end = if high < wanted { ahead } else { Ahead::Cut };
        let mut at = low;
        let mut open = false;
        while let Some(first) = near.next_start(seen, at) {
            match near.run(seen, first, LOOK_BYTES, at_end) {
                Run::Match(_) => return Some(true),
                Run::Undecided => open = true,
                Run::None => {}
            }
            at = first + 1;
        }
        if open || (high < wanted && ahead == Ahead::Wait) {
            return None;
        }
        Some(false)
    }
}

impl Engine for Arc<CustomDetector> {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        CustomDetector::scan(self, text, from, ahead, out)
    }
}

impl CustomDetector {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(start) = self.pattern.next_start(text, at) {
            let end = match self.pattern.run(text, start, LOOK_BYTES, ahead) {
                Run::Undecided => return start,
                Run::None => {
                    at = start + 1;
                    continue;
                }
                Run::Match(end) => end,
            };
            match self.is_near(text, start, end, ahead) {
                None => return start,
                Some(false) => at = start + 1,
                Some(true) => {
                    let start = char_start(text, start);
                    let end = char_end(text, end);
                    out.push(Finding {
                        detector: self.name,
                        start,
                        end,
                        confidence_percent: self.confidence_percent,
                        explanation: self.explanation,
                        continued: false,
                    });
                    at = end;
                }
            }
        }
        text.len()
    }
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    name.len() <= MAX_NAME_BYTES
        && name.contains('.')
        && name.split('.').all(part)
        && !OWN_FAMILIES.iter().any(|family| name.starts_with(family))
        && known_names().all(|known| known != name)
}

/// Any of the keywords as one pattern; the longer of two that begin alike first.
fn keywords(words: &[String]) -> Result<Option<Pattern>, CustomError> {
    if words.is_empty() {
        return Ok(None);
    }
    let is_keyword = |word: &&String| !word.trim().is_empty() && word.len() <= MAX_KEYWORD_BYTES;
    if let Some(wrong) = words.iter().find(|word| !is_keyword(word)) {
        return Err(CustomError::Keyword(wrong.clone()));
    }
    if words.len() > MAX_KEYWORDS {
        return Err(CustomError::Keyword(format!("number {}", MAX_KEYWORDS + 1)));
    }
    let mut words: Vec<_> = words.iter().map(|word| word.trim().to_lowercase()).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let words: Vec<_> = words.iter().map(|word| pattern::word(word)).collect();
    Pattern::new(&words.join("|")).map(Some)
}

#[cfg(test)]
mod tests;
