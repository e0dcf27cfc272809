//! Entries of the price table, as they are written and as they are used.

use std::str::FromStr;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LongContext, MoneyError, PicoUsd, Price, Rates};
use crate::{Glob, GlobError};

/// Most entries of a table: some twenty times the built-in one.
const MAX_ENTRIES: usize = 10_000;

/// Most patterns in a list of providers or models.
const MAX_PATTERNS: usize = 100;

/// Most steps of long context in an entry; providers have one or two.
const MAX_LONG_CONTEXTS: usize = 8;

/// A price and what it holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceEntry {
    /// Providers by their names in the catalog or configuration; not empty.
    pub providers: Vec<Glob>,
    /// Models as requests name them, in any case; not empty.
    pub models: Vec<Glob>,
    /// The price.
    pub price: Price,
    /// The page that the figures are from.
    pub source: Option<String>,
    /// The day on which that page said so.
    pub as_of: Option<Date>,
}

/// Why an entry or a file of prices was refused.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// No JSON of the right shape.
    #[error("the price table cannot be read: {0}")]
    File(#[source] serde_json::Error),
    /// Amounts in something else.
    #[error("the price table's `currency` is `{0}`; only USD is counted")]
    Currency(String),
    /// Too many.
    #[error("the price table has {0} entries, more than {MAX_ENTRIES}; use patterns")]
    TooManyEntries(usize),
    /// One entry of a table.
    #[error("price {number}: {problem}")]
    Entry {
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong with it.
        problem: Box<PriceError>,
    },
    /// No object of the right members.
    #[error("{0}")]
    Shape(#[source] serde_json::Error),
    /// An amount that cannot be used.
    #[error("{key}: {error}")]
    Money {
        /// Which.
        key: &'static str,
        /// Why.
        error: MoneyError,
    },
    /// A pattern that cannot be used.
    #[error("{key}: {error}")]
    Pattern {
        /// `provider` or `model`.
        key: &'static str,
        /// Why.
        error: GlobError,
    },
    /// A list that is empty or too long.
    #[error("{key}: has {count} names; write 1 to {MAX_PATTERNS}")]
    Patterns {
        /// `provider` or `model`.
        key: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A day that is none.
    #[error("{key}: `{text}` is no day; write it as 2026-01-31")]
    Day {
        /// `from` or `as_of`.
        key: &'static str,
        /// What is there.
        text: String,
    },
    /// Steps that do not rise, or too many of them.
    #[error("long_context: needs 1 to {MAX_LONG_CONTEXTS} steps, each with a larger `above_prompt_tokens`")]
    LongContext,
    /// The same model twice.
    #[error("repeats price {first}: the same provider, model and day; remove one")]
    Repeated {
        /// Place of the other, from 1.
        first: usize,
    },
}

/// One pattern, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum PatternList {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Declares a specification that has, beside members of its own, a member for each rate.
macro_rules! with_rates {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$own_meta:meta])* $own:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$own_meta])* pub $own: $kind,)*
            /// USD per million tokens of the prompt.
            pub input: String,
            /// Per million tokens of the answer.
            pub output: String,
            /// Prompt tokens read from a cache; as `input` if left out.
            pub cache_read: Option<String>,
            /// Prompt tokens written to a cache; as `input` if left out.
            pub cache_write: Option<String>,
            /// Prompt tokens written to a cache for an hour; as `cache_write` if left out.
            pub cache_write_1h: Option<String>,
            /// Tokens of reasoning; as `output` if left out.
            pub reasoning: Option<String>,
            /// Audio in the prompt; as `input` if left out.
            pub input_audio: Option<String>,
            /// Audio, images and video read from a cache; as `cache_read` if left out.
            pub cache_read_media: Option<String>,
            /// Images in the prompt; as `input` if left out.
            pub input_image: Option<String>,
            /// Video in the prompt; as `input_image` if left out.
            pub input_video: Option<String>,
            /// Spoken output; as `output` if left out.
            pub output_audio: Option<String>,
            /// Images made; as `output` if left out.
            pub output_image: Option<String>,
        }

        impl $name {
            fn rates(&self) -> Result<Rates, PriceError> {
                let input = rate("input", Some(&self.input), PicoUsd(0))?;
                let output = rate("output", Some(&self.output), PicoUsd(0))?;
                let cache_read = rate("cache_read", self.cache_read.as_ref(), input)?;
                let cache_write = rate("cache_write", self.cache_write.as_ref(), input)?;
                let input_image = rate("input_image", self.input_image.as_ref(), input)?;
                Ok(Rates {
                    input,
                    cache_read,
                    cache_write,
                    cache_write_1h: rate("cache_write_1h", self.cache_write_1h.as_ref(), cache_write)?,
                    output,
                    reasoning: rate("reasoning", self.reasoning.as_ref(), output)?,
                    input_audio: rate("input_audio", self.input_audio.as_ref(), input)?,
                    cache_read_media: rate("cache_read_media", self.cache_read_media.as_ref(), cache_read)?,
                    input_image,
                    input_video: rate("input_video", self.input_video.as_ref(), input_image)?,
                    output_audio: rate("output_audio", self.output_audio.as_ref(), output)?,
                    output_image: rate("output_image", self.output_image.as_ref(), output)?,
                })
            }
        }
    };
}

