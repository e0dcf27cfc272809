//! Over which time a budget counts.

use std::fmt;

use crate::calendar::{Period, Zone};

/// Longest rolling window the ledger works with, 366 days in milliseconds. Longer ones are taken as this.
pub const MAX_WINDOW_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// Over which time a budget counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Any stretch of this many milliseconds.
    Rolling {
        /// Its length.
        ms: u64,
    },
    /// Each period of the calendar on its own.
    Calendar {
        /// Which periods.
        period: Period,
        /// Where they begin.
        zone: Zone,
    },
    /// No time: only what is held at the moment counts.
    Open,
}

impl Window {
    /// A rolling window.
    #[must_use]
    pub const fn rolling(ms: u64) -> Self {
        Self::Rolling { ms }
    }

    /// The same within the ledger's bounds.
    pub(crate) fn bounded(&self) -> Self {
        match self {
            Self::Rolling { ms } => Self::Rolling {
                ms: (*ms).clamp(1, MAX_WINDOW_MS),
            },
            other => other.clone(),
        }
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "open" {
            return Some(Self::Open);
        }
        let (kind, rest) = text.split_once(':')?;
        if kind == "rolling" {
            return Some(Self::Rolling {
                ms: rest.strip_suffix("ms")?.parse().ok()?,
            });
        }
        Some(Self::Calendar {
            period: Period::parse(kind)?,
            zone: Zone::parse(rest).ok()?,
        })
    }
}

impl fmt::Display for Window {
    /// `rolling:3600000ms`, `month:Europe/Berlin` or `open`: as the store and the local API show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling { ms } => write!(f, "rolling:{ms}ms"),
            Self::Calendar { period, zone } => write!(f, "{}:{zone}", period.name()),
            Self::Open => f.write_str("open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_back_as_written() {
        for text in ["rolling:60000ms", "month:Europe/Berlin", "hour:UTC", "open"] {
            assert_eq!(Window::parse(text).unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "rolling:",
            "rolling:60000",
            "year:UTC",
            "day:Nowhere/Land",
            "day",
        ] {
            assert_eq!(Window::parse(wrong), None, "{wrong}");
        }
    }
}
