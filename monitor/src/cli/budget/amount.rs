//! Amounts of a budget as a person reads them.

use std::str::FromStr;

use monitor_budget::Unit;
use serde_json::Value;

use crate::cli::format::{number, text, thousands};

/// A figure of a budget in its unit: tokens with their thousands apart, money in dollars to the last millionth that is not nothing.
pub(super) fn amount(unit: &str, figure: u64) -> String {
    if unit != Unit::MicroUsd.name() {
        return thousands(figure);
    }
    let (dollars, millionths) = (figure / 1_000_000, figure % 1_000_000);
    let digits = format!("{millionths:06}");
    // Cents are always shown.
    let shown = digits.trim_end_matches('0').len().max(2);
    format!("${}.{}", thousands(dollars), &digits[..shown])
}

/// A limit as a person writes it: a number with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) unit: Unit,
    pub(super) figure: u64,
}

impl FromStr for Amount {
    type Err = String;

    /// Reads `300k tokens`, `1M output tokens`, `12.50 USD`, `20 requests`, `5 concurrent`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (figure, unit) = crate::config::limit(text).map_err(|error| error.to_string())?;
        Ok(Self { unit, figure })
    }
}

/// What a unit's figures count, where they do not say so themselves.
pub(in crate::cli) fn counted(unit: &str) -> String {
    match unit {
        "micro_usd" => "USD".to_owned(),
        "concurrency" => "concurrent".to_owned(),
        other => other.replace('_', " "),
    }
}

/// The figure at a JSON pointer, in the unit of its row.
pub(in crate::cli) fn figure(row: &Value, pointer: &str) -> String {
    amount(row["unit"].as_str().unwrap_or_default(), number(row, pointer))
}

/// A window: `1h`, `month Europe/Berlin`, `now` where only what is held counts.
pub(super) fn window(row: &Value, pointer: &str) -> String {
    match row.pointer(pointer).and_then(Value::as_str) {
        Some("open") => "now".to_owned(),
        _ => crate::cli::format::window(&text(row, pointer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact() {
        for (figure, shown) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (10_000, "$0.01"),
            (1_500_000, "$1.50"),
            (1_234_567_890_000, "$1,234,567.89"),
            (2_500_010, "$2.50001"),
            (u64::MAX, "$18,446,744,073,709.551615"),
        ] {
            assert_eq!(amount("micro_usd", figure), shown);
        }
        assert_eq!(amount("tokens", 1_234_567), "1,234,567");
    }

    #[test]
    fn limits_have_their_unit() {
        for (text, unit, figure) in [
            ("300k tokens", Unit::Tokens, 300_000),
            ("1 token", Unit::Tokens, 1),
            ("1.5M output tokens", Unit::OutputTokens, 1_500_000),
            ("2k input tokens", Unit::InputTokens, 2_000),
            ("5 cache tokens", Unit::CacheTokens, 5),
            ("12.50 USD", Unit::MicroUsd, 12_500_000),
            ("20 requests", Unit::Requests, 20),
            ("5 concurrent", Unit::Concurrency, 5),
            ("0 tokens", Unit::Tokens, 0),
        ] {
            assert_eq!(text.parse(), Ok(Amount { unit, figure }), "{text}");
        }
        for wrong in [
            "",
            "5",
            "300k",
            "USD",
            "1.5 tokens",
            "-1 tokens",
            "5 EUR",
            "5 tokens tokens",
        ] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn units_and_windows_are_words() {
        let shown = monitor_budget::Unit::ALL.map(|unit| counted(unit.name()));
        let words = [
            "tokens",
            "input tokens",
            "output tokens",
            "cache tokens",
            "USD",
            "requests",
            "concurrent",
        ];
        assert_eq!(shown, words);
        for (kept, shown) in [
            ("rolling:3600000ms", "1h"),
            ("month:Europe/Berlin", "month Europe/Berlin"),
            ("open", "now"),
        ] {
            assert_eq!(window(&serde_json::json!({"window": kept}), "/window"), shown);
        }
    }
}
