//! `prices`: what models cost, beside the built-in table.

use std::path::PathBuf;

use monitor_budget::{PicoUsd, PriceEntry, PriceSpec, PriceTable, Unknown};
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::Spanned;

use super::error::Problems;
use super::validate::absolute;

/// Largest file of prices that is read: some ten times the built-in one.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What models cost, beside the built-in table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Prices {
    /// Absolute path of the file that `file_entries` are from.
    pub file: Option<PathBuf>,
    /// Prices that come before the built-in ones.
    #[serde(skip)]
    pub file_entries: Vec<PriceEntry>,
    /// Prices that come before those.
    #[serde(serialize_with = "described")]
    pub models: Vec<PriceEntry>,
    /// What a model costs that has no price.
    #[serde(serialize_with = "rule")]
    pub unknown: Unknown,
}

impl Prices {
    /// The table to price exchanges by.
    #[must_use]
    pub fn table(&self) -> monitor_budget::Prices {
        let table = PriceTable::builtin()
            .with_overrides(self.file_entries.clone())
            .with_overrides(self.models.clone());
        monitor_budget::Prices::new(table, self.unknown)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PricesSpec {
    file: Option<Spanned<String>>,
    models: Option<Vec<Spanned<PriceSpec>>>,
    unknown: Option<Spanned<UnknownSpec>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum UnknownSpec {
    Word(String),
    Rates(RatesSpec),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatesSpec {
    input: String,
    output: String,
}

pub(super) fn prices(spec: PricesSpec, problems: &mut Problems<'_>) -> Prices {
    let mut models: Vec<PriceEntry> = Vec::new();
    for spec in spec.models.unwrap_or_default() {
        let at = spec.referenced;
        models.extend(problems.take(at, PriceEntry::try_from(&spec.value)));
        if let Err(error) = PriceEntry::check_distinct(&models) {
            problems.add(at, error);
            models.pop();
        }
    }
    let at = spec.file.as_ref().map(|file| file.referenced);
    let file = spec.file.and_then(|file| absolute(file, problems));
    let file_entries = match (&file, at) {
        (Some(path), Some(at)) => problems.take(at, read(path)),
        _ => None,
    };
    Prices {
        file,
        file_entries: file_entries.unwrap_or_default(),
        models,
        unknown: spec
            .unknown
            .and_then(|spec| unknown(spec, problems))
            .unwrap_or_default(),
    }
}

fn read(path: &std::path::Path) -> Result<Vec<PriceEntry>, String> {
    let cannot =
        |error: &dyn std::fmt::Display| format!("cannot use the price table {}: {error}", path.display());
    let bytes = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(cannot(&format_args!(
            "it has {bytes} bytes, more than {MAX_FILE_BYTES}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    PriceEntry::parse_table(&text).map_err(|error| cannot(&error))
}

fn unknown(spec: Spanned<UnknownSpec>, problems: &mut Problems<'_>) -> Option<Unknown> {
    let at = spec.referenced;
    match spec.value {
        UnknownSpec::Word(word) if word == "deny" => Some(Unknown::Deny),
        UnknownSpec::Word(word) if word == "free" => Some(Unknown::Free),
        UnknownSpec::Word(word) => {
            problems.add(at, format_args!(
                "`{word}` does not say what a model without a price costs; write `deny`, `free`, or rates per million tokens as in `{{input: 10 USD, output: 50 USD}}`"
            ));
            None
        }
        UnknownSpec::Rates(rates) => {
            let input = problems.take(at, PicoUsd::parse_per_million(&rates.input));
            let output = problems.take(at, PicoUsd::parse_per_million(&rates.output));
            Some(Unknown::At {
                input: input?,
                output: output?,
            })
        }
    }
}

/// Which models at which providers; the rates are in the file that was read.
fn described<S: Serializer>(entries: &[PriceEntry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(|entry| (&entry.providers, &entry.models)))
}

fn rule<S: Serializer>(unknown: &Unknown, serializer: S) -> Result<S::Ok, S::Error> {
    match unknown {
        Unknown::Deny => serializer.serialize_str("deny"),
        Unknown::Free => serializer.serialize_str("free"),
        Unknown::At { input, output } => {
            serializer.collect_str(&format_args!("{} and {} pico-USD per token", input.0, output.0))
        }
    }
}
