//! The compiled set of detectors a policy selected.
//!
//! Each engine has a prefilter that passes over text without candidates at memory speed, and a validator that
//! looks at a bounded number of bytes round a candidate. That bound is part of the rule: whether a span is a
//! finding never depends on a byte more than [`LOOK_BYTES`] after its start, so a stream that holds so much
//! decides exactly as a scan of the whole text does. A finding itself may be longer; it then goes on for as
//! long as its characters do.

mod address;
mod assignment;
mod birth_date;
mod card;
mod catalog;
mod connection;
mod context;
mod cursor;
mod email;
mod groups;
mod iban;
mod ip;
mod key;
mod key_rules;
mod mac;
mod marked;
mod national_id;
mod numbers;
mod person;
mod phone;
mod private_key;
mod topic;
mod trigger;
mod url_credentials;
mod whole;

use std::sync::Arc;

use key::{KeyEngine, OpenRun};
use smallvec::SmallVec;

use crate::Finding;
use crate::custom::CustomDetector;
use crate::finding::Ahead;
use crate::injection::{self, Follower, Injection};

pub(crate) use catalog::Described;
pub use catalog::{known_names, placeholder};
pub use whole::{MAX_FINDINGS, MAX_LAYERS, Scanned};

/// Most bytes after a candidate's start that decide about it. Longer than any card, address or issuer prefix
/// with enough of its body to judge; shorter than [`MAX_HOLD_BYTES`](crate::MAX_HOLD_BYTES) by a margin for
/// the byte that ends a run.
pub(crate) const LOOK_BYTES: usize = 254;

/// Bytes before an undecided candidate that its left side may depend on: an e-mail local part, at most.
pub(crate) const CONTEXT_BYTES: usize = email::MAX_LOCAL_BYTES + crate::bytes::ESCAPE_BYTES;

/// A pattern that selects no detector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no detector is called '{pattern}'; known are: {}", known.join(", "))]
pub struct UnknownDetector {
    /// The pattern as it was given.
    pub pattern: String,
    /// Every name there is.
    pub known: Vec<&'static str>,
}

/// A part of a set that reads text by itself.
pub(crate) trait Engine: std::fmt::Debug + Send + Sync {
    /// Appends what starts at or after `from`, in order, and returns where to go on: everything before it is decided,
    /// whatever follows `text`. With [`Ahead::Wait`] a candidate that later text may complete, prolong or undo is left
    /// undecided by returning its start; with the other two the end of the text is.
    ///
    /// A span that begins or ends within a character is widened to its borders.
    ///
    /// Whether a span is a finding may depend on [`CONTEXT_BYTES`] before its start and [`LOOK_BYTES`] after it, and
    /// on nothing else, so that the pieces in which a text arrives make no difference.
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize;
}

/// Whose text it is that is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What the workload or its user wrote, or the model.
    #[default]
    Own,
    /// What came from outside, such as a tool's result or a document: it has no business giving instructions.
    Untrusted,
}

/// How a set of detectors judges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whose text it reads.
    pub profile: Profile,
    /// Findings of less confidence are none; `None` for each detector's own threshold.
    pub min_confidence_percent: Option<u8>,
}

/// A compiled, immutable set of detectors; share it by `Arc`.
#[derive(Debug)]
pub struct Detectors {
    engines: Vec<Box<dyn Engine>>,
    keys: Option<KeyEngine>,
    injection: Option<Injection>,
    min_confidence_percent: u8,
}

/// Where each engine goes on reading, as offsets into the bytes at hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// In the order of the engines; empty before the first step.
    engines: SmallVec<[usize; 12]>,
    keys: usize,
    /// A secret whose end has not come yet.
    open: Option<OpenRun>,
    injection: usize,
    /// What an injection is scored by; none before the first step.
    follower: Option<Box<Follower>>,
}

impl Progress {
    /// The detector whose secret goes on in text still to come.
    pub(crate) fn open_detector(&self) -> Option<&'static str> {
        self.open.as_ref().map(OpenRun::detector)
    }

    /// The first byte some engine has not decided about.
    pub(crate) fn decided(&self) -> usize {
        self.engines
            .iter()
            .copied()
            .fold(self.keys.min(self.injection), usize::min)
    }

    /// Takes note that `bytes` were dropped from the front.
    pub(crate) fn rebase(&mut self, bytes: usize) {
        for at in self
            .engines
            .iter_mut()
            .chain([&mut self.keys, &mut self.injection])
        {
            *at = at.saturating_sub(bytes);
        }
        if let Some(follower) = &mut self.follower {
            follower.rebase(bytes);
        }
    }
}

impl Detectors {
    /// Compiles the detectors that `patterns` select: a name (`pii.email`), a family (`secret.*`) or `*`.
    ///
    /// # Errors
    ///
    /// [`UnknownDetector`] for the first pattern that selects nothing.
    pub fn compile<P: AsRef<str>>(patterns: &[P]) -> Result<Self, UnknownDetector> {
        Self::compile_with(patterns, Judgement::default())
    }

