//! Keys and tokens that an issuer marks with a prefix.
//!
//! One vectorised search finds the prefixes of all selected rules; the rule of the longest prefix then judges the
//! run of characters that follows it.

use std::cmp::Reverse;
use std::ops::Range;

use aho_corasick::{AhoCorasick, packed};

use super::key_rules::{DETECTORS, Detector, Rule, Shape};
use super::{LOOK_BYTES, private_key};
use crate::Finding;
use crate::bytes::{ByteSet, ends_escape};
use crate::finding::Ahead;

/// Prefixes are searched for by so many bytes at most: what the vectorised search compares at once. Issuers' prefixes
/// that differ later share one pattern.
const TRIGGER_BYTES: usize = 4;

/// The search over all selected rules.
#[derive(Debug)]
pub(super) struct KeyEngine {
    search: Search,
    /// By first byte of the prefix, a longer prefix before what it begins with.
    rules: Vec<(&'static Detector, &'static Rule)>,
    /// Where the rules of each first byte are.
    by_first: Box<[Range<u8>; 256]>,
    longest_prefix: usize,
}

/// Finds where a prefix may start.
#[derive(Debug)]
enum Search {
    Packed(packed::Searcher),
    /// On processors without the vector instructions, or for more patterns than they take.
    Automaton(AhoCorasick),
}

impl Search {
    fn new(rules: &[(&'static Detector, &'static Rule)]) -> Option<Self> {
        let trigger = |rule: &Rule| &rule.prefix.as_bytes()[..rule.prefix.len().min(TRIGGER_BYTES)];
        let mut triggers: Vec<_> = rules.iter().map(|(_, rule)| trigger(rule)).collect();
        triggers.sort_unstable();
        triggers.dedup();
        let packed = packed::Config::new()
            .heuristic_pattern_limits(false)
            .builder()
            .extend(&triggers)
            .build();
        match packed {
            Some(searcher) => Some(Self::Packed(searcher)),
            None => AhoCorasick::new(&triggers).ok().map(Self::Automaton),
        }
    }

    /// The first place at or after `from`.
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let hit = match self {
            Self::Packed(searcher) => searcher.find(rest),
            Self::Automaton(automaton) => automaton.find(rest),
        };
        hit.map(|hit| from + hit.start())
    }
}

/// What a rule says about a candidate.
pub(super) enum Verdict {
    Not,
    /// The bytes at hand do not decide.
    Undecided,
    /// A secret up to `end`; `open` when it may go on in text still to come.
    Secret {
        end: usize,
        open: bool,
    },
}

/// A secret that was reported before its end had come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenRun {
    detector: &'static Detector,
    rule: &'static Rule,
}

impl KeyEngine {
    /// `None` when no secret detector is selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        let mut rules: Vec<_> = DETECTORS
            .iter()
            .filter(|d| selected.contains(&d.name))
            .flat_map(|d| d.rules.iter().map(move |r| (d, r)))
            .collect();
        rules.sort_by_key(|(_, rule)| (rule.prefix.bytes().next(), Reverse(rule.prefix.len())));
        let mut by_first = Box::new([const { 0..0 }; 256]);
        for (at, (_, rule)) in rules.iter().enumerate() {
            let range = &mut by_first[usize::from(rule.prefix.bytes().next()?)];
            let at = u8::try_from(at).ok()?;
            *range = if range.end == 0 {
                at..at + 1
            } else {
                range.start..at + 1
            };
        }
        let longest_prefix = rules.iter().map(|(_, r)| r.prefix.len()).max()?;
        Some(Self {
            search: Search::new(&rules)?,
            rules,
            by_first,
            longest_prefix,
        })
    }

    /// The rules whose prefix starts with this byte.
    fn rules(&self, first: u8) -> &[(&'static Detector, &'static Rule)] {
        let range = &self.by_first[usize::from(first)];
        self.rules
            .get(usize::from(range.start)..usize::from(range.end))
            .unwrap_or_default()
    }

    /// The rule of the longest prefix at `at`.
    fn rule_at(&self, text: &[u8], at: usize) -> Option<(&'static Detector, &'static Rule)> {
        let rest = text.get(at..)?;
        let rules = self.rules(*rest.first()?);
        rules
            .iter()
            .find(|(_, rule)| rest.starts_with(rule.prefix.as_bytes()))
            .copied()
    }

    /// Appends the secrets that start at or after `from`, first the rest of an open one; returns where to go on.
    pub(super) fn scan(
        &self,
        text: &[u8],
        from: usize,
        ahead: Ahead,
        open: &mut Option<OpenRun>,
        out: &mut Vec<Finding>,
    ) -> usize {
        let mut at = from;
        if let Some(run) = *open {
            let (end, more) = extend(run.rule, text, from, ahead);
            if end > from {
                out.push(run.finding(from, end, true));
            }
            if more {
                return end;
            }
            *open = None;
            at = end;
        }
        while let Some(start) = self.search.find(text, at) {
            let Some((detector, rule)) = self.rule_at(text, start) else {
                if ahead == Ahead::Wait && self.begins(text, start) {
                    return start;
                }
                at = start + 1;
                continue;
            };
            match judge(rule, text, start, ahead) {
                Verdict::Not => at = start + 1,
                Verdict::Undecided => return start,
                Verdict::Secret { end, open: more } => {
                    let run = OpenRun { detector, rule };
                    out.push(run.finding(start, end, false));
                    if more {
                        *open = Some(run);
                        return end;
                    }
                    at = end;
                }
            }
        }
        if ahead == Ahead::Wait {
            self.partial_prefix(text, at)
        } else {
            text.len()
        }
    }

    /// Where the text ends in the beginning of a prefix; its length when it does not.
    fn partial_prefix(&self, text: &[u8], from: usize) -> usize {
        let low = from.max((text.len() + 1).saturating_sub(self.longest_prefix));
        (low..text.len())
            .find(|at| self.begins(text, *at))
            .unwrap_or(text.len())
    }

    /// Whether the text from `at` to its end is the beginning of a prefix.
    fn begins(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        let rules = rest.first().map_or(&[][..], |first| self.rules(*first));
        rules
            .iter()
            .any(|(_, r)| r.prefix.as_bytes().starts_with(rest) && admits(r, text, at))
    }
}

