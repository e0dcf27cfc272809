//! India, Pakistan, Sri Lanka.

use super::checks::{any, at, part, sign, uniform, verhoeff};
use super::rules::{IDENTITY, Rule, TAX, rule};

const AADHAAR: &[&str] = &[
    "aadhaar",
    "aadhar",
    "adhaar",
    "adhar",
    "uidai",
    "uid!",
    "आधार",
    "आधार",
];
const PAN: &[&str] = &["pan!", "pan card", "permanent account", "income tax", "पैन"];
const VOTER: &[&str] = &["voter", "voter id", "epic!", "electors photo"];
const CNIC: &[&str] = &["cnic", "nadra", "nicop", "شناختی"];
const NIC: &[&str] = &["nic!", "nic no", "nic number"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "in_aadhaar", "first digit and Verhoeff check digit", &[AADHAAR, IDENTITY], [
        (b"9999 9999 9999", aadhaar, 65, 98),
        (b"9999-9999-9999", aadhaar, 65, 98),
        (b"999999999999", aadhaar, 0, 97),
    ]),
    rule!("pii.national_id." "in_pan", "the fixed places of letters and digits, kind of holder", &[PAN, TAX], [
        (b"AAAAA9999A", pan, 85, 97),
        (b"AAAAA9999A", any, 0, 85),
    ]),
    rule!("pii.national_id." "in_voter_id", "three letters and seven digits", &[VOTER], [
        (b"AAA9999999", any, 0, 88),
    ]),
    rule!("pii.national_id." "pk_cnic", "province and the fixed groups", &[CNIC, IDENTITY], [
        (b"99999-9999999-9", cnic, 80, 96),
        (b"9999999999999", cnic, 0, 88),
    ]),
    rule!("pii.national_id." "lk_nic", "day of the year and the closing letter", &[NIC, IDENTITY], [
        (b"999999999A", nic, 70, 95),
        (b"999999999999", nic_long, 0, 85),
    ]),
];

/// UIDAI: twelve digits, not 0 or 1 first. A row of three years has the same shape.
fn aadhaar(number: &[u8]) -> bool {
    let years = (0..3).all(|group| (1900..=2100).contains(&part(number, group * 4..group * 4 + 4)));
    at(number, 0) > 1 && !years && verhoeff(number) && !uniform(number)
}

/// Income Tax Department: the fourth letter is the kind of holder, the number is not nought.
fn pan(number: &[u8]) -> bool {
    b"ABCFGHJKLPT".contains(&sign(number, 3)) && part(number, 5..9) > 0
}

/// NADRA: the first digit is the province.
fn cnic(number: &[u8]) -> bool {
    (1..=8).contains(&at(number, 0)) && !uniform(number)
}

/// Department for Registration of Persons: the day of birth in the year, raised by 500 for women.
fn nic(number: &[u8]) -> bool {
    matches!(part(number, 2..5), 1..=366 | 501..=866) && matches!(sign(number, 9), b'V' | b'X')
}

fn nic_long(number: &[u8]) -> bool {
    matches!(part(number, 0..4), 1900..=2099) && matches!(part(number, 4..7), 1..=366 | 501..=866)
}
