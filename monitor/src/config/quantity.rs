//! Quantities with units, as an operator writes them: `200k tokens`, `25 USD`, `1h`, `32 MiB`.

use monitor_budget::{MAX_AMOUNT, MicroUsd, MoneyError, Unit};

/// Why a quantity was refused; each names what would be accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantityError {
    /// Not `<number>[k|M|G] <unit>`.
    #[error(
        "`{0}` is not a limit; write for example `200k tokens` (suffixes k, M, G; also `input tokens`, `output tokens` and `cache tokens`), \
         `25 USD`, `60 requests` or `4 concurrent`"
    )]
    Limit(String),
    /// Not an amount of money that can be counted.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Not `<number>[k|M|G] tokens/s`.
    #[error("`{0}` is not a pace; write for example `20 tokens/s`")]
    Pace(String),
    /// Not `<number><s|m|h|d>`.
    #[error("`{0}` is not a duration; write for example `30s`, `15m`, `1h` or `7d`")]
    Duration(String),
    /// Not `<number> <B|KiB|MiB|GiB|kB|MB|GB>`.
    #[error("`{0}` is not a size; write for example `512 KiB` or `32 MiB`")]
    Bytes(String),
    /// The number with its suffix does not fit 64 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// The words of counts, the longer ones first.
const COUNTS: [(&str, Unit); 11] = [
    ("input tokens", Unit::InputTokens),
    ("input token", Unit::InputTokens),
    ("output tokens", Unit::OutputTokens),
    ("output token", Unit::OutputTokens),
    ("cache tokens", Unit::CacheTokens),
    ("cache token", Unit::CacheTokens),
    ("tokens", Unit::Tokens),
    ("token", Unit::Tokens),
    ("requests", Unit::Requests),
    ("request", Unit::Requests),
    ("concurrent", Unit::Concurrency),
];

/// Reads `200k tokens`, `1.5M output tokens`, `25 USD`, `60 requests`, `4 concurrent`: an amount and its unit. The word is
/// required, so that a limit in one unit can never be taken for one in another.
///
/// # Errors
///
/// Any other text, a fraction of what is counted, or more than [`MAX_AMOUNT`].
pub(crate) fn limit(text: &str) -> Result<(u64, Unit), QuantityError> {
    let refused = || QuantityError::Limit(text.to_owned());
    let trimmed = text.trim();
    if trimmed.ends_with("USD") {
        return Ok((MicroUsd::parse(trimmed)?.0, Unit::MicroUsd));
    }
    let counted = COUNTS
        .iter()
        .find_map(|(word, unit)| Some((trimmed.strip_suffix(word)?, *unit)));
    let (number, unit) = counted.ok_or_else(refused)?;
    match count(number, refused) {
        Some(Ok(limit)) if limit <= MAX_AMOUNT => Ok((limit, unit)),
        Some(Ok(_)) | None => Err(QuantityError::TooLarge(text.to_owned())),
        Some(Err(error)) => Err(error),
    }
}

/// Reads `20 tokens/s`: tokens a second.
///
/// # Errors
///
/// Any other text, a fraction of a token, or more than 64 bits.
pub(super) fn tokens_per_s(text: &str) -> Result<u64, QuantityError> {
    let refused = || QuantityError::Pace(text.to_owned());
    let trimmed = text.trim();
    let number = trimmed
        .strip_suffix("tokens/s")
        .or_else(|| trimmed.strip_suffix("token/s"))
        .ok_or_else(refused)?;
    count(number, refused).unwrap_or_else(|| Err(QuantityError::TooLarge(text.to_owned())))
}

/// A number with `k`, `M` or `G` behind it; `None` for one that does not fit 64 bits.
fn count(number: &str, refused: impl Fn() -> QuantityError) -> Option<Result<u64, QuantityError>> {
    let (digits, suffix) = split_number(number);
    let scale = match suffix {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Some(Err(refused())),
    };
    match scaled(digits, scale) {
        Ok(count) => Some(Ok(count)),
        Err(NumberProblem::Shape) => Some(Err(refused())),
        Err(NumberProblem::Overflow) => None,
    }
}

/// Reads `90s`, `15m`, `1h`, `30d`: a duration, in milliseconds.
///
/// # Errors
///
/// Any other text, or more than 64 bits.
pub(crate) fn duration_ms(text: &str) -> Result<u64, QuantityError> {
    let refused = || QuantityError::Duration(text.to_owned());
    let (digits, suffix) = split_number(text);
    let scale = match suffix {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(refused()),
    };
    scaled(digits, scale).map_err(|problem| problem.on(text, refused))
}

