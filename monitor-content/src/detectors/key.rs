//! Keys and tokens that an issuer marks with a prefix.
//!
//! One vectorised search finds the prefixes of all selected rules; the rule of the longest prefix then judges the
//! run of characters that follows it.

use aho_corasick::{AhoCorasick, MatchKind};

use super::key_rules::{DETECTORS, Detector, Rule, Shape};
use super::{LOOK_BYTES, private_key};
use crate::Finding;
use crate::bytes::{ByteSet, ends_escape};
use crate::finding::Ahead;

/// The search over all selected rules.
#[derive(Debug)]
pub(super) struct KeyEngine {
    prefixes: AhoCorasick,
    /// By pattern number.
    rules: Vec<(&'static Detector, &'static Rule)>,
    longest_prefix: usize,
    /// First bytes of the prefixes.
    first: ByteSet,
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
        let rules: Vec<_> = DETECTORS
            .iter()
            .filter(|d| selected.contains(&d.name))
            .flat_map(|d| d.rules.iter().map(move |r| (d, r)))
            .collect();
        let longest_prefix = rules.iter().map(|(_, r)| r.prefix.len()).max()?;
        let firsts: Vec<u8> = rules
            .iter()
            .filter_map(|(_, r)| r.prefix.bytes().next())
            .collect();
        let prefixes = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(rules.iter().map(|(_, r)| r.prefix))
            .ok()?;
        Some(Self {
            prefixes,
            rules,
            longest_prefix,
            first: ByteSet::of(&firsts),
        })
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
        while let Some(hit) = text.get(at..).and_then(|rest| self.prefixes.find(rest)) {
            let start = at + hit.start();
            let Some((detector, rule)) = self.rules.get(hit.pattern().as_usize()).copied() else {
                break;
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
        let begins = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            rest.first().is_some_and(|b| self.first.has(*b))
                && self
                    .rules
                    .iter()
                    .any(|(_, r)| r.prefix.as_bytes().starts_with(rest) && admits(r, text, at))
        };
        (low..text.len()).find(|at| begins(*at)).unwrap_or(text.len())
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

/// Whether a key may start at `at`: not in the middle of a word, of which `_` and `-` are a part if they are of the
/// key. So candidates of most rules do not overlap.
fn admits(rule: &Rule, text: &[u8], at: usize) -> bool {
    let class = match rule.shape {
        Shape::Run { class, .. } => class,
        Shape::PrivateKey => return true,
    };
    match at.checked_sub(1).and_then(|before| text.get(before)) {
        Some(before)
            if before.is_ascii_alphanumeric() || (matches!(before, b'_' | b'-') && class.has(*before)) =>
        {
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
