//! Germany, Austria and Switzerland.

use super::checks::{at, icao, mod_11_10, part, sign, value, weighted};
use super::dates::is_ddmmyy;
use super::rules::{HEALTH, IDENTITY, INSURANCE, Rule, TAX, rule};

const DE_TAX: &[&str] = &[
    "steuer-id",
    "steuerid",
    "steuer id",
    "steuer-identifikationsnummer",
    "steueridentifikationsnummer",
    "steuerliche identifikationsnummer",
    "steuernummer",
    "idnr",
    "identifikationsnummer",
    "tin!",
    "steuer-idnr",
    "steuer-nr",
];
const DE_CARD: &[&str] = &[
    "personalausweis*",
    "ausweisnummer",
    "ausweis-nr",
    "ausweisnr",
    "ausweis",
    "personalausweisnr",
    "perso!",
];
const DE_INSURANCE: &[&str] = &[
    "sozialversicherungsnummer",
    "rentenversicherungsnummer",
    "versicherungsnummer",
    "sv-nummer",
    "svnr",
    "rvnr",
    "sv-nr",
    "versicherungsnr",
];
const DE_HEALTH: &[&str] = &[
    "krankenversicherten*",
    "krankenversicherung*",
    "kvnr",
    "versichertennummer",
    "krankenkasse*",
];
const AT: &[&str] = &[
    "sozialversicherungsnummer",
    "svnr",
    "sv-nr",
    "sv-nummer",
    "versicherungsnummer",
    "vsnr",
    "e-card",
];
const CH: &[&str] = &[
    "ahv",
    "ahv-nummer",
    "ahv-nr",
    "ahvn13",
    "avs!",
    "ahvn",
    "oasi",
    "sozialversicherungsnummer",
    "numéro avs",
    "numero avs",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "de_tax_id", "digit frequencies and check digit ISO 7064 modulo 11,10", &[DE_TAX, TAX], [
        (b"99999999999", tax_id, 0, 98),
        (b"99~999~999~999", tax_id, 85, 98),
    ]),
    rule!("pii.national_id." "de_id_card", "the letters in use and the check digit 7-3-1", &[DE_CARD, IDENTITY], [
        (b"AXXXXXXXX9", id_card_checked, 0, 96),
        (b"AXXXXXXXX", id_card, 0, 80),
        (b"A99999999", id_card, 0, 80),
    ]),
    rule!("pii.national_id." "de_social_insurance", "birth date and check digit", &[DE_INSURANCE, INSURANCE], [
        (b"99999999A999", social_insurance, 88, 98),
        (b"99 999999 A 999", social_insurance, 92, 98),
        (b"99 999999 A999", social_insurance, 90, 98),
    ]),
    rule!("pii.national_id." "de_health_insurance", "check digit", &[DE_HEALTH, HEALTH], [
        (b"A999999999", health_insurance, 0, 95),
    ]),
    rule!("pii.national_id." "at_social_security", "birth date and check digit modulo 11", &[AT, INSURANCE], [
        (b"9999 999999", at_social, 70, 97),
        (b"9999-999999", at_social, 70, 97),
        (b"9999999999", at_social, 0, 96),
    ]),
    rule!("pii.national_id." "ch_ahv", "country code 756 and EAN-13 check digit", &[CH, INSURANCE, IDENTITY], [
        (b"756.9999.9999.99", ahv, 97, 99),
        (b"756 9999 9999 99", ahv, 95, 99),
        (b"7569999999999", ahv, 80, 98),
    ]),
];

/// Federal Central Tax Office: among the first ten digits one stands twice or three times and no other more than once.
fn tax_id(number: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for sign in number.iter().take(10) {
        if let Some(count) = counts.get_mut(value(*sign) as usize) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    at(number, 0) > 0 && repeated == 1 && counts.iter().all(|count| *count <= 3) && mod_11_10(number)
}

/// Federal Ministry of the Interior, "Seriennummer": no vowels and no letter that looks like a digit.
fn id_card(number: &[u8]) -> bool {
    const FIRST: &[u8] = b"CFGHJKLMNPRTVWXYZ";
    FIRST.contains(&sign(number, 0))
        && number
            .iter()
            .take(9)
            .all(|sign| sign.is_ascii_digit() || FIRST.contains(sign))
        && number.iter().filter(|sign| sign.is_ascii_digit()).count() > 1
}

fn id_card_checked(number: &[u8]) -> bool {
    id_card(number) && number.get(..9).is_some_and(|body| icao(body) == at(number, 9))
}

/// Verordnung über die Versicherungsnummer (VKVV), section 2: the letter counts as two digits, cross sums.
fn social_insurance(number: &[u8]) -> bool {
    let letter = u32::from(sign(number, 8).wrapping_sub(b'A')) + 1;
    let digits = number.iter().take(8).map(|sign| value(*sign));
    let digits = digits.chain([letter / 10, letter % 10, at(number, 9), at(number, 10)]);
    let sum: u32 = digits
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    // The day may be raised where the numbers of one have run out.
    let birth = part(number, 2..4) > 0 && (1..=12).contains(&part(number, 4..6));
    part(number, 0..2) > 1 && birth && sum % 10 == at(number, 11)
}

/// Social Code V, section 290: the letter counts as two digits, weights 1 and 2, cross sums.
fn health_insurance(number: &[u8]) -> bool {
    let letter = u32::from(sign(number, 0).wrapping_sub(b'A')) + 1;
    let digits = number.iter().skip(1).take(8).map(|sign| value(*sign));
    let sum: u32 = [letter / 10, letter % 10]
        .into_iter()
        .chain(digits)
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    sum % 10 == at(number, 9)
}

/// Dachverband der Sozialversicherungsträger: three digits, the check digit, the birth date.
fn at_social(number: &[u8]) -> bool {
    let sum = weighted(number, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    at(number, 0) > 0 && sum % 11 == at(number, 3) && is_ddmmyy(number, 4)
}

/// Central Compensation Office (ZAS): GS1's check digit.
fn ahv(number: &[u8]) -> bool {
    weighted(number, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}
