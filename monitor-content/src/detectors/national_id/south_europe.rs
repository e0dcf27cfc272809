//! Spain, Italy, Portugal and Greece.

use super::checks::{any, at, luhn, part, sign, uniform, value, weighted};
use super::dates::{is_ddmmyy, valid};
use super::rules::{HEALTH, IDENTITY, INSURANCE, Rule, TAX, rule};

const DNI: &[&str] = &[
    "dni",
    "nif",
    "d.n.i",
    "n.i.f",
    "documento nacional",
    "documento de identidad",
    "número de identificación",
    "numero de identificacion",
    "cédula",
    "identificación fiscal",
];
const NIE: &[&str] = &[
    "nie",
    "n.i.e",
    "número de identidad de extranjero",
    "extranjero",
    "nif",
    "dni",
    "residencia",
];
const CF: &[&str] = &[
    "codice fiscale",
    "cod. fisc",
    "cod.fisc",
    "c.f!",
    "cf!",
    "codicefiscale",
    "tessera sanitaria",
];
const IT_CARD: &[&str] = &[
    "carta d'identità",
    "carta di identità",
    "carta d'identita",
    "carta identità",
    "cie",
];
const NIF: &[&str] = &[
    "nif",
    "contribuinte",
    "número de identificação fiscal",
    "identificação fiscal",
    "numero de contribuinte",
    "nº fiscal",
    "número fiscal",
];
const CC: &[&str] = &[
    "cartão de cidadão",
    "cartao de cidadao",
    "cartão do cidadão",
    "bilhete de identidade",
    "nº cc",
];
const AMKA: &[&str] = &["amka", "αμκα", "ΑΜΚΑ", "α.μ.κ.α", "Α.Μ.Κ.Α"];
const AFM: &[&str] = &["afm", "αφμ", "ΑΦΜ", "α.φ.μ", "Α.Φ.Μ"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "es_dni", "check letter modulo 23", &[DNI, IDENTITY, TAX], [
        (b"99999999A", dni, 88, 98),
        (b"99999999-A", dni, 90, 98),
        (b"99.999.999-A", dni, 96, 99),
        (b"99.999.999A", dni, 94, 99),
        (b"99999999 A", dni, 0, 96),
        (b"99 999 999 A", dni, 0, 96),
    ]),
    rule!("pii.national_id." "es_nie", "first letter and check letter modulo 23", &[NIE, IDENTITY, TAX], [
        (b"A9999999A", nie, 92, 98),
        (b"A-9999999-A", nie, 96, 99),
        (b"A9999999-A", nie, 94, 99),
        (b"A-9999999A", nie, 94, 99),
    ]),
    rule!("pii.national_id." "it_codice_fiscale", "birth date, place and check letter", &[CF, TAX, IDENTITY], [
        (b"AAAAAA99A99AXXXA", codice_fiscale, 98, 99),
        (b"AAA AAA 99A99 AXXXA", codice_fiscale, 98, 99),
    ]),
    rule!("pii.national_id." "it_id_card", "two letters, five digits, two letters", &[IT_CARD, IDENTITY], [
        (b"AA99999AA", any, 0, 85),
        (b"AA9999999", any, 0, 75),
    ]),
    rule!("pii.national_id." "pt_nif", "first digit and check digit modulo 11", &[NIF, TAX], [
        (b"999999999", nif, 0, 97),
        (b"999 999 999", nif, 0, 97),
        (b"999.999.999", nif, 0, 97),
    ]),
    rule!("pii.national_id." "pt_citizen_card", "Luhn check digit over digits and letters", &[CC, IDENTITY], [
        (b"99999999 9 XX9", citizen_card, 80, 98),
        (b"999999999XX9", citizen_card, 0, 97),
        (b"99999999-9-XX9", citizen_card, 80, 98),
    ]),
    rule!("pii.national_id." "gr_amka", "birth date and Luhn check digit", &[AMKA, INSURANCE, HEALTH], [
        (b"99999999999", amka, 0, 98),
    ]),
    rule!("pii.national_id." "gr_afm", "check digit modulo 11", &[AFM, TAX], [
        (b"999999999", afm, 0, 96),
    ]),
];

