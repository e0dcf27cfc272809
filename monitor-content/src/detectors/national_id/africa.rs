//! South Africa and Egypt.

use super::checks::{at, luhn, part};
use super::dates::{is_yymmdd, valid};
use super::rules::{IDENTITY, Rule, rule};

const ZA: &[&str] = &[
    "sa id",
    "rsa id",
    "south african id",
    "id number!",
    "id no!",
    "identity no",
    "identiteitsnommer",
    "id-nommer",
];
const EG: &[&str] = &["الرقم القومي", "رقم قومي", "بطاقة الرقم", "egyptian id"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "za_id", "birth date, citizenship and Luhn check digit", &[ZA, IDENTITY], [
        (b"9999999999999", south_african, 85, 98),
        (b"999999 9999 999", south_african, 92, 98),
        (b"999999 9999 99 9", south_african, 92, 98),
    ]),
    rule!("pii.national_id." "eg_national_id", "century, birth date and governorate", &[EG, IDENTITY], [
        (b"99999999999999", egyptian, 0, 95),
    ]),
];

/// Identification Act 68 of 1997: birth date, serial number, citizenship 0 to 2, an 8 or 9 (once the race), Luhn.
fn south_african(number: &[u8]) -> bool {
    is_yymmdd(number, 0) && at(number, 10) < 3 && matches!(at(number, 11), 8 | 9) && luhn(number)
}

/// Civil Status Organization: 2 or 3 for the century, the birth date, the governorate.
fn egyptian(number: &[u8]) -> bool {
    matches!(at(number, 0), 2 | 3)
        && valid(part(number, 1..3), part(number, 3..5), part(number, 5..7))
        && matches!(part(number, 7..9), 1..=4 | 11..=19 | 21..=29 | 31..=35 | 88)
}