impl OpenRun {
    pub(super) fn detector(&self) -> &'static str {
        self.detector.name
    }

    fn finding(&self, start: usize, end: usize, continued: bool) -> Finding {
        let confidence_percent = self.detector.confidence_percent;
        Finding {
            detector: self.detector.name,
            start,
            end,
            confidence_percent,
            continued,
        }
    }
}

/// Whether a key may start at `at`: not in the middle of a word, to which the bytes of the key's own class belong, so
/// that candidates do not overlap. Only `=` is taken for an assignment.
fn admits(rule: &Rule, text: &[u8], at: usize) -> bool {
    let class = match rule.shape {
        Shape::Run { class, .. } => class,
        Shape::PrivateKey => return true,
    };
    match at.checked_sub(1).and_then(|before| text.get(before)) {
        Some(before) if before.is_ascii_alphanumeric() || (class.has(*before) && *before != b'=') => {
            ends_escape(text, at)
        }
        _ => true,
    }
}

fn judge(rule: &Rule, text: &[u8], start: usize, ahead: Ahead) -> Verdict {
    if !admits(rule, text, start) {
        return Verdict::Not;
    }
    let body = start + rule.prefix.len();
    let Shape::Run {
        class,
        dots,
        min,
        max,
        check,
    } = rule.shape
    else {
        return private_key::judge(text, start, body, ahead);
    };
    let limit = start + LOOK_BYTES;
    let (end, more) = run_end(class, dots, text, body, limit, ahead);
    let length = end - body;
    if length > max {
        return Verdict::Not;
    }
    if more && end < limit && ahead == Ahead::Wait {
        return Verdict::Undecided;
    }
    let seen = text.get(body..end.min(limit)).unwrap_or_default();
    if length < min || !check(seen) {
        return Verdict::Not;
    }
    let (end, open) = if end < limit {
        (end, more)
    } else {
        run_end(class, dots, text, end, usize::MAX, ahead)
    };
    Verdict::Secret { end, open }
}

fn extend(rule: &Rule, text: &[u8], at: usize, ahead: Ahead) -> (usize, bool) {
    match rule.shape {
        Shape::Run { class, dots, .. } => run_end(class, dots, text, at, usize::MAX, ahead),
        Shape::PrivateKey => private_key::extend(text, at, ahead),
    }
}

/// The end of the run that goes on at `at`, and whether later text may prolong it. With `dots`, a dot belongs to
/// the run when a member follows it. Stops at or one byte after `limit`.
fn run_end(
    class: &ByteSet,
    dots: bool,
    text: &[u8],
    mut at: usize,
    limit: usize,
    ahead: Ahead,
) -> (usize, bool) {
    loop {
        at = class.run(text, at, limit);
        if at >= limit {
            return (at, false);
        }
        match text.get(at) {
            None => return (at, ahead != Ahead::Nothing),
            Some(b'.') if dots => match text.get(at + 1) {
                None if ahead == Ahead::Cut => return (at + 1, true),
                None => return (at, ahead == Ahead::Wait),
                Some(next) if class.has(*next) => at += 2,
                Some(_) => return (at, false),
            },
            Some(_) => return (at, false),
        }
    }
}
