//! Amounts of money, exact.

use std::fmt;
use std::str::FromStr;

const PICO_DIGITS: usize = 12;
const MICRO_DIGITS: usize = 6;

/// Millionths of a USD: limits, and what an exchange costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub u64);

/// Trillionths of a USD: a rate per token, or a flat fee. A rate of 1 USD per million tokens is 1,000,000 pico-USD per token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PicoUsd(pub u64);

/// Why a text is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not digits with at most one point.
    #[error("`{0}` is no amount of money; write digits with a point, such as `2.50 USD`")]
    NotAnAmount(String),
    /// Another currency, or none where one is needed.
    #[error("`{0}` is not in USD, the only currency of budgets and prices; write for example `2.50 USD`")]
    NotUsd(String),
    /// Digits beyond what is counted.
    #[error("`{amount}` has more than {digits} digits behind the point; less than that is not counted")]
    TooFine {
        /// The amount.
        amount: String,
        /// Digits that count.
        digits: usize,
    },
    /// Above what is counted.
    #[error("`{amount}` is too much; the most is {most} USD")]
    TooMuch {
        /// The amount.
        amount: String,
        /// The largest amount, in USD.
        most: u64,
    },
}

/// Largest limit or cost that can be written, in USD: what the ledger's largest figure, 2^48 micro-USD, holds.
const MOST_USD: u64 = crate::MAX_AMOUNT / 1_000_000;

/// Largest rate per million tokens and largest flat fee, in USD: far above any price, and so low that a sum over any
/// number of tokens fits 128 bits.
const MOST_RATE_USD: u64 = 1_000_000;

impl MicroUsd {
    /// Reads an amount with its currency, `25 USD` or `0.000001 USD`.
    ///
    /// # Errors
    ///
    /// Anything else, more than six digits behind the point, more than 281,474,976 USD.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let amount = with_currency(text)?;
        scaled(amount, MICRO_DIGITS, MOST_USD).map(Self)
    }
}

impl PicoUsd {
    /// Reads a rate in USD per million tokens, `2.50` or `2.50 USD`, as pico-USD per token.
    ///
    /// # Errors
    ///
    /// No such amount, more than six digits behind the point, more than 1,000,000 USD.
    pub fn parse_per_million(text: &str) -> Result<Self, MoneyError> {
        scaled(without_currency(text)?, PICO_DIGITS - 6, MOST_RATE_USD).map(Self)
    }

    /// Reads a flat amount, `0.005` or `0.005 USD`.
    ///
    /// # Errors
    ///
    /// No such amount, more than twelve digits behind the point, more than 1,000,000 USD.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        scaled(without_currency(text)?, PICO_DIGITS, MOST_RATE_USD).map(Self)
    }
}

fn with_currency(text: &str) -> Result<&str, MoneyError> {
    let amount = text.trim().strip_suffix("USD").map(str::trim_end);
    amount.ok_or_else(|| {
        match text
            .trim()
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            true if text.trim().is_empty() => MoneyError::NotAnAmount(shown(text)),
            _ => MoneyError::NotUsd(shown(text)),
        }
    })
}

fn without_currency(text: &str) -> Result<&str, MoneyError> {
    let text = text.trim();
    match text.bytes().next_back() {
        Some(byte) if byte.is_ascii_alphabetic() => with_currency(text),
        _ => Ok(text),
    }
}

/// The amount in units of which `digits` digits behind the point are one.
fn scaled(amount: &str, digits: usize, most_usd: u64) -> Result<u64, MoneyError> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(MoneyError::NotAnAmount(shown(amount)));
    }
    // Zeros at the end say nothing, so that `1.0000000` is fine.
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > digits {
        return Err(MoneyError::TooFine {
            amount: shown(amount),
            digits,
        });
    }
    let too_much = || MoneyError::TooMuch {
        amount: shown(amount),
        most: most_usd,
    };
    let scale = 10_u64.pow(u32::try_from(digits).unwrap_or_default());
    let most = most_usd.saturating_mul(scale);
    let padded = format!("{fraction:0<digits$}");
    let units = whole.parse::<u64>().ok().and_then(|whole| {
        let fraction = padded.parse::<u64>().ok()?;
        whole.checked_mul(scale)?.checked_add(fraction)
    });
    units.filter(|&units| units <= most).ok_or_else(too_much)
}

/// Longest part of a refused text that an error repeats.
const SHOWN_CHARS: usize = 40;

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

impl FromStr for MicroUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::parse(text)
    }
}

impl fmt::Display for MicroUsd {
    /// All digits that count, at least two behind the point: `2.50 USD`, `0.000001 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, micro) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let fraction = format!("{micro:06}");
        let short = fraction.trim_end_matches('0');
        write!(f, "{whole}.{short:0<2} USD")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts() {
        for (text, micro) in [
            ("2.50 USD", 2_500_000),
            ("25 USD", 25_000_000),
            ("0.000001 USD", 1),
            ("0 USD", 0),
            ("007.10USD", 7_100_000),
            (" 1.00000000000 USD ", 1_000_000),
            ("281474976 USD", 281_474_976_000_000),
        ] {
            assert_eq!(MicroUsd::parse(text), Ok(MicroUsd(micro)), "{text}");
        }
        assert_eq!(PicoUsd::parse_per_million("2.50"), Ok(PicoUsd(2_500_000)));
        assert_eq!(PicoUsd::parse_per_million("0.0375 USD"), Ok(PicoUsd(37_500)));
        assert_eq!(PicoUsd::parse_per_million("0.000001"), Ok(PicoUsd(1)));
        assert_eq!(PicoUsd::parse("0.005"), Ok(PicoUsd(5_000_000_000)));
        assert_eq!(PicoUsd::parse("0.000000000001 USD"), Ok(PicoUsd(1)));
        assert_eq!(PicoUsd::parse("1000000"), Ok(PicoUsd(1_000_000_000_000_000_000)));
    }

    #[test]
    fn what_is_no_amount() {
        use MoneyError as E;
        let shown = |text: &str| text.to_owned();
        for text in [
            "", " ", "USD", "-1 USD", "+1 USD", ". USD", "1. USD", ".5 USD", "1e3 USD", "1,5 USD", "1 2 USD",
            "٣ USD",
        ] {
            assert!(matches!(MicroUsd::parse(text), Err(E::NotAnAmount(_))), "{text}");
        }
        for text in ["25", "25 EUR", "25 usd", "$25", "25 USDT"] {
            assert_eq!(MicroUsd::parse(text), Err(E::NotUsd(shown(text))), "{text}");
        }
        assert_eq!(
            MicroUsd::parse("0.0000015 USD"),
            Err(E::TooFine {
                amount: shown("0.0000015"),
                digits: 6
            })
        );
        assert_eq!(
            PicoUsd::parse_per_million("0.0000001"),
            Err(E::TooFine {
                amount: shown("0.0000001"),
                digits: 6
            })
        );
        for text in ["281474976.1 USD", "281474977 USD", "99999999999999999999999 USD"] {
            assert!(matches!(MicroUsd::parse(text), Err(E::TooMuch { .. })), "{text}");
        }
        assert!(matches!(
            PicoUsd::parse_per_million("1000000.1"),
            Err(E::TooMuch { .. })
        ));
        assert!(matches!(
            PicoUsd::parse_per_million("2.50 EUR"),
            Err(E::NotUsd(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(micro in 0..=281_474_976_000_000_u64) {
            prop_assert_eq!(MicroUsd::parse(&MicroUsd(micro).to_string()), Ok(MicroUsd(micro)));
        }
    }
}