with_rates! {
    /// An entry as it is written, in the table's JSON and in `weir.yaml`. Amounts are decimal texts in USD, `2.50` or `2.50 USD`.
    struct PriceSpec {
        /// Providers.
        provider: PatternList,
        /// Models.
        model: PatternList,
        /// The first day of the price; always, if left out.
        from: Option<String>,
        /// Other rates for long prompts.
        long_context: Option<Vec<LongContextSpec>>,
        /// USD for each request, beside its tokens.
        per_request: Option<String>,
        /// The page that the figures are from.
        source: Option<String>,
        /// The day on which it said so.
        as_of: Option<String>,
    }
}

with_rates! {
    /// Rates of a long prompt, and of what answers it.
    struct LongContextSpec {
        /// They hold for prompts of more tokens than this.
        above_prompt_tokens: u64,
    }
}

fn rate(key: &'static str, text: Option<&String>, absent: PicoUsd) -> Result<PicoUsd, PriceError> {
    let Some(text) = text else { return Ok(absent) };
    PicoUsd::parse_per_million(text).map_err(|error| PriceError::Money { key, error })
}

impl PatternList {
    fn globs(&self, key: &'static str) -> Result<Vec<Glob>, PriceError> {
        let patterns = match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Many(patterns) => patterns,
        };
        if patterns.is_empty() || patterns.len() > MAX_PATTERNS {
            return Err(PriceError::Patterns {
                key,
                count: patterns.len(),
            });
        }
        let globs = patterns.iter().map(|pattern| Glob::new(pattern));
        globs
            .collect::<Result<_, _>>()
            .map_err(|error| PriceError::Pattern { key, error })
    }
}

impl TryFrom<&PriceSpec> for PriceEntry {
    type Error = PriceError;

    fn try_from(spec: &PriceSpec) -> Result<Self, PriceError> {
        let per_request = spec.per_request.as_deref().map_or(Ok(PicoUsd(0)), PicoUsd::parse);
        Ok(Self {
            providers: spec.provider.globs("provider")?,
            models: spec.model.globs("model")?,
            price: Price {
                rates: spec.rates()?,
                long_context: long_context(spec.long_context.as_deref())?,
                per_request: per_request.map_err(|error| PriceError::Money {
                    key: "per_request",
                    error,
                })?,
                from: day("from", spec.from.as_deref())?,
            },
            source: spec.source.clone(),
            as_of: day("as_of", spec.as_of.as_deref())?,
        })
    }
}

