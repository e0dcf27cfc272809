//! `usage`: for how long the usage history is kept.

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::error::Problems;
use super::quantity;

/// Default of `usage.minutes`: yesterday, minute by minute.
pub const DEFAULT_MINUTES_MS: u64 = 48 * 3_600_000;
/// Default of `usage.hours`: a month, hour by hour.
pub const DEFAULT_HOURS_MS: u64 = 31 * 86_400_000;
/// Default of `usage.days`: a year and the month after it.
pub const DEFAULT_DAYS_MS: u64 = 400 * 86_400_000;
/// Longest time that usage is kept for, at any level: ten years.
const LONGEST_MS: u64 = 3_660 * 86_400_000;

/// For how long the usage history is kept, milliseconds: by minutes for the shortest, by days for the longest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Sums by minute.
    pub minutes_ms: u64,
    /// Sums by hour; not shorter than those by minute.
    pub hours_ms: u64,
    /// Sums by day; not shorter than those by hour.
    pub days_ms: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            minutes_ms: DEFAULT_MINUTES_MS,
            hours_ms: DEFAULT_HOURS_MS,
            days_ms: DEFAULT_DAYS_MS,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UsageSpec {
    minutes: Option<Spanned<String>>,
    hours: Option<Spanned<String>>,
    days: Option<Spanned<String>>,
}

pub(super) fn usage(spec: UsageSpec, problems: &mut Problems<'_>) -> Usage {
    let default = Usage::default();
    let mut kept = |name: &str, spec, shortest, default, finer: Option<(&str, u64)>| {
        length(name, spec, shortest, default, finer, problems)
    };
    let minutes_ms = kept(
        "minutes",
        spec.minutes,
        ("1h", 3_600_000),
        default.minutes_ms,
        None,
    );
    let day = ("1d", 86_400_000);
    let hours_ms = kept(
        "hours",
        spec.hours,
        day,
        default.hours_ms,
        Some(("minutes", minutes_ms)),
    );
    let days_ms = kept("days", spec.days, day, default.days_ms, Some(("hours", hours_ms)));
    Usage {
        minutes_ms,
        hours_ms,
        days_ms,
    }
}

/// One length. What is not given is the default, and at least as long as the next finer one.
fn length(
    name: &str,
    spec: Option<Spanned<String>>,
    (shortest, shortest_ms): (&str, u64),
    default: u64,
    finer: Option<(&str, u64)>,
    problems: &mut Problems<'_>,
) -> u64 {
    let default = finer.map_or(default, |(_, finer_ms)| default.max(finer_ms));
    let Some(spec) = spec else { return default };
    let Some(ms) = problems.take(spec.referenced, quantity::duration_ms(&spec.value)) else {
        return default;
    };
    if !(shortest_ms..=LONGEST_MS).contains(&ms) {
        problems.add(
            spec.referenced,
            format_args!(
                "`{name}: {}` is out of range; give {shortest} to 3660d",
                spec.value
            ),
        );
        return default;
    }
    if let Some((finer, _)) = finer.filter(|(_, finer_ms)| ms < *finer_ms) {
        problems.add(
            spec.referenced,
            format_args!(
                "`{name}: {}` is shorter than what is kept by {finer}; keep the coarser sums for at least as long",
                spec.value
            ),
        );
    }
    ms
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const HOUR_MS: u64 = 3_600_000;

    fn parse(usage: &str) -> Result<Usage, String> {
        let parsed = Config::parse(&format!("usage: {usage}\n"), Path::new("weir.yaml"));
        parsed
            .map(|config| config.usage)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lengths() {
        let defaults = parse("{}").unwrap();
        assert_eq!(
            [defaults.minutes_ms, defaults.hours_ms, defaults.days_ms].map(|ms| ms / HOUR_MS),
            [48, 31 * 24, 400 * 24]
        );
        let given = parse("{minutes: 1h, hours: 1d, days: 30d}").unwrap();
        assert_eq!(
            [given.minutes_ms, given.hours_ms, given.days_ms].map(|ms| ms / HOUR_MS),
            [1, 24, 720]
        );
        let grown = parse("{minutes: 60d}").unwrap();
        assert_eq!(
            (grown.hours_ms, grown.days_ms),
            (grown.minutes_ms, DEFAULT_DAYS_MS)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (usage, column, says) in [
            (
                "{minutes: 30m}",
                18,
                "`minutes: 30m` is out of range; give 1h to 3660d",
            ),
            ("{hours: 2h}", 16, "give 1d to 3660d"),
            ("{days: 4000d}", 15, "`days: 4000d` is out of range"),
            (
                "{minutes: 48h, hours: 1d}",
                30,
                "shorter than what is kept by minutes",
            ),
            (
                "{hours: 31d, days: 30d}",
                27,
                "shorter than what is kept by hours",
            ),
            ("{minutes: soon}", 18, "`soon` is not a duration"),
            ("{weeks: 3d}", 9, "weeks"),
        ] {
            let error = parse(usage).unwrap_err();
            assert!(
                error.contains(&format!("weir.yaml:1:{column}: ")) && error.contains(says),
                "{usage}: {error}"
            );
        }
    }
}
