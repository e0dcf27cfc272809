//! Numbers, RFC 8259 section 6.

use super::{JsonError, JsonFault};

/// Scans the number that begins at `start`; returns the offset after its last byte.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    match bytes.get(at) {
        Some(b'0') => at += 1,
        _ => at = digits(bytes, at)?,
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// One or more digits.
fn digits(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len())
    {
        0 if rest.is_empty() => Err(JsonError {
            offset: start,
            fault: JsonFault::Truncated,
        }),
        0 => Err(JsonError {
            offset: start,
            fault: JsonFault::Number,
        }),
        count => Ok(start + count),
    }
}

/// The value as a count: saturating above `u64::MAX`; `None` when negative or not whole. Servers written in Python
/// take `1e3` and `1000.0` for a whole number, so these count too.
pub(super) fn as_u64(number: &str) -> Option<u64> {
    if let Ok(value) = number.parse() {
        return Some(value);
    }
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(u64::MAX);
    }
    let value: f64 = number.parse().ok()?;
    // `as` saturates, infinities included, which is what is wanted of an absurd limit.
    (value >= 0.0 && (value.fract() == 0.0 || value.is_infinite())).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(as_u64("0"), Some(0));
        assert_eq!(as_u64("1e3"), Some(1000));
        assert_eq!(as_u64("1000.0"), Some(1000));
        assert_eq!(as_u64("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(as_u64("1e999"), Some(u64::MAX));
        assert_eq!(as_u64("-1"), None);
        assert_eq!(as_u64("1.5"), None);
    }
}