const DNI_LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Royal decree 1553/2005: the number modulo 23 gives the letter.
fn dni(number: &[u8]) -> bool {
    let body = part(number, 0..8);
    DNI_LETTERS.get((body % 23) as usize) == Some(&sign(number, 8)) && body > 99
}

/// Order INT/2058/2008: X, Y and Z count as 0, 1 and 2.
fn nie(number: &[u8]) -> bool {
    let lead = match sign(number, 0) {
        b'X' => 0,
        b'Y' => 10_000_000,
        b'Z' => 20_000_000,
        _ => return false,
    };
    let body = lead + part(number, 1..8);
    DNI_LETTERS.get((body % 23) as usize) == Some(&sign(number, 8))
}

/// The digit a letter stands for where two people would have the same code (omocodia).
fn omocodia(sign: u8) -> Option<u64> {
    match sign {
        b'0'..=b'9' => Some(u64::from(sign - b'0')),
        _ => b"LMNPQRSTUV"
            .iter()
            .position(|letter| *letter == sign)
            .map(|digit| digit as u64),
    }
}

/// Ministerial decree of 23 December 1976, articles 1 to 8.
fn codice_fiscale(number: &[u8]) -> bool {
    /// The values of A to Z, and of the digits as A to J, in odd places.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    let ordinal = |sign: u8| {
        if sign.is_ascii_digit() {
            sign - b'0'
        } else {
            sign - b'A'
        }
    };
    let sum: u32 = number
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, sign)| match place % 2 {
            0 => ODD.get(usize::from(ordinal(*sign))).copied().unwrap_or_default(),
            _ => u32::from(ordinal(*sign)),
        })
        .sum();
    let month = b"ABCDEHLMPRST"
        .iter()
        .position(|letter| *letter == sign(number, 8));
    let (Some(month), Some(tens), Some(units)) =
        (month, omocodia(sign(number, 9)), omocodia(sign(number, 10)))
    else {
        return false;
    };
    let day = tens * 10 + units;
    let place = number
        .get(12..15)
        .unwrap_or_default()
        .iter()
        .all(|sign| omocodia(*sign).is_some());
    valid(
        part(number, 6..8),
        month as u64 + 1,
        if day > 40 { day - 40 } else { day },
    ) && place
        && u32::from(sign(number, 15) - b'A') == sum % 26
}

/// Decree-law 14/2013 (OECD TIN sheet): weights 9 to 2 modulo 11.
fn nif(number: &[u8]) -> bool {
    let check = match 11 - weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        10.. => 0,
        check => check,
    };
    let issued = match at(number, 0) {
        0 => false,
        4 => at(number, 1) == 5, // persons who live abroad
        _ => true,
    };
    issued && check == at(number, 8) && !uniform(number)
}

/// Autenticação.gov, "Validação de número de documento do Cartão de Cidadão": Luhn over digits and letters.
fn citizen_card(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .enumerate()
        .map(|(place, sign)| match (place % 2, value(*sign)) {
            (0, value) if value * 2 > 9 => value * 2 - 9,
            (0, value) => value * 2,
            (_, value) => value,
        })
        .sum();
    sum.is_multiple_of(10) && sign(number, 9).is_ascii_alphabetic()
}

/// IDIKA: birth date, four digits, Luhn.
fn amka(number: &[u8]) -> bool {
    is_ddmmyy(number, 0) && luhn(number)
}

/// OECD TIN sheet: powers of two modulo 11, ten as nought.
fn afm(number: &[u8]) -> bool {
    weighted(number, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == at(number, 8) && !uniform(number)
}
