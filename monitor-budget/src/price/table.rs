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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{PicoUsd, Rates};

    fn entry(provider: &str, model: &str, from: Option<Date>, input: u64) -> PriceEntry {
        PriceEntry {
            providers: vec![Glob::new(provider).unwrap()],
            models: vec![Glob::new(model).unwrap()],
            price: Price {
                from,
                ..Price::flat(PicoUsd(input), PicoUsd(0))
            },
            source: None,
            as_of: None,
        }
    }

    fn table(rules: &[(&str, &str)]) -> PriceTable {
        let entries = (0..)
            .zip(rules)
            .map(|(number, (provider, model))| entry(provider, model, None, number));
        PriceTable::default().with_overrides(entries.collect())
    }

    fn rule_for(table: &PriceTable, provider: &str, model: &str) -> Option<u64> {
        table.price(provider, model, 0).map(|price| price.rates.input.0)
    }

    #[test]
    fn the_most_specific_entry_holds() {
        let table = table(&[
            ("*", "*"),
            ("openai", "gpt-*"),
            ("*", "gpt-4o*"),
            ("openai", "gpt-4o*"),
            ("open*", "gpt-4o*"),
            ("*", "gpt-4o-mini"),
            ("openai", "*-mini"),
            ("openai", "gpt-4o*mini"),
        ]);
        for (provider, model, want) in [
            ("other", "claude", 0),
            ("openai", "gpt-5", 1),
            ("azure", "gpt-4o", 2),
            ("openai", "gpt-4o", 3),
            ("openish", "gpt-4o", 4),
            ("openai", "gpt-4o-mini", 5),
            ("openai", "GPT-4o-Mini", 5),
            ("openai", "o1-mini", 6),
            ("openai", "gpt-4o-super-mini", 7),
            ("openai", "gpt-5-mini", 1),
        ] {
            assert_eq!(
                rule_for(&table, provider, model),
                Some(want),
                "{provider} {model}"
            );
        }
    }

    #[test]
    fn the_price_of_the_day_holds() {
        let day = |day| Some(jiff::civil::date(2026, 10, day));
        let entries = vec![
            entry("a", "m", day(7), 2),
            entry("a", "m", None, 0),
            entry("a", "m", day(1), 1),
            entry("a", "n", day(5), 3),
            entry("a", "n*", None, 4),
        ];
        let table = PriceTable::default().with_overrides(entries);
        let at = |text: &str| u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap();
        for (model, moment, want) in [
            ("m", "2026-09-30T23:59:59.999Z", 0),
            ("m", "2026-10-01T00:00:00Z", 1),
            ("m", "2026-10-06T23:59:59.999Z", 1),
            ("m", "2026-10-07T01:59:59+02:00", 1),
            ("m", "2026-10-07T00:00:00Z", 2),
            ("m", "2030-01-01T00:00:00Z", 2),
            ("n", "2026-10-04T00:00:00Z", 4),
            ("n", "2026-10-05T00:00:00Z", 3),
        ] {
            let price = table.price("a", model, at(moment)).unwrap();
            assert_eq!(price.rates.input.0, want, "{model} {moment}");
        }
        assert!(table.price("a", "m", u64::MAX).is_none());
    }

    #[test]
    fn overrides_come_first_whatever_they_say() {
        let table = table(&[("openai", "gpt-4o")])
            .with_overrides(vec![entry("*", "gpt*", None, 10)])
            .with_overrides(vec![entry("azure", "*", None, 20)]);
        assert_eq!(rule_for(&table, "openai", "gpt-4o"), Some(10));
        assert_eq!(rule_for(&table, "azure", "gpt-4o"), Some(20));
        assert_eq!(rule_for(&table, "openai", "o3"), None);
        assert_eq!(table.entries().count(), 3);
    }

    #[test]
    fn a_resource_is_known_by_its_model() {
        let table = table(&[("*", "us.anthropic.m"), ("*", "gemini"), ("*", "a/b")]);
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.m";
        assert_eq!(rule_for(&table, "bedrock", arn), Some(0));
        assert_eq!(rule_for(&table, "google", "models/gemini"), Some(1));
        let vertex = "projects/p/locations/l/publishers/google/models/gemini";
        assert_eq!(rule_for(&table, "vertex", vertex), Some(1));
        assert_eq!(rule_for(&table, "x", "a/b"), Some(2));
        // Of another's model of the same name nothing is known.
        assert_eq!(rule_for(&table, "x", "someone/gemini"), None);
    }

    #[test]
    fn hostile_names_take_linear_time() {
        let mut entries: Vec<_> = (1..=200)
            .map(|length| entry("*", &("a".repeat(length) + "*b"), None, 1))
            .collect();
        entries.push(entry("*", &"*a".repeat(100), None, 2));
        let table = PriceTable::default().with_overrides(entries);
        let started = std::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(
                rule_for(&table, "x", &("a".repeat(MAX_MODEL_BYTES - 1) + "c")),
                None
            );
        }
        for name in [
            "",
            "\0",
            "*",
            "a*b",
            "arn:/",
            "models/",
            "é",
            &"/".repeat(256),
            &"a".repeat(1 << 20),
        ] {
            let _ = rule_for(&table, "x", name);
        }
        assert!(started.elapsed().as_secs() < 5);
        assert_eq!(rule_for(&table, "x", &"a".repeat(MAX_MODEL_BYTES)), Some(2));
        assert_eq!(
            rule_for(&table, "x", &"a".repeat(MAX_MODEL_BYTES + 1)),
            None,
            "longer than any pattern"
        );
    }

    #[test]
    fn the_built_in_table_is_read_whole() {
        let entries = PriceEntry::parse_table(BUILTIN).unwrap();
        assert_eq!(PriceTable::builtin().entries().count(), entries.len());
        assert!(entries.len() > 300);
        assert_ne!(entries[0].price.rates, Rates::default());
    }

    proptest! {
        /// The index against a search through all entries.
        #[test]
        fn agrees_with_the_definition(
            rules in proptest::collection::vec(("[xy*]{1,2}", "[ab*]{1,5}"), 1..12),
            provider in "[xy]{1,2}",
            model in "[ab]{0,6}",
        ) {
            let rules: Vec<(&str, &str)> = rules.iter().map(|(p, m)| (p.as_str(), m.as_str())).collect();
            let matching = (0..).zip(&rules).filter(|(_, (p, m))| {
                Glob::new(p).unwrap().matches(&provider) && Glob::new(m).unwrap().matches(&model)
            });
            // The first of those of the same rank.
            let want = matching.min_by_key(|(number, (p, m))| {
                (Reverse((specificity(m), specificity(p))), *number)
            });
            prop_assert_eq!(rule_for(&table(&rules), &provider, &model), want.map(|(number, _)| number));
        }
    }
}
