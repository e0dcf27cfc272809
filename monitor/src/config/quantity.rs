//! Quantities with units, as an operator writes them: `200k tokens`, `1h`, `32 MiB`.

/// Why a quantity was refused; each names what would be accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantityError {
    /// Not `<number>[k|M|G] tokens`.
    #[error("`{0}` is not a number of tokens; write for example `200k tokens` (suffixes k, M, G)")]
    Tokens(String),
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

/// Reads `200k tokens`, `1.5M tokens`, `1 token`: a count of tokens. The word is required, so that a limit in another
/// unit can never be taken for one in tokens.
///
/// # Errors
///
/// Any other text, a fraction of a token, or more than 64 bits.
pub(crate) fn tokens(text: &str) -> Result<u64, QuantityError> {
    let refused = || QuantityError::Tokens(text.to_owned());
    let number = text
        .trim()
        .strip_suffix("tokens")
        .or_else(|| text.trim().strip_suffix("token"))
        .ok_or_else(refused)?;
    let (digits, suffix) = split_number(number);
    let scale = match suffix {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(refused()),
    };
    scaled(digits, scale).map_err(|problem| problem.on(text, refused))
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
    fn token_counts() {
        assert_eq!(tokens("200k tokens"), Ok(200_000));
        assert_eq!(tokens("1 token"), Ok(1));
        assert_eq!(tokens(" 1.1M tokens "), Ok(1_100_000));
        assert_eq!(tokens("1_000 tokens"), Ok(1_000));
        assert_eq!(tokens("2G tokens"), Ok(2_000_000_000));
        for wrong in [
            "200k",
            "200000",
            "25 USD",
            "k tokens",
            "",
            "-1 tokens",
            "1.5 tokens",
            "1.k tokens",
            "1.2.3k tokens",
        ] {
            assert_eq!(
                tokens(wrong),
                Err(QuantityError::Tokens(wrong.to_owned())),
                "{wrong}"
            );
        }
        let large = "18446744073709551616 tokens";
        assert_eq!(tokens(large), Err(QuantityError::TooLarge(large.to_owned())));
        let large = "99999999999999999999G tokens";
        assert_eq!(tokens(large), Err(QuantityError::TooLarge(large.to_owned())));
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
