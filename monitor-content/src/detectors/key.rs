//! Keys and tokens that an issuer marks with a prefix.
//!
//! One search finds the prefixes of all selected rules; the rules of the longest prefix then judge the run of
//! characters that follows it.

use std::cmp::Reverse;
use std::ops::Range;

use super::key_rules::{Detector, Rule, Shape, detectors};
use super::trigger::Triggers;
use super::{LOOK_BYTES, private_key};
use crate::Finding;
use crate::bytes::{ByteSet, ends_escape};
use crate::finding::Ahead;

/// The search over all selected rules.
#[derive(Debug)]
pub(super) struct KeyEngine {
    search: Triggers,
    /// By first byte of the prefix, a longer prefix before what it begins with.
    rules: Vec<(&'static Detector, &'static Rule)>,
    /// Where the rules of each first byte are.
    by_first: Box<[Range<u16>; 256]>,
    longest_prefix: usize,
}

/// What a prefix of two bytes goes on with: a digit of base64 in a user's number, or of hexadecimal.
const THIRD_BYTES: &[u8] = b"AEIMQUYcgk0123456789abdef";

fn triggers(rules: &[(&'static Detector, &'static Rule)]) -> Triggers {
    let mut strings: Vec<Vec<u8>> = Vec::new();
    for (_, rule) in rules {
        let prefix = rule.prefix.as_bytes();
        if prefix.len() < Triggers::MIN_BYTES {
            strings.extend(THIRD_BYTES.iter().map(|third| [prefix, &[*third]].concat()));
        } else {
            strings.push(prefix.to_vec());
        }
    }
    Triggers::new(strings.iter().map(Vec::as_slice), false)
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
        let mut rules: Vec<_> = detectors()
            .filter(|d| selected.contains(&d.name))
            .flat_map(|d| d.rules.iter().map(move |r| (d, r)))
            .collect();
        rules.sort_by_key(|(_, rule)| {
            (
                rule.prefix.bytes().next(),
                Reverse(rule.prefix.len()),
                rule.prefix,
            )
        });
        let mut by_first = Box::new([const { 0..0 }; 256]);
        for (at, (_, rule)) in rules.iter().enumerate() {
            let range = &mut by_first[usize::from(rule.prefix.bytes().next()?)];
            let at = u16::try_from(at).ok()?;
            *range = if range.end == 0 {
                at..at + 1
            } else {
                range.start..at + 1
            };
        }
        let longest_prefix = rules.iter().map(|(_, r)| r.prefix.len()).max()?;
        Some(Self {
            search: triggers(&rules),
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

    /// The rules of the longest prefix at `at`.
    fn rules_at(&self, text: &[u8], at: usize) -> &[(&'static Detector, &'static Rule)] {
        let rest = text.get(at..).unwrap_or_default();
        let rules = rest.first().map_or(&[][..], |first| self.rules(*first));
        let Some(first) = rules
            .iter()
            .position(|(_, rule)| rest.starts_with(rule.prefix.as_bytes()))
        else {
            return &[];
        };
        let rules = rules.get(first..).unwrap_or_default();
        let same = rules
            .iter()
            .position(|(_, rule)| Some(rule.prefix) != rules.first().map(|(_, r)| r.prefix));
        rules.get(..same.unwrap_or(rules.len())).unwrap_or_default()
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
            let rules = self.rules_at(text, start);
            if rules.is_empty() && ahead == Ahead::Wait && self.begins(text, start) {
                return start;
            }
            let judged = rules
                .iter()
                .map(|(detector, rule)| (OpenRun { detector, rule }, judge(rule, text, start, ahead)))
                .find(|(_, verdict)| !matches!(verdict, Verdict::Not));
            match judged {
                None | Some((_, Verdict::Not)) => at = start + 1,
                Some((_, Verdict::Undecided)) => return start,
                Some((run, Verdict::Secret { end, open: more })) => {
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
            explanation: "the issuer's prefix and what must follow it",
            continued,
        }
    }
}

/// Whether a key may start at `at`: not in the middle of a word, to which the bytes of the key's own class belong, so
/// that candidates do not overlap. Only `=` is taken for an assignment.
fn admits(rule: &Rule, text: &[u8], at: usize) -> bool {
    let class = match rule.shape {
        Shape::Run { class, .. } => class,
        Shape::PrivateKey | Shape::PuttyLines => return true,
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
        return match rule.shape {
            Shape::PuttyLines => private_key::judge_putty(text, start, body, ahead),
            _ => private_key::judge(text, start, body, ahead),
        };
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
        Shape::PrivateKey | Shape::PuttyLines => private_key::extend(text, at, ahead),
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
