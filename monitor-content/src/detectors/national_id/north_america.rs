//! United States and Canada.

use super::checks::{at, luhn, part, uniform, value};
use super::rules::{HEALTH, IDENTITY, INSURANCE, Rule, TAX, rule};

const SSN: &[&str] = &[
    "ssn",
    "social",
    "social sec",
    "soc sec",
    "ss#",
    "ss no",
    "ssno",
    "taxpayer",
    "itin",
];
const ITIN: &[&str] = &["itin", "individual taxpayer", "ssn"];
const NPI: &[&str] = &["npi!", "national provider"];
const SIN: &[&str] = &[
    "sin!",
    "nas!",
    "numéro d'assurance sociale",
    "assurance sociale",
    "canadian sin",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "us_ssn", "area, group and serial that can be issued", &[SSN, INSURANCE, TAX, IDENTITY], [
        (b"999-99-9999", ssn, 85, 97),
        (b"999 99 9999", ssn, 55, 95),
        (b"999999999", ssn, 0, 85),
        (b"999.99.9999", ssn, 0, 85),
    ]),
    rule!("pii.national_id." "us_itin", "a 9 and a group that can be issued", &[ITIN, TAX], [
        (b"999-99-9999", itin, 85, 97),
        (b"999 99 9999", itin, 55, 95),
        (b"999999999", itin, 0, 85),
    ]),
    rule!("pii.national_id." "us_npi", "Luhn check digit with the prefix 80840", &[NPI], [
        (b"9999999999", npi, 0, 95),
    ]),
    rule!("pii.national_id." "us_mbi", "the fixed places of letters and digits", &[&["mbi", "medicare"], HEALTH], [
        (b"9AX9AX9AA99", mbi, 75, 97),
        (b"9AX9-AX9-AA99", mbi, 90, 98),
    ]),
    rule!("pii.national_id." "ca_sin", "Luhn check digit", &[SIN, INSURANCE, TAX], [
        (b"999~999~999", luhn, 0, 97),
        (b"999999999", luhn, 0, 95),
    ]),
];

/// Social Security Administration, "Social Security Number Randomization": never area 000, 666 or 900 to 999,
/// group 00, or serial 0000.
fn ssn(number: &[u8]) -> bool {
    let area = part(number, 0..3);
    area != 0
        && area != 666
        && area < 900
        && part(number, 3..5) != 0
        && part(number, 5..9) != 0
        && !uniform(number)
}

/// Internal Revenue Manual 3.21.263: an SSN's shape, the area from 900, the group in these ranges.
fn itin(number: &[u8]) -> bool {
    at(number, 0) == 9 && matches!(part(number, 3..5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// CMS, "NPI check digit": Luhn over 80840 and the number. The prefix adds 24.
fn npi(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, sign)| match (place % 2, value(*sign)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    matches!(at(number, 0), 1 | 2) && (sum + 24).is_multiple_of(10)
}

/// CMS, "Understanding the Medicare Beneficiary Identifier": not 0 first, and no letter that looks like a digit.
fn mbi(number: &[u8]) -> bool {
    at(number, 0) > 0 && !number.iter().any(|sign| b"SLOIBZ".contains(sign))
}
