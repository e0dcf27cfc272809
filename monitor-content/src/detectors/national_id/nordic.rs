//! Sweden, Norway, Denmark, Finland and Iceland.

use super::checks::{at, luhn, part, sign, uniform, weighted};
use super::dates::{is_ddmmyy, is_hhmm, valid, yymmdd};
use super::rules::{IDENTITY, INSURANCE, Rule, TAX, rule};

const SE: &[&str] = &[
    "personnummer*",
    "personnr",
    "person-nr",
    "pers.nr",
    "personnumret",
    "samordningsnummer",
    "persnr",
    "pnr!",
    "swedish id",
];
const NO: &[&str] = &[
    "fødselsnummer*",
    "fodselsnummer*",
    "fødselsnr",
    "fnr!",
    "personnummer*",
    "d-nummer",
    "fødselsnummeret",
    "fødsels- og personnummer",
];
const DK: &[&str] = &[
    "cpr",
    "cpr-nummer",
    "cpr-nr",
    "cprnr",
    "cpr-nummeret",
    "personnummer*",
    "cpr nummer",
];
const FI: &[&str] = &[
    "henkilötunnu*",
    "henkilotunnu*",
    "hetu",
    "sotu",
    "sosiaaliturvatunnu*",
    "personbeteckning*",
    "htunnus",
];
const IS: &[&str] = &["kennital*", "kt!"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "se_personnummer", "birth date and Luhn check digit", &[SE, IDENTITY, INSURANCE, TAX], [
        (b"999999-9999", se_no_time, 88, 98),
        (b"999999-9999", se_number, 0, 98),
        (b"999999+9999", se_number, 90, 98),
        (b"99999999-9999", se_long_no_time, 92, 98),
        (b"99999999-9999", se_long, 0, 98),
        (b"999999999999", se_long, 0, 98),
        (b"9999999999", se_number, 0, 97),
        (b"999999 9999", se_number, 0, 97),
        (b"99999999 9999", se_long, 0, 97),
    ]),
    rule!("pii.national_id." "no_fodselsnummer", "birth date and both check digits", &[NO, IDENTITY, TAX], [
        (b"99999999999", no_number, 80, 98),
        (b"999999 99999", no_number, 92, 98),
        (b"999999-99999", no_number, 92, 98),
    ]),
    rule!("pii.national_id." "dk_cpr", "birth date and check digit modulo 11", &[DK, IDENTITY], [
        (b"999999-9999", dk_checked, 75, 97),
        (b"999999-9999", dk_number, 0, 88),
        (b"9999999999", dk_number, 0, 85),
        (b"999999 9999", dk_number, 0, 88),
    ]),
    rule!("pii.national_id." "fi_henkilotunnus", "birth date and check sign modulo 31", &[FI, IDENTITY, INSURANCE], [
        (b"999999-999X", fi_number, 95, 99),
        (b"999999A999X", fi_number, 92, 99),
        (b"999999+999X", fi_number, 92, 99),
    ]),
    rule!("pii.national_id." "is_kennitala", "birth date and check digit modulo 11", &[IS, IDENTITY], [
        (b"999999-9999", is_number, 80, 98),
        (b"9999999999", is_number, 0, 97),
    ]),
];

/// Skatteverket, SKV 704: a coordination number's day is raised by 60.
fn se_number(number: &[u8]) -> bool {
    let (year, month, day) = yymmdd(number, 0);
    valid(year, month, if day > 60 { day - 60 } else { day }) && luhn(number)
}

fn se_no_time(number: &[u8]) -> bool {
    se_number(number) && !is_hhmm(number, 6)
}

fn se_long(number: &[u8]) -> bool {
    (18..=20).contains(&part(number, 0..2)) && number.get(2..).is_some_and(se_number)
}

fn se_long_no_time(number: &[u8]) -> bool {
    se_long(number) && !is_hhmm(number, 8)
}

/// Folkeregisterforskriften, section 2-2-1: a D number's day is raised by 40, a synthetic number's month by 40 or 80.
fn no_number(number: &[u8]) -> bool {
    let (day, month, year) = yymmdd(number, 0);
    let day = if day > 40 { day - 40 } else { day };
    valid(year, month % 40, day)
        && weighted(number, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(number, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// CPR-kontoret, "Personnummeret i CPR": since 2007 numbers are issued that do not check.
fn dk_number(number: &[u8]) -> bool {
    is_ddmmyy(number, 0) && part(number, 6..10) > 0
}

fn dk_checked(number: &[u8]) -> bool {
    dk_number(number)
        && weighted(number, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
        && !is_hhmm(number, 6)
}

/// Digital and Population Data Services Agency: the date and the three digits modulo 31.
fn fi_number(number: &[u8]) -> bool {
    const SIGNS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    // The sign of the century is one of the letters, or a dash or plus, which are not in the number.
    let (century, individual) = match number.len() {
        11 => (sign(number, 6), 7..10),
        _ => (b'A', 6..9),
    };
    let body = part(number, 0..6) * 1000 + part(number, individual.clone());
    is_ddmmyy(number, 0)
        && b"ABCDEFYXWVU".contains(&century)
        && part(number, individual) > 1
        && SIGNS.get((body % 31) as usize) == number.last()
}

/// Registers Iceland: the ninth digit checks the first eight, the tenth is the century.
fn is_number(number: &[u8]) -> bool {
    is_ddmmyy(number, 0)
        && weighted(number, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
        && matches!(at(number, 9), 8 | 9 | 0)
        && !uniform(number)
}