    /// The same, to judge so.
    ///
    /// # Errors
    ///
    /// As [`Detectors::compile`].
    pub fn compile_with<P: AsRef<str>>(
        patterns: &[P],
        judgement: Judgement,
    ) -> Result<Self, UnknownDetector> {
        Self::compile_from(patterns, judgement, &[])
    }

    pub(crate) fn compile_from<P: AsRef<str>>(
        patterns: &[P],
        judgement: Judgement,
        custom: &[Arc<CustomDetector>],
    ) -> Result<Self, UnknownDetector> {
        let names = || known_names().chain(custom.iter().map(|detector| detector.name()));
        let mut selected = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let before = selected.len();
            selected.extend(names().filter(|name| selects(pattern, name)));
            if selected.len() == before {
                let known = names().collect();
                return Err(UnknownDetector {
                    pattern: pattern.to_owned(),
                    known,
                });
            }
        }
        let mut engines: Vec<Box<dyn Engine>> = Vec::new();
        if selected.contains(&card::DESCRIBED.name) {
            engines.push(Box::new(card::Cards));
        }
        if selected.contains(&email::DESCRIBED.name) {
            engines.push(Box::new(email::Emails));
        }
        if let Some(ids) = national_id::NationalIds::compile(&selected) {
            engines.push(Box::new(ids));
        }
        if let Some(urls) = url_credentials::UrlCredentials::compile(&selected) {
            engines.push(Box::new(urls));
        }
        if selected.contains(&person::DESCRIBED.name) {
            engines.push(Box::new(person::Persons));
        }
        let mut readers: Vec<Box<dyn numbers::Reader>> = Vec::new();
        if selected.contains(&iban::DESCRIBED.name) {
            readers.push(Box::new(iban::Ibans));
        }
        if selected.contains(&ip::DESCRIBED.name) {
            engines.push(Box::new(ip::V6));
            readers.push(Box::new(ip::V4));
        }
        if selected.contains(&mac::DESCRIBED.name) {
            engines.push(Box::new(mac::Macs));
        }
        if selected.contains(&phone::DESCRIBED.name) {
            readers.push(Box::new(phone::Phones));
        }
        if selected.contains(&birth_date::DESCRIBED.name) {
            readers.push(Box::new(birth_date::BirthDates));
        }
        if selected.contains(&address::DESCRIBED.name) {
            readers.push(Box::new(address::Addresses));
        }
        if let Some(numbers) = numbers::Numbers::new(readers) {
            engines.push(Box::new(numbers));
        }
        if let Some(passports) = national_id::machine_readable(&selected) {
            engines.push(Box::new(passports));
        }
        if let Some(assignments) = assignment::Assignments::compile(&selected) {
            engines.push(Box::new(assignments));
        }
        if let Some(marked) = marked::MarkedKeys::compile(&selected) {
            engines.push(Box::new(marked));
        }
        if let Some(connections) = connection::ConnectionStrings::compile(&selected) {
            engines.push(Box::new(connections));
        }
        if let Some(topics) = topic::Topics::compile(&selected) {
            engines.push(Box::new(topics));
        }
        for detector in custom.iter().filter(|own| selected.contains(&own.name())) {
            engines.push(Box::new(detector.clone()));
        }
        Ok(Self {
            engines,
            keys: KeyEngine::compile(&selected),
            injection: selected
                .contains(&injection::DESCRIBED.name)
                .then(|| Injection::new(judgement.profile, judgement.min_confidence_percent)),
            min_confidence_percent: judgement.min_confidence_percent.unwrap_or(0),
        })
    }

    /// Where to begin with a text that comes in pieces.
    pub(crate) fn begin(&self) -> Progress {
        Progress {
            follower: self.injection.as_ref().map(|_| Box::default()),
            ..Progress::default()
        }
    }

    /// Runs every engine from where it stopped and appends its candidates, ordered within each engine only.
    pub(crate) fn advance(&self, text: &str, at: &mut Progress, ahead: Ahead, out: &mut Vec<Finding>) {
        let first = out.len();
        let text = text.as_bytes();
        at.engines.resize(self.engines.len(), 0);
        for (engine, at) in self.engines.iter().zip(&mut at.engines) {
            *at = engine.scan(text, *at, ahead, out);
        }
        at.keys = match &self.keys {
            Some(keys) => keys.scan(text, at.keys, ahead, &mut at.open, out),
            None => text.len(),
        };
        at.injection = match (&self.injection, &mut at.follower) {
            (Some(injection), Some(follower)) => follower.advance(injection, text, ahead, out),
            _ => text.len(),
        };
        if self.min_confidence_percent > 0 {
            let mut index = 0;
            out.retain(|finding| {
                index += 1;
                index <= first || finding.confidence_percent >= self.min_confidence_percent
            });
        }
    }
}

/// Whether a pattern (a name, a family such as `secret.*`, or `*`) selects the detector of this name.
#[must_use]
pub fn selects(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with('.') && name.starts_with(family),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests;
