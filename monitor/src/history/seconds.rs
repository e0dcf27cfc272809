//! Moments as an operator writes them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::duration_ms;

/// A moment or a length, in (Unix) seconds.
pub(super) type Seconds = u64;

/// A moment as an operator writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So many milliseconds before now: `24h`.
    Ago(u64),
    /// Unix milliseconds: `2026-11-01`, which is midnight UTC, or `2026-11-01T09:30:00Z`.
    At(u64),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a moment; write how long ago it is (`90m`, `24h`, `30d`), a day (`2026-11-01`) or a time (`2026-11-01T09:30:00Z`)"
)]
pub struct NotAMoment(String);

impl Moment {
    /// Unix milliseconds of the moment.
    #[must_use]
    pub const fn unix_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Ago(ms) => now_ms.saturating_sub(ms),
            Self::At(ms) => ms,
        }
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let text = text.trim();
        if let Ok(ms) = duration_ms(text) {
            return Ok(Self::Ago(ms));
        }
        let day = |text: &str| {
            // jiff would read a date off the front of a time without an offset.
            let date: Date = (text.len() == "2026-11-01".len()).then(|| text.parse().ok())??;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        let found: Option<Timestamp> = text.parse().ok().or_else(|| day(text));
        found
            .and_then(|found| u64::try_from(found.as_millisecond()).ok())
            .map(Self::At)
            .ok_or_else(|| NotAMoment(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(ms) => write!(f, "{ms}ms"),
            Self::At(ms) => f.write_str(&crate::event::native::rfc3339(*ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let moment = |text: &str| text.parse::<Moment>();
        assert_eq!(moment("24h"), Ok(Moment::Ago(86_400_000)));
        assert_eq!(moment("24h").unwrap().unix_ms(86_400_001), 1);
        assert_eq!(
            moment("30d").unwrap().unix_ms(5),
            0,
            "before 1970 there is nothing"
        );
        assert_eq!(moment("2024-12-08"), Ok(Moment::At(1_733_616_000_000)));
        assert_eq!(moment("2024-12-08T00:00:01Z"), Ok(Moment::At(1_733_616_001_000)));
        assert_eq!(
            moment("2024-12-08T01:00:00+01:00"),
            Ok(Moment::At(1_733_616_000_000))
        );
        for wrong in ["", "yesterday", "1969-01-01", "24", "2024-12-08T00:00:01", "-1h"] {
            assert!(moment(wrong).is_err(), "{wrong}: {:?}", moment(wrong));
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for moment in [Moment::Ago(86_400_000), Moment::At(1_733_616_001_000)] {
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }
}
