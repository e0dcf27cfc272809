//! Turkey, Israel, the United Arab Emirates and Saudi Arabia.

use super::checks::{at, luhn, part, uniform, value};
use super::rules::{IDENTITY, Rule, rule};

const TR: &[&str] = &[
    "tckn",
    "t.c!",
    "tc!",
    "tc kimlik",
    "kimlik",
    "kimlik no",
    "kimlik numarası",
    "tc no",
    "vatandaşlık no",
];
const IL: &[&str] = &[
    "teudat zehut",
    "תעודת זהות",
    "ת.ז",
    "ת\"ז",
    "תז",
    "מספר זהות",
    "israeli id",
    "zehut",
];
const AE: &[&str] = &["emirates id", "هوية", "رقم الهوية", "eid!"];
const SA: &[&str] = &[
    "iqama",
    "هوية",
    "رقم الهوية",
    "الهوية الوطنية",
    "إقامة",
    "saudi id",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "tr_kimlik", "both check digits", &[TR, IDENTITY], [
        (b"99999999999", kimlik, 0, 98),
        (b"999 999 999 99", kimlik, 0, 97),
    ]),
    rule!("pii.national_id." "il_id", "Luhn check digit", &[IL, IDENTITY], [
        (b"999999999", israeli, 0, 96),
        (b"99999999-9", israeli, 0, 96),
        (b"9-9999999-9", israeli, 0, 96),
    ]),
    rule!("pii.national_id." "ae_emirates_id", "country code 784, birth year and Luhn check digit", &[AE, IDENTITY], [
        (b"784-9999-9999999-9", emirates, 97, 99),
        (b"784999999999999", emirates, 88, 98),
    ]),
    rule!("pii.national_id." "sa_national_id", "first digit and Luhn check digit", &[SA, IDENTITY], [
        (b"9999999999", saudi, 0, 95),
    ]),
];

/// Law 5490 on population services: seven times the odd places less the even ones, then the sum of all.
fn kimlik(number: &[u8]) -> bool {
    let sum = |from: usize, to: usize, step: usize| -> u32 {
        number
            .iter()
            .take(to)
            .skip(from)
            .step_by(step)
            .map(|digit| value(*digit))
            .sum()
    };
    let (odd, even) = (sum(0, 9, 2), sum(1, 8, 2));
    at(number, 0) > 0 && (odd * 7 + 90 - even) % 10 == at(number, 9) && sum(0, 10, 1) % 10 == at(number, 10)
}

/// Population and Immigration Authority.
fn israeli(number: &[u8]) -> bool {
    luhn(number) && part(number, 0..8) > 999
}

/// Federal Authority for Identity and Citizenship: 784, the birth year, a serial number, Luhn.
fn emirates(number: &[u8]) -> bool {
    (1900..2100).contains(&part(number, 3..7)) && luhn(number)
}

/// National Information Center: 1 for citizens, 2 for residents.
fn saudi(number: &[u8]) -> bool {
    matches!(at(number, 0), 1 | 2) && luhn(number) && !uniform(number)
}