fn long_context(steps: Option<&[LongContextSpec]>) -> Result<Box<[LongContext]>, PriceError> {
    let Some(steps) = steps else {
        return Ok(Box::default());
    };
    let rise = steps.is_sorted_by(|one, next| one.above_prompt_tokens < next.above_prompt_tokens);
    if steps.is_empty() || steps.len() > MAX_LONG_CONTEXTS || !rise {
        return Err(PriceError::LongContext);
    }
    let tier = |step: &LongContextSpec| {
        Ok(LongContext {
            above_prompt_tokens: step.above_prompt_tokens,
            rates: step.rates()?,
        })
    };
    steps.iter().map(tier).collect()
}

fn day(key: &'static str, text: Option<&str>) -> Result<Option<Date>, PriceError> {
    let parse = |text: &str| {
        // jiff reads more than plain days.
        let date = Date::from_str(text).ok().filter(|date| date.to_string() == text);
        date.ok_or_else(|| PriceError::Day {
            key,
            text: text.chars().take(40).collect(),
        })
    };
    text.map(parse).transpose()
}

impl PriceEntry {
    /// Reads a price table: `{"currency": "USD", "prices": [{…}, …]}`, each price a [`PriceSpec`].
    ///
    /// # Errors
    ///
    /// The first entry that cannot be used, by its number, or what is wrong with the file.
    pub fn parse_table(json: &str) -> Result<Vec<Self>, PriceError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File<'f> {
            currency: String,
            #[serde(borrow)]
            prices: Vec<&'f RawValue>,
        }
        let file: File<'_> = serde_json::from_str(json).map_err(PriceError::File)?;
        if file.currency != "USD" {
            return Err(PriceError::Currency(file.currency.chars().take(40).collect()));
        }
        if file.prices.len() > MAX_ENTRIES {
            return Err(PriceError::TooManyEntries(file.prices.len()));
        }
        let entry = |(index, json): (usize, &&RawValue)| {
            let spec: Result<PriceSpec, _> = serde_json::from_str(json.get()).map_err(PriceError::Shape);
            spec.and_then(|spec| Self::try_from(&spec))
                .map_err(|problem| at(index, problem))
        };
        let entries: Vec<Self> = file
            .prices
            .iter()
            .enumerate()
            .map(entry)
            .collect::<Result<_, _>>()?;
        Self::check_distinct(&entries)?;
        Ok(entries)
    }

    /// Checks that no two entries say what the same model costs at the same provider from the same day on.
    ///
    /// # Errors
    ///
    /// The first entry that repeats another.
    pub fn check_distinct(entries: &[Self]) -> Result<(), PriceError> {
        let mut seen = std::collections::HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            for provider in &entry.providers {
                for model in &entry.models {
                    let name = model.as_str().to_ascii_lowercase();
                    let key = (provider.as_str(), name, entry.price.from);
                    if let Some(first) = seen.insert(key, index + 1) {
                        return Err(at(index, PriceError::Repeated { first }));
                    }
                }
            }
        }
        Ok(())
    }
}