/// Reads `32 MiB`, `512KiB`, `4096`: a size, in bytes.
///
/// # Errors
///
/// Any other text, a fraction of a byte, or more than 64 bits.
pub(super) fn bytes(text: &str) -> Result<u64, QuantityError> {
    let refused = || QuantityError::Bytes(text.to_owned());
    let (digits, suffix) = split_number(text);
    let scale = match suffix {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(refused()),
    };
    scaled(digits, scale).map_err(|problem| problem.on(text, refused))
}

/// The number at the front and the unit after it, both trimmed.
fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

/// Why a number could not be scaled.
enum NumberProblem {
    Shape,
    Overflow,
}

impl NumberProblem {
    fn on(self, text: &str, refused: impl Fn() -> QuantityError) -> QuantityError {
        match self {
            Self::Shape => refused(),
            Self::Overflow => QuantityError::TooLarge(text.to_owned()),
        }
    }
}

/// `number × scale` in integers, so that `1.1M` is 1,100,000 and not a neighbour of it.
fn scaled(number: &str, scale: u64) -> Result<u64, NumberProblem> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.ends_with('.') {
        return Err(NumberProblem::Shape);
    }
    let mut value = integer(whole)?
        .checked_mul(scale)
        .ok_or(NumberProblem::Overflow)?;
    let mut unit = scale;
    for digit in fraction.bytes() {
        // A digit below one unit (`1.5` tokens, `1.0001k`) is refused rather than rounded.
        if !digit.is_ascii_digit() || !unit.is_multiple_of(10) {
            return Err(NumberProblem::Shape);
        }
        unit /= 10;
        value = value
            .checked_add(u64::from(digit - b'0') * unit)
            .ok_or(NumberProblem::Overflow)?;
    }
    Ok(value)
}

fn integer(text: &str) -> Result<u64, NumberProblem> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(NumberProblem::Shape);
    }
    text.bytes()
        .filter(|&byte| byte != b'_')
        .try_fold(0_u64, |value, byte| {
            value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(byte - b'0')))
                .ok_or(NumberProblem::Overflow)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_every_unit() {
        for (text, amount, unit) in [
            ("200k tokens", 200_000, Unit::Tokens),
            ("1 token", 1, Unit::Tokens),
            (" 1.1M tokens ", 1_100_000, Unit::Tokens),
            ("1_000 tokens", 1_000, Unit::Tokens),
            ("2G input tokens", 2_000_000_000, Unit::InputTokens),
            ("5k output tokens", 5_000, Unit::OutputTokens),
            ("1M cache tokens", 1_000_000, Unit::CacheTokens),
            ("25 USD", 25_000_000, Unit::MicroUsd),
            ("0.000001 USD", 1, Unit::MicroUsd),
            ("60 requests", 60, Unit::Requests),
            ("1 request", 1, Unit::Requests),
            ("4 concurrent", 4, Unit::Concurrency),
        ] {
            assert_eq!(limit(text), Ok((amount, unit)), "{text}");
        }
        for wrong in [
            "200k",
            "200000",
            "k tokens",
            "",
            "-1 tokens",
            "1.5 tokens",
            "1.k tokens",
            "1.2.3k tokens",
            "25 EUR",
            "5 input",
            "10 outputtokens",
            "3 concurrent requests",
        ] {
            assert_eq!(
                limit(wrong),
                Err(QuantityError::Limit(wrong.to_owned())),
                "{wrong}"
            );
        }
        assert!(matches!(limit("0.0000001 USD"), Err(QuantityError::Money(_))));
        for large in [
            "18446744073709551616 tokens",
            "99999999999999999999G tokens",
            "1000000G requests",
        ] {
            assert_eq!(limit(large), Err(QuantityError::TooLarge(large.to_owned())));
        }
    }

    #[test]
    fn paces() {
        assert_eq!(tokens_per_s("20 tokens/s"), Ok(20));
        for wrong in ["20", "20 tokens", "20/s", "1.5 tokens/s", "20 tokens/min"] {
            assert_eq!(
                tokens_per_s(wrong),
                Err(QuantityError::Pace(wrong.to_owned())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration_ms("1m"), Ok(60_000));
        assert_eq!(duration_ms("1.5h"), Ok(5_400_000));
        assert_eq!(duration_ms("30d"), Ok(30 * 86_400_000));
        for wrong in ["1", "h", "1w", "1 month", ""] {
            assert_eq!(
                duration_ms(wrong),
                Err(QuantityError::Duration(wrong.to_owned())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("32 MiB"), Ok(32 << 20));
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("1.5 MB"), Ok(1_500_000));
        assert_eq!(
            bytes("32 megabytes"),
            Err(QuantityError::Bytes("32 megabytes".to_owned()))
        );
    }
}
