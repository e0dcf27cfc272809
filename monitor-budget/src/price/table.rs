//! Which price holds.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Price, PriceEntry};
use crate::{Glob, MAX_PATTERN_BYTES};

const BUILTIN: &str = include_str!("../../prices.json");

/// Longest name of a model that may have a price; no pattern without `*` is longer. Longer names have none.
pub const MAX_MODEL_BYTES: usize = MAX_PATTERN_BYTES;

/// Prices by provider, model and day. A clone shares the entries.
#[derive(Debug, Clone)]
pub struct PriceTable {
    /// In the order in which they are asked.
    layers: Vec<Arc<Layer>>,
}

/// Entries of one origin.
#[derive(Debug)]
struct Layer {
    entries: Vec<PriceEntry>,
    /// By the name in lower case, the most specific first.
    exact: HashMap<Box<str>, Vec<Rule>>,
    /// Patterns by their literal beginning, sorted by it.
    beginnings: Vec<Beginning>,
}

/// Patterns of models that begin with the same literal.
#[derive(Debug)]
struct Beginning {
    literal: Box<str>,
    /// The longest other beginning that is a beginning of this one.
    shorter: Option<usize>,
    /// The most specific first.
    rules: Vec<Rule>,
}

/// One provider and one model of an entry.
#[derive(Debug)]
struct Rule {
    provider: Glob,
    /// In lower case.
    model: Glob,
    /// Index of the entry.
    entry: usize,
}

impl PriceTable {
    /// The prices known to this build.
    #[must_use]
    pub fn builtin() -> Self {
        // A test checks that the file can be read.
        Self::default().with_overrides(PriceEntry::parse_table(BUILTIN).unwrap_or_default())
    }

    /// The table with more entries, which come before all that it has.
    #[must_use]
    pub fn with_overrides(mut self, entries: Vec<PriceEntry>) -> Self {
        self.layers.insert(0, Arc::new(Layer::new(entries)));
        self
    }

    /// What `model` costs at `provider` on the day (UTC) of a moment in Unix milliseconds. Letters of a model match in
    /// either case. Time is linear in the model's name.
    #[must_use]
    pub fn price(&self, provider: &str, model: &str, at_unix_ms: u64) -> Option<&Price> {
        let mut buffer = [0; MAX_MODEL_BYTES];
        let name = buffer.get_mut(..model.len())?;
        name.copy_from_slice(model.as_bytes());
        name.make_ascii_lowercase();
        let name = std::str::from_utf8(name).ok()?;
        let on = day(at_unix_ms)?;
        let price_of = |name| {
            self.layers
                .iter()
                .find_map(|layer| layer.price(provider, name, on))
        };
        price_of(name).or_else(|| price_of(last_segment(name)?))
    }

    /// All entries, those that come first first.
    pub fn entries(&self) -> impl Iterator<Item = &PriceEntry> {
        self.layers.iter().flat_map(|layer| &layer.entries)
    }
}

impl Default for PriceTable {
    /// A table without prices.
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

/// The model in the name of a resource: an inference profile's or foundation model's ARN (Bedrock), `models/{model}` (Gemini's Live),
/// `projects/…/models/{model}` (Vertex).
fn last_segment(name: &str) -> Option<&str> {
    let is_resource = ["arn:", "models/", "projects/", "publishers/"]
        .iter()
        .any(|beginning| name.starts_with(beginning));
    let (_, last) = name.rsplit_once('/').filter(|_| is_resource)?;
    Some(last)
}

fn day(unix_ms: u64) -> Option<Date> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(TimeZone::UTC.to_datetime(timestamp).date())
}

/// The part of a pattern before its first `*` or `?`.
fn literal(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

/// What makes one pattern more specific than another: none of `*` and `?`, then a longer literal beginning, then more literal characters.
fn specificity(pattern: &str) -> (bool, usize, usize) {
    let beginning = literal(pattern).len();
    let literals = pattern
        .bytes()
        .filter(|byte| !matches!(byte, b'*' | b'?'))
        .count();
    (beginning == pattern.len(), beginning, literals)
}

impl Layer {
    fn new(entries: Vec<PriceEntry>) -> Self {
        let mut exact: HashMap<Box<str>, Vec<Rule>> = HashMap::new();
        let mut patterns: HashMap<Box<str>, Vec<Rule>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            for model in &entry.models {
                let name = model.as_str().to_ascii_lowercase();
                // Lower case changes no length, so that the pattern stays one.
                let Ok(model) = Glob::new(&name) else { continue };
                let beginning = literal(&name);
                let map = if beginning.len() == name.len() {
                    &mut exact
                } else {
                    &mut patterns
                };
                let rules = map.entry(beginning.into()).or_default();
                rules.extend(entry.providers.iter().map(|provider| Rule {
                    provider: provider.clone(),
                    model: model.clone(),
                    entry: index,
                }));
            }
        }
        let rank = |rule: &Rule| {
            let from = entries.get(rule.entry).and_then(|entry| entry.price.from);
            Reverse((
                specificity(rule.model.as_str()),
                specificity(rule.provider.as_str()),
                from,
            ))
        };
        exact
            .values_mut()
            .chain(patterns.values_mut())
            .for_each(|rules| rules.sort_by_key(rank));
        let beginnings = linked(patterns);
        Self {
            entries,
            exact,
            beginnings,
        }
    }

    fn price(&self, provider: &str, model: &str, on: Date) -> Option<&Price> {
        let exact = self.exact.get(model).map(Vec::as_slice).unwrap_or_default();
        let patterns = self.beginnings_of(model).flat_map(|beginning| &beginning.rules);
        exact.iter().chain(patterns).find_map(|rule| {
            let price = &self.entries.get(rule.entry)?.price;
            let holds = price.from.is_none_or(|from| from <= on)
                && rule.provider.matches(provider)
                && rule.model.matches(model);
            holds.then_some(price)
        })
    }

    /// The literal beginnings of a name, the longest first.
    fn beginnings_of(&self, model: &str) -> impl Iterator<Item = &Beginning> {
        // Whatever begins the name sorts before it, and either is the last that does or begins that one too.
        let after = self
            .beginnings
            .partition_point(|beginning| *beginning.literal <= *model);
        let mut next = after.checked_sub(1);
        std::iter::from_fn(move || {
            let beginning = self.beginnings.get(next?)?;
            next = beginning.shorter;
            Some(beginning)
        })
        .filter(move |beginning| model.starts_with(&*beginning.literal))
    }
}

fn linked(patterns: HashMap<Box<str>, Vec<Rule>>) -> Vec<Beginning> {
    let mut sorted: Vec<_> = patterns.into_iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    // Those that begin the one at hand, each with its index.
    let mut open: Vec<(usize, Box<str>)> = Vec::new();
    let mut beginnings = Vec::with_capacity(sorted.len());
    for (index, (literal, rules)) in sorted.into_iter().enumerate() {
        while open
            .last()
            .is_some_and(|(_, shorter)| !literal.starts_with(&**shorter))
        {
            open.pop();
        }
        let shorter = open.last().map(|&(index, _)| index);
        open.push((index, literal.clone()));
        beginnings.push(Beginning {
            literal,
            shorter,
            rules,
        });
    }
    beginnings
}