fn at(index: usize, problem: PriceError) -> PriceError {
    PriceError::Entry {
        number: index + 1,
        problem: Box::new(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(prices: &str) -> Result<Vec<PriceEntry>, String> {
        let json = format!(r#"{{"currency": "USD", "prices": [{prices}]}}"#);
        PriceEntry::parse_table(&json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_costs_what_it_would_else_be_billed_as() {
        let entries = table(
            r#"{"provider": "a", "model": ["m", "m-*"], "input": "2", "output": "8 USD", "cache_read": "0.5"},
               {"provider": ["b", "c-*"], "model": "m", "from": "2026-01-31", "input": "1", "output": "2",
                "cache_write": "1.25", "input_image": "3", "per_request": "0.005",
                "long_context": [{"above_prompt_tokens": 200000, "input": "2", "output": "3"}],
                "source": "a page", "as_of": "2026-02-01"}"#,
        )
        .unwrap();
        let usd = |text| PicoUsd::parse_per_million(text).unwrap();
        let [first, second] = &entries[..] else {
            panic!("two entries")
        };
        assert_eq!(
            first.price.rates,
            Rates {
                cache_read: usd("0.5"),
                cache_read_media: usd("0.5"),
                ..Rates::flat(usd("2"), usd("8"))
            }
        );
        assert_eq!(first.price.from, None);
        let rates = &second.price.rates;
        assert_eq!(
            (rates.cache_write_1h, rates.cache_write),
            (usd("1.25"), usd("1.25"))
        );
        assert_eq!(
            (rates.input_video, rates.input_audio, rates.cache_read),
            (usd("3"), usd("1"), usd("1"))
        );
        assert_eq!(
            second.price.long_context[0].rates,
            Rates::flat(usd("2"), usd("3"))
        );
        assert_eq!(second.price.per_request, PicoUsd(5_000_000_000));
        assert_eq!(second.price.from, Some(jiff::civil::date(2026, 1, 31)));
    }

    #[test]
    fn an_error_says_which_entry_and_what() {
        let good = r#"{"provider": "a", "model": "m", "input": "1", "output": "2"}"#;
        for (entry, want) in [
            (
                r#"{"provider": "a", "model": "m", "input": "1"}"#,
                "price 2: missing field `output`",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "output": "2", "prompt": "3"}"#,
                "unknown field `prompt`",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": 1, "output": "2"}"#,
                "invalid type: integer",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "input": "1", "output": "2"}"#,
                "duplicate field `input`",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "-1", "output": "2"}"#,
                "price 2: input: `-1` is no amount",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "output": "2", "reasoning": "1 EUR"}"#,
                "reasoning: `1 EUR` is not in USD",
            ),
            (
                r#"{"provider": "a", "model": "", "input": "1", "output": "2"}"#,
                "price 2: model: the pattern is empty",
            ),
            (
                r#"{"provider": [], "model": "n", "input": "1", "output": "2"}"#,
                "price 2: provider: has 0 names",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "output": "2", "from": "2026-02-30"}"#,
                "price 2: from: `2026-02-30` is no day",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "output": "2", "from": "2026-02-03T00:00"}"#,
                "is no day",
            ),
            (
                r#"{"provider": "a", "model": "n", "input": "1", "output": "2", "long_context": []}"#,
                "price 2: long_context: needs 1 to 8",
            ),
            (
                r#"{"provider": ["b", "a"], "model": ["n", "M"], "input": "9", "output": "2"}"#,
                "price 2: repeats price 1",
            ),
            ("7", "price 2: invalid type"),
        ] {
            let error = table(&format!("{good}, {entry}")).unwrap_err();
            assert!(error.contains(want), "{entry}: {error}");
        }
        let steps = |steps: &str| {
            table(&format!(
                r#"{{"provider": "a", "model": "m", "input": "1", "output": "2", "long_context": [{steps}]}}"#
            ))
        };
        let step = r#"{"above_prompt_tokens": 5, "input": "1", "output": "2"}"#;
        assert!(steps(step).is_ok());
        assert!(
            steps(&format!("{step}, {step}"))
                .unwrap_err()
                .contains("price 1: long_context")
        );
        for (file, want) in [
            ("[]", "the price table cannot be read"),
            (r#"{"currency": "EUR", "prices": []}"#, "`currency` is `EUR`"),
            (
                r#"{"currency": "USD", "prices": [], "version": 2}"#,
                "unknown field `version`",
            ),
            (r#"{"prices": []}"#, "missing field `currency`"),
        ] {
            let error = PriceEntry::parse_table(file).unwrap_err().to_string();
            assert!(error.contains(want), "{file}: {error}");
        }
    }
}
