//! Birth dates inside ids.

use super::checks::part;

const DAYS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Whether there is such a day; of a year without its century, with a 29 February if any century has one.
pub(super) fn valid(year: u64, month: u64, day: u64) -> bool {
    let days = (month as usize).checked_sub(1).and_then(|month| DAYS.get(month));
    let leap =
        year.is_multiple_of(4) && (year < 100 || !year.is_multiple_of(100) || year.is_multiple_of(400));
    days.is_some_and(|days| (1..=*days).contains(&day)) && (leap || (month, day) != (2, 29))
}

/// Year, month and day as two digits each, from `at`.
pub(super) fn yymmdd(number: &[u8], at: usize) -> (u64, u64, u64) {
    (
        part(number, at..at + 2),
        part(number, at + 2..at + 4),
        part(number, at + 4..at + 6),
    )
}

/// Whether year, month and day stand at `at` as two digits each.
pub(super) fn is_yymmdd(number: &[u8], at: usize) -> bool {
    let (year, month, day) = yymmdd(number, at);
    valid(year, month, day)
}

/// Whether day, month and year stand at `at` as two digits each.
pub(super) fn is_ddmmyy(number: &[u8], at: usize) -> bool {
    let (day, month, year) = yymmdd(number, at);
    valid(year, month, day)
}

/// Whether a year of four digits, month and day stand at `at`, in a year somebody alive is born in.
pub(super) fn is_yyyymmdd(number: &[u8], at: usize) -> bool {
    let year = part(number, at..at + 4);
    (1900..2100).contains(&year) && valid(year, part(number, at + 4..at + 6), part(number, at + 6..at + 8))
}

/// Whether the four digits at `at` are a time of day: after a date they are more often that than a serial number.
pub(super) fn is_hhmm(number: &[u8], at: usize) -> bool {
    part(number, at..at + 2) < 24 && part(number, at + 2..at + 4) < 60
}
