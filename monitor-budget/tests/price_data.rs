//! What must hold for the built-in prices, whoever edits them.

use std::collections::BTreeSet;

use monitor_budget::{PicoUsd, PriceEntry, PriceTable, Rates};
use serde_json::Value;

const FILE: &str = include_str!("../prices.json");
/// Names of providers, as the agent's catalog has them.
const CATALOG: &str = include_str!("../../monitor-protocol/catalog.tsv");

fn entries() -> Vec<PriceEntry> {
    let entries = PriceEntry::parse_table(FILE).unwrap_or_default();
    assert!(!entries.is_empty());
    entries
}

fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::String(name) => vec![name],
        list => list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// By provider, then model, then day, so that a change is where one looks for it.
#[test]
fn entries_and_their_names_are_sorted() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let prices = file["prices"].as_array().unwrap();
    let places: Vec<_> = prices
        .iter()
        .map(|entry| {
            (
                names(&entry["provider"]),
                names(&entry["model"]),
                entry["from"].as_str(),
            )
        })
        .collect();
    for pair in places.windows(2) {
        assert!(pair[0] < pair[1], "{:?} stands before {:?}", pair[0], pair[1]);
    }
    for (providers, models, _) in &places {
        assert!(providers.is_sorted() && models.is_sorted(), "{models:?}");
    }
}

#[test]
fn every_entry_is_dated_and_has_its_page() {
    for entry in entries() {
        let models = &entry.models;
        let source = entry.source.unwrap_or_else(|| panic!("{models:?} has no source"));
        assert!(source.starts_with("https://"), "{models:?}: {source}");
        let as_of = entry.as_of.unwrap_or_else(|| panic!("{models:?} has no day"));
        let from = entry
            .price
            .from
            .unwrap_or_else(|| panic!("{models:?} holds from no day on"));
        assert!(from >= jiff::civil::date(2023, 1, 1), "{models:?}: {from}");
        // A change that was announced may lie ahead, by months.
        assert!(
            from < as_of.saturating_add(jiff::Span::new().months(6)),
            "{models:?}: {from}, {as_of}"
        );
    }
}

#[test]
fn entries_name_models_and_providers_of_the_catalog() {
    let catalog: BTreeSet<&str> = CATALOG
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    for entry in entries() {
        for provider in &entry.providers {
            assert!(
                catalog.contains(provider.as_str()),
                "{provider} is not in the catalog"
            );
        }
        for model in &entry.models {
            let name = model.as_str();
            // A pattern would give later models a price that nobody has looked up. Tuned models have names of their own.
            let is_exact = !name.contains(['*', '?']);
            assert!(
                is_exact || (name.starts_with("ft:") && name.ends_with(":*")),
                "{name}"
            );
            assert_eq!(name.trim(), name);
        }
    }
}

/// What the agent assumes where a provider does not say which tokens of a kind came from a cache.
#[test]
fn rates_stand_in_a_sensible_relation() {
    for entry in entries() {
        let tiers = entry.price.long_context.iter().map(|tier| &tier.rates);
        for rates in [&entry.price.rates].into_iter().chain(tiers) {
            let models = &entry.models;
            assert!(
                rates.cache_read <= rates.input,
                "{models:?}: reading a cache is no dearer than the prompt"
            );
            assert!(
                rates.cache_write >= rates.input,
                "{models:?}: writing a cache is no cheaper than the prompt"
            );
            assert!(rates.cache_write_1h >= rates.cache_write, "{models:?}");
            assert!(rates.reasoning >= rates.output, "{models:?}");
            assert!(rates.cache_read_media >= rates.cache_read, "{models:?}");
            let media = [rates.input_audio, rates.input_image, rates.input_video];
            for rate in media {
                assert!(
                    rate >= rates.input,
                    "{models:?}: text is the cheapest of a prompt"
                );
            }
            let dearest = media.into_iter().max().unwrap_or_default();
            assert!(
                dearest.0 - rates.input.0 >= rates.cache_read_media.0 - rates.cache_read.0,
                "{models:?}: media from a cache are dearer than text by no more than others are"
            );
            assert!(
                rates.output_audio >= rates.output && rates.output_image >= rates.output,
                "{models:?}"
            );
            // A slip of the point: nothing costs more than a thousand dollars per million, or less than a tenth of a cent.
            assert!(
                *rates == Rates::default() || rates.input >= PicoUsd(1_000),
                "{models:?}"
            );
            assert!(
                rates.input <= PicoUsd(1_000_000_000) && rates.output <= PicoUsd(1_000_000_000),
                "{models:?}"
            );
        }
        for pair in entry.price.long_context.windows(2) {
            assert!(pair[0].above_prompt_tokens < pair[1].above_prompt_tokens);
        }
        if let Some(tier) = entry.price.long_context.first() {
            assert!(tier.rates.input >= entry.price.rates.input, "{:?}", entry.models);
        }
    }
}

#[test]
fn each_name_finds_its_own_entry_on_its_day() {
    let table = PriceTable::builtin();
    for entry in entries() {
        let from = entry
            .price
            .from
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap();
        let at_ms = u64::try_from(from.timestamp().as_millisecond()).unwrap();
        for provider in &entry.providers {
            for model in &entry.models {
                let name = model.as_str().replace('*', "org");
                assert_eq!(
                    table.price(provider.as_str(), &name, at_ms),
                    Some(&entry.price),
                    "{provider} {model}"
                );
            }
        }
    }
}
