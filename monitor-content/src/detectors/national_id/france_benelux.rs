//! France, Belgium, the Netherlands and Luxembourg.

use super::checks::{at, luhn, part, sign, verhoeff, weighted};
use super::dates::is_yyyymmdd;
use super::rules::{IDENTITY, INSURANCE, Rule, TAX, rule};

const FR: &[&str] = &[
    "sécurité sociale",
    "securite sociale",
    "numéro de sécu",
    "nir",
    "numéro insee",
    "numero insee",
    "n° sécu",
    "secu",
    "sécu",
    "insee",
    "carte vitale",
    "insee number",
];
const FR_TAX: &[&str] = &[
    "numéro fiscal",
    "numero fiscal",
    "spi!",
    "référence fiscale",
    "n° fiscal",
];
const NL: &[&str] = &[
    "bsn",
    "burgerservicenummer",
    "burger service nummer",
    "sofi",
    "sofinummer",
    "sofi-nummer",
    "bsn-nummer",
    "bsnnummer",
];
const BE: &[&str] = &[
    "rijksregisternummer",
    "nn!",
    "rijksregister",
    "registre national",
    "numéro national",
    "numero national",
    "nrn",
    "niss",
    "insz",
    "nationaal nummer",
    "nationalregisternummer",
    "rrn!",
    "numéro de registre",
];
const LU: &[&str] = &[
    "matricule",
    "numéro d'identification",
    "sozialversicherungsnummer",
    "cnss",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "fr_nir", "sex, birth month, place and key modulo 97", &[FR, INSURANCE, IDENTITY], [
        (b"9 99 99 9X 999 999 99", nir, 97, 99),
        (b"999999X99999999", nir_born_here, 88, 99),
        (b"999999X99999999", nir, 0, 98),
        (b"9999999999999 99", nir_born_here, 88, 99),
        (b"9999999999999 99", nir, 0, 98),
        (b"999999X999999 99", nir, 88, 99),
        (b"9-99-99-9X-999-999-99", nir, 97, 99),
        (b"9.99.99.9X.999.999.99", nir, 97, 99),
        (b"9 99 99 9X 999 999", nir_without_key, 60, 92),
    ]),
    rule!("pii.national_id." "fr_tax_id", "first digit and key modulo 511", &[FR_TAX, TAX], [
        (b"9999999999999", fr_tax, 0, 96),
        (b"99 99 999 999 999", fr_tax, 80, 97),
    ]),
    rule!("pii.national_id." "nl_bsn", "eleven test", &[NL, IDENTITY, TAX], [
        (b"999999999", bsn, 0, 97),
        (b"9999.99.999", bsn, 75, 98),
        (b"9999 99 999", bsn, 0, 97),
        (b"999~999~999", bsn, 0, 96),
        (b"999.999.999", bsn, 0, 96),
    ]),
    rule!("pii.national_id." "be_national_number", "birth date and check modulo 97", &[BE, IDENTITY, INSURANCE], [
        (b"99.99.99-999.99", be_number, 97, 99),
        (b"999999-999-99", be_number, 92, 99),
        (b"999999-999.99", be_number, 92, 99),
        (b"999999 999 99", be_number, 85, 98),
        (b"99 99 99 999 99", be_number, 85, 98),
        (b"99999999999", be_number, 0, 98),
    ]),
    rule!("pii.national_id." "lu_matricule", "birth date, Luhn and Verhoeff check digits", &[LU, IDENTITY, INSURANCE], [
        (b"9999999999999", lu_number, 88, 99),
        (b"99999999 99999", lu_number, 90, 99),
    ]),
];

/// INSEE, "Numéro d'inscription au répertoire": Corsica's departments count as 19 and 18.
fn nir(number: &[u8]) -> bool {
    let mut digits = [0_u8; 15];
    if number.len() != digits.len() {
        return false;
    }
    digits.copy_from_slice(number);
    match digits.get(5..7) {
        Some(b"2A") => digits[5..7].copy_from_slice(b"19"),
        Some(b"2B") => digits[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    digits.iter().all(u8::is_ascii_digit)
        && nir_without_key(number)
        && 97 - part(&digits, 0..13) % 97 == part(&digits, 13..15)
}

/// Of a person who has no provisional number and whose month of birth is known.
fn nir_born_here(number: &[u8]) -> bool {
    matches!(at(number, 0), 1 | 2) && matches!(part(number, 3..5), 1..=12) && nir(number)
}

/// Sex, and a month that is one or one of the codes for an unknown one.
fn nir_without_key(number: &[u8]) -> bool {
    let sex = matches!(at(number, 0), 1..=4 | 7 | 8);
    let place =
        sign(number, 6).is_ascii_digit() || (at(number, 5) == 2 && matches!(sign(number, 6), b'A' | b'B'));
    sex && matches!(part(number, 3..5), 1..=12 | 20..=42 | 50..=99) && place
}

/// Direction générale des finances publiques (OECD TIN sheet): the last three digits are the rest modulo 511.
fn fr_tax(number: &[u8]) -> bool {
    at(number, 0) < 4 && part(number, 0..10) > 0 && part(number, 0..10) % 511 == part(number, 10..13)
}

/// Besluit burgerservicenummer: weights 9 to 2 and -1 modulo 11. Ten is minus one.
fn bsn(number: &[u8]) -> bool {
    weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2, 10]).is_multiple_of(11) && part(number, 0..9) > 999_999
}

/// Royal decree of 3 April 1984: 97 less the rest, with a 2 in front of whoever is born in this century. A month
/// raised by 20 or 40 is a bis number's; month and day may be unknown.
fn be_number(number: &[u8]) -> bool {
    let (month, day) = (part(number, 2..4) % 20, part(number, 4..6));
    let (body, check) = (part(number, 0..9), part(number, 9..11));
    let checks = 97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check;
    checks
        && part(number, 2..4) < 60
        && month <= 12
        && day <= 31
        && body > 0
        && (1..1000).contains(&part(number, 6..9))
}

/// Law of 19 June 2013: birth date, three digits, then a Luhn and a Verhoeff digit over the first eleven.
fn lu_number(number: &[u8]) -> bool {
    let Some((body, [_, last])) = number
        .split_last_chunk::<2>()
        .map(|(body, checks)| (body, *checks))
    else {
        return false;
    };
    let mut second = [0_u8; 12];
    if body.len() != 11 || !is_yyyymmdd(number, 0) {
        return false;
    }
    second[..11].copy_from_slice(body);
    second[11] = last;
    number.get(..12).is_some_and(luhn) && verhoeff(&second)
}
