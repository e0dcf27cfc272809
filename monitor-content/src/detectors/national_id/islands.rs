//! United Kingdom and Ireland.

use super::checks::{at, part, sign, weighted};
use super::rules::{HEALTH, IDENTITY, INSURANCE, Rule, TAX, rule};

const NINO: &[&str] = &[
    "nino",
    "ni number",
    "ni no",
    "ni num",
    "national insurance",
    "nat ins",
];
const NHS: &[&str] = &["nhs", "chi number", "national health"];
const PPS: &[&str] = &[
    "pps!",
    "ppsn",
    "pps number",
    "personal public service",
    "uimhir psp",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "uk_nino", "a prefix and suffix that are issued", &[NINO, INSURANCE, IDENTITY, TAX], [
            (b"AA999999A", nino, 85, 97),
            (b"AA~99~99~99~A", nino, 92, 98),
            (b"AA 999999 A", nino, 85, 97),
            (b"AA999999 A", nino, 80, 96),
            (b"AA 99 99 99A", nino, 85, 96),
    (b"AA~99~99~99~A", specimen, 0, 85),
    (b"AA999999A", specimen, 0, 85),
        ]),
    rule!("pii.national_id." "uk_nhs", "check digit modulo 11", &[NHS, HEALTH], [
        (b"999~999~9999", nhs, 0, 97),
        (b"9999999999", nhs, 0, 96),
    ]),
    rule!("pii.national_id." "ie_pps", "check letter modulo 23", &[PPS, TAX, INSURANCE, IDENTITY], [
        (b"9999999A", pps, 70, 97),
        (b"9999999AA", pps, 75, 97),
    ]),
];

/// HM Revenue & Customs, National Insurance Manual NIM39110.
fn nino(number: &[u8]) -> bool {
    let prefix = number.get(..2).unwrap_or_default();
    let (first, second) = (sign(number, 0), sign(number, 1));
    !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && !matches!(prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && matches!(sign(number, 8), b'A'..=b'D')
}

/// What stands for a number in forms and specimens.
fn specimen(number: &[u8]) -> bool {
    number.starts_with(b"ZZ") && number.ends_with(b"T") || number.starts_with(b"QQ")
}

/// NHS Data Dictionary, "NHS Number": weights 10 to 2 modulo 11; a check of 10 is not issued.
fn nhs(number: &[u8]) -> bool {
    let sum = weighted(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    sum.is_multiple_of(11) && part(number, 0..10) > 0
}

/// Revenue Commissioners: weights 8 to 2, and 9 for the second letter (A is 1), modulo 23; W stands for 0.
fn pps(number: &[u8]) -> bool {
    let second = match sign(number, 8) {
        letter @ b'A'..=b'I' => u32::from(letter - b'A') + 1,
        // Of numbers from before 2013; the check passes over it.
        b'W' | b'T' | b'X' | 0 => 0,
        _ => return false,
    };
    let sum = weighted(number, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second;
    b"WABCDEFGHIJKLMNOPQRSTUV".get((sum % 23) as usize) == Some(&sign(number, 7)) && at(number, 7) > 9
}
