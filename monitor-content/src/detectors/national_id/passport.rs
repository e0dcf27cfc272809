//! Passports and driving licences. Their numbers are issued without a check digit nearly everywhere, so that a word
//! for them has to be near; a British licence holds its owner's birth date and stands alone.

use super::checks::{any, no_date, part, sign, uniform};
use super::rules::{Rule, rule};

const PASSPORT: &[&str] = &[
    "passport",
    "passports",
    "passport_number",
    "passportnumber",
    "reisepass*",
    "passnummer",
    "pass-nr",
    "passnr",
    "passeport",
    "pasaporte",
    "passaporto",
    "passaporte",
    "paspoort*",
    "pas nr",
    "pass nr",
    "pasnummer",
    "pasport",
    "paszport*",
    "pașaport*",
    "pasaport*",
    "pasaportu",
    "passi number",
    "passinumero",
    "útlevél*",
    "cestovní pas",
    "pas:!",
    "passi!",
    "putovnica",
    "паспорт*",
    "Паспорт*",
    "ПАСПОРТ*",
    "загранпаспорт*",
    "διαβατήριο*",
    "διαβατηρίου",
    "Διαβατήριο*",
    "护照*",
    "護照*",
    "パスポート*",
    "旅券*",
    "여권*",
    "паспорта",
    "جواز",
    "דרכון",
    "hộ chiếu",
    "paspor",
    "पासपोर्ट",
    "หนังสือเดินทาง*",
    "travel document",
];

const LICENCE: &[&str] = &[
    "driver's license",
    "drivers license",
    "driver license",
    "driving license",
    "driver's licence",
    "drivers licence",
    "driver licence",
    "driving licence",
    "driver's lic",
    "drivers lic",
    "dl number",
    "dl no",
    "dl#",
    "dln",
    "license number",
    "drivers_license",
    "driver_license",
    "driverlicense",
    "driverslicense",
    "drivers' license",
    "license no",
    "führerschein*",
    "permis de conduire",
    "permiso de conducir",
    "licencia de conducir",
    "patente di guida",
    "rijbewijs*",
    "carta de condução",
    "prawo jazdy",
    "cnh",
    "driver’s license",
    "driver’s licence",
    "operator license",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii." "passport", "a passport number's shape", &[PASSPORT], [
        (b"AA9999999", any, 0, 85),
        (b"A99999999", any, 0, 85),
        (b"AA999999", any, 0, 85),
        (b"A9999999", any, 0, 85),
        (b"A999999", any, 0, 75),
        (b"AAA999999", any, 0, 85),
        (b"AAA9999999", any, 0, 80),
        (b"AA99999999", any, 0, 80),
        (b"99AA99999", any, 0, 88),
        (b"99 9999999", any, 0, 85),
        (b"9999 999999", any, 0, 85),
        (b"99 99 999999", any, 0, 85),
        (b"999999999", any, 0, 80),
        (b"99999999", no_date, 0, 75),
        (b"9999999", any, 0, 65),
        (b"9999999999", any, 0, 70),
        (b"AXXXXXXXX", mixed, 0, 85),
        (b"AXXXXXXX", mixed, 0, 80),
        (b"A9999999A", any, 0, 85),
        (b"AA999999A", any, 0, 80),
        (b"AA 9999999", any, 0, 85),
        (b"AA 999999", any, 0, 85),
        (b"A 9999999", any, 0, 85),
    ]),
    rule!("pii." "driver_license", "a driving licence number's shape", &[LICENCE], [
        (b"AXXXX999999XX9AA", british, 92, 98),
        (b"AXXXX 999999 XX9AA", british, 92, 98),
        (b"A9999999", any, 0, 82),
        (b"A99999999", any, 0, 80),
        (b"A999999", any, 0, 70),
        (b"A999-999-99-999-9", any, 75, 92),
        (b"A999-9999-9999", any, 75, 92),
        (b"A999-999-999-999", any, 75, 92),
        (b"A999999999999", any, 0, 88),
        (b"A99999999999999", any, 0, 85),
        (b"AA999999", any, 0, 75),
        (b"AA9999999", any, 0, 75),
        (b"999999999", any, 0, 72),
        (b"99999999", no_date, 0, 70),
        (b"9999999", any, 0, 62),
        (b"999 999 999", any, 0, 75),
        (b"9999999999", any, 0, 65),
        (b"99999999999", any, 0, 65),
        (b"AXXXXXXXXX9", mixed, 0, 75),
    ]),
];

/// Letters among digits, more of the latter than a word has.
fn mixed(number: &[u8]) -> bool {
    number.iter().filter(|sign| sign.is_ascii_digit()).count() >= 4 && !uniform(number)
}

/// DVLA INF45/1: five of the surname (padded with 9), the birth date with a woman's month raised by 50, initials.
fn british(number: &[u8]) -> bool {
    let surname = number.get(..5).unwrap_or_default();
    let padded = surname
        .iter()
        .skip_while(|sign| sign.is_ascii_uppercase())
        .all(|sign| *sign == b'9');
    let initials = [sign(number, 11), sign(number, 12)];
    padded
        && matches!(part(number, 6..8), 1..=12 | 51..=62)
        && (1..=31).contains(&part(number, 8..10))
        && initials
            .iter()
            .all(|sign| sign.is_ascii_uppercase() || *sign == b'9')
}
