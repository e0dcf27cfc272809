//! Periods of the calendar in a time zone.

use std::fmt;
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

const HOUR_MS: u64 = 3_600_000;

/// Which periods of the calendar a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From full hour to full hour of the clock on the wall.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The name in the configuration and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }
}

/// A time zone with a name of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone of the IANA database; write for example `Europe/Berlin` or `UTC`")]
pub struct UnknownZone(pub String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The time zone of a name.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        match TimeZone::get(name) {
            Ok(zone) if zone.iana_name().is_some() => Ok(Self(zone)),
            _ => Err(UnknownZone(name.to_owned())),
        }
    }

    /// The period around a moment, in Unix milliseconds: from its first to that of the next. Moments beyond the year 9999 lie in
    /// a last period without end.
    #[must_use]
    pub fn period_at(&self, period: Period, unix_ms: u64) -> Range<u64> {
        self.bounds(period, unix_ms).unwrap_or(unix_ms..u64::MAX)
    }

    fn bounds(&self, period: Period, unix_ms: u64) -> Option<Range<u64>> {
        let now = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
        let local = now.to_zoned(self.0.clone());
        let today = local.date();
        let (first, span) = match period {
            Period::Hour => {
                // In physical hours, so that the hour which a clock shows twice is two.
                let offset_ms = i64::from(local.offset().seconds()) * 1_000;
                let past_ms = now
                    .as_millisecond()
                    .checked_add(offset_ms)?
                    .rem_euclid(HOUR_MS as i64);
                let start = unix_ms.saturating_sub(past_ms.cast_unsigned());
                return Some(self.between_changes(now, start..start.saturating_add(HOUR_MS)));
            }
            Period::Day => (today, Span::new().days(1)),
            Period::Week => {
                let since_monday = i64::from(today.weekday().to_monday_zero_offset());
                (
                    today.checked_sub(Span::new().days(since_monday)).ok()?,
                    Span::new().weeks(1),
                )
            }
            Period::Month => (today.first_of_month(), Span::new().months(1)),
        };
        let next = first.checked_add(span).ok()?;
        Some(self.midnight_ms(first)?..self.midnight_ms(next)?)
    }

    /// The part of an hour that lies between changes of the clock: where it is set by half an hour, hours begin anew, so that every
    /// moment lies in one period however it is asked for.
    fn between_changes(&self, now: Timestamp, hour: Range<u64>) -> Range<u64> {
        let unix_ms = |at: Timestamp| u64::try_from(at.as_millisecond()).unwrap_or(0);
        let after_now = now.checked_add(Span::new().nanoseconds(1)).unwrap_or(now);
        let last = self.0.preceding(after_now).next();
        let next = self.0.following(now).next();
        let start = last.map_or(0, |change| unix_ms(change.timestamp()));
        let end = next.map_or(u64::MAX, |change| unix_ms(change.timestamp()));
        hour.start.max(start)..hour.end.min(end)
    }

    /// When a day begins: at the first moment of it where a clock set forward has no midnight.
    fn midnight_ms(&self, date: Date) -> Option<u64> {
        let midnight = date.to_zoned(self.0.clone()).ok()?.start_of_day().ok()?;
        u64::try_from(midnight.timestamp().as_millisecond()).ok()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        text.parse::<Timestamp>()
            .unwrap()
            .as_millisecond()
            .cast_unsigned()
    }

    #[test]
    fn periods_begin_and_end_on_the_clock_of_the_zone() {
        let cases = [
            // Daylight saving begins and ends in Berlin: days of 23 and 25 hours.
            (
                "Europe/Berlin",
                Period::Day,
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                "Europe/Berlin",
                Period::Day,
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            // The hour that the clock shows twice is two hours.
            (
                "Europe/Berlin",
                Period::Hour,
                "2026-10-25T00:30:00Z",
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
            ),
            (
                "Europe/Berlin",
                Period::Hour,
                "2026-10-25T01:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z",
            ),
            (
                "Asia/Kolkata",
                Period::Hour,
                "2026-05-01T10:10:00Z",
                "2026-05-01T09:30:00Z",
                "2026-05-01T10:30:00Z",
            ),
            // A Sunday is the last day of its week.
            (
                "UTC",
                Period::Week,
                "2026-11-22T23:59:59Z",
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                "America/New_York",
                Period::Month,
                "2026-03-01T04:59:59Z",
                "2026-02-01T05:00:00Z",
                "2026-03-01T05:00:00Z",
            ),
            (
                "America/New_York",
                Period::Month,
                "2026-03-01T05:00:00Z",
                "2026-03-01T05:00:00Z",
                "2026-04-01T04:00:00Z",
            ),
            // Midnight does not exist on this day in Beirut.
            (
                "Asia/Beirut",
                Period::Day,
                "2026-03-29T10:00:00Z",
                "2026-03-28T22:00:00Z",
                "2026-03-29T21:00:00Z",
            ),
        ];
        for (zone, period, moment, from, to) in cases {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(
                zone.period_at(period, at(moment)),
                at(from)..at(to),
                "{zone} {period:?} {moment}"
            );
        }
    }

    /// Every moment lies in one period, whoever asks; periods follow each other without a gap.
    #[test]
    fn periods_divide_time_in_every_zone() {
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Lord_Howe", // sets its clocks by half an hour
            "Asia/Beirut",         // skips midnight
            "America/Havana",      // has midnight twice
            "Pacific/Apia",        // skipped a day
            "Asia/Kathmandu",
            "Antarctica/Troll",
        ];
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2027-02-01T00:00:00Z"));
        let skipped_day = at("2011-12-01T00:00:00Z")..at("2012-01-15T00:00:00Z");
        for zone in zones.map(|name| Zone::parse(name).unwrap()) {
            for period in Period::ALL {
                for range in [from..to, skipped_day.clone()] {
                    let mut now = zone.period_at(period, range.start);
                    while now.end < range.end {
                        assert!(now.start < now.end, "{zone} {period:?} {now:?}");
                        let middle = now.start + (now.end - now.start) / 2;
                        for moment in [now.start, middle, now.end - 1] {
                            assert_eq!(zone.period_at(period, moment), now, "{zone} {period:?} {moment}");
                        }
                        let next = zone.period_at(period, now.end);
                        assert_eq!(next.start, now.end, "{zone} {period:?}");
                        now = next;
                    }
                }
            }
        }
    }

    #[test]
    fn absurd_moments_have_a_period_too() {
        for period in Period::ALL {
            assert_eq!(Zone::UTC.period_at(period, u64::MAX).end, u64::MAX);
            assert!(Zone::UTC.period_at(period, 0).contains(&0));
        }
        assert!(Zone::parse("Middle/Earth").is_err());
        assert_eq!(Zone::parse("Europe/Berlin").unwrap().name(), "Europe/Berlin");
    }
}
