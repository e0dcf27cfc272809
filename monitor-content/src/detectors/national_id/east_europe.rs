//! Poland, Czechia and Slovakia, Hungary, Romania, Bulgaria, the Baltic and Balkan states, Russia and Ukraine.

use super::checks::{any, at, mod_11_10, part, uniform, weighted};
use super::dates::{is_ddmmyy, is_yymmdd, valid, yymmdd};
use super::rules::{HEALTH, IDENTITY, INSURANCE, Rule, TAX, rule};

const PL: &[&str] = &["pesel", "pesel-u", "numer pesel", "nr pesel", "peselem"];
const PL_CARD: &[&str] = &[
    "dowód osobisty",
    "dowodu osobistego",
    "dowod osobisty",
    "dowodem osobistym",
    "nr dowodu",
];
const CZ: &[&str] = &[
    "rodné číslo",
    "rodne cislo",
    "rodného čísla",
    "rč!",
    "r.č",
    "rodným číslem",
    "rodné č",
    "birth number",
];
const HU: &[&str] = &[
    "személyi szám",
    "személyi azonosító",
    "szemelyi szam",
    "személyi",
    "személyazonosító",
];
const HU_TAX: &[&str] = &["adóazonosító*", "adoazonosito*", "adószám"];
const HU_TAJ: &[&str] = &["taj", "taj-szám", "taj szám", "társadalombiztosítási", "tajszám"];
const RO: &[&str] = &["cnp", "cod numeric personal", "codul numeric personal", "c.n.p"];
const BG: &[&str] = &[
    "егн",
    "ЕГН",
    "egn",
    "единен граждански номер",
    "Единен граждански номер",
];
const EE: &[&str] = &["isikukood*", "isikukoodi", "isikukoodiga", "ik!"];
const LT: &[&str] = &["asmens kodas", "asmens kodo", "asmens kodą"];
const LV: &[&str] = &["personas kods", "personas kodu", "personas koda"];
const HR: &[&str] = &["oib", "osobni identifikacijski broj"];
const JMBG: &[&str] = &[
    "jmbg",
    "emšo",
    "emso",
    "embg",
    "matični broj",
    "maticni broj",
    "јмбг",
    "ЈМБГ",
    "ЕМБГ",
    "matična številka",
];
const INN: &[&str] = &["инн", "ИНН", "inn!", "налогоплательщика"];
const SNILS: &[&str] = &["снилс", "СНИЛС", "snils", "Снилс", "страховой номер"];
const UA: &[&str] = &[
    "ІПН",
    "іпн",
    "РНОКПП",
    "рнокпп",
    "ідентифікаційний код",
    "ідентифікаційний номер",
    "rnokpp",
    "ipn!",
    "ИНН",
    "інн",
    "ІНН",
    "податковий номер",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "pl_pesel", "birth date and check digit modulo 10", &[PL, IDENTITY], [
        (b"99999999999", pesel, 0, 98),
    ]),
    rule!("pii.national_id." "pl_id_card", "three letters, check digit 7-3-1 and five digits", &[PL_CARD, IDENTITY], [
        (b"AAA999999", pl_card, 0, 96),
        (b"AAA 999999", pl_card, 0, 96),
    ]),
    rule!("pii.national_id." "cz_rodne_cislo", "birth date and check modulo 11", &[CZ, IDENTITY], [
        (b"999999/9999", rodne_cislo, 92, 99),
        (b"999999/999", rodne_cislo_before_1954, 0, 85),
        (b"9999999999", rodne_cislo, 0, 98),
        (b"999999 9999", rodne_cislo, 0, 98),
    ]),
    rule!("pii.national_id." "hu_personal_id", "sex, birth date and check digit modulo 11", &[HU, IDENTITY], [
        (b"9-999999-9999", hu_personal, 85, 98),
        (b"9 999999 9999", hu_personal, 70, 97),
        (b"99999999999", hu_personal, 0, 97),
    ]),
    rule!("pii.national_id." "hu_tax_id", "first digit and check digit modulo 11", &[HU_TAX, TAX], [
        (b"9999999999", hu_tax, 0, 97),
    ]),
    rule!("pii.national_id." "hu_taj", "check digit modulo 10", &[HU_TAJ, INSURANCE, HEALTH], [
        (b"999999999", taj, 0, 96),
        (b"999~999~999", taj, 0, 96),
    ]),
    rule!("pii.national_id." "ro_cnp", "sex, birth date, county and check digit modulo 11", &[RO, IDENTITY], [
        (b"9999999999999", cnp, 0, 99),
    ]),
    rule!("pii.national_id." "bg_egn", "birth date and check digit modulo 11", &[BG, IDENTITY], [
        (b"9999999999", egn, 0, 98),
    ]),
    rule!("pii.national_id." "ee_isikukood", "century, birth date and check digit modulo 11", &[EE, IDENTITY], [
        (b"99999999999", baltic, 0, 98),
    ]),
    rule!("pii.national_id." "lt_asmens_kodas", "century, birth date and check digit modulo 11", &[LT, IDENTITY], [
        (b"99999999999", baltic, 0, 98),
    ]),
    rule!("pii.national_id." "lv_personas_kods", "birth date and check digit modulo 11", &[LV, IDENTITY], [
        (b"999999-99999", latvian, 80, 98),
        (b"99999999999", latvian, 0, 97),
    ]),
    rule!("pii.national_id." "hr_oib", "check digit ISO 7064 modulo 11,10", &[HR, IDENTITY, TAX], [
        (b"99999999999", oib, 0, 97),
    ]),
    rule!("pii.national_id." "rs_jmbg", "birth date and check digit modulo 11", &[JMBG, IDENTITY], [
        (b"9999999999999", jmbg, 0, 98),
    ]),
    rule!("pii.national_id." "ru_inn", "both check digits of a person's number", &[INN, TAX], [
        (b"999999999999", inn, 0, 98),
    ]),
    rule!("pii.national_id." "ru_snils", "check number modulo 101", &[SNILS, INSURANCE], [
        (b"999-999-999 99", snils, 95, 99),
        (b"999-999-999-99", snils, 85, 99),
        (b"99999999999", snils, 0, 98),
        (b"999 999 999 99", snils, 0, 98),
    ]),
    rule!("pii.national_id." "ua_rnokpp", "check digit modulo 11", &[UA, TAX], [
        (b"9999999999", rnokpp, 0, 96),
    ]),
];

/// Act on population registration of 24 September 2010, article 15: the century is added to the month in twenties.
fn pesel(number: &[u8]) -> bool {
    let (year, month, day) = yymmdd(number, 0);
    valid(year, month % 20, day)
        && weighted(number, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
        && !uniform(number)
}

/// Ministry of the Interior: ICAO's weights, the check digit after the letters.
fn pl_card(number: &[u8]) -> bool {
    weighted(number, &[7, 3, 1, 9, 7, 3, 1, 7, 3]).is_multiple_of(10) && any(number)
}

/// Act 133/2000 Sb., section 13: a woman's month is raised by 50, and by 20 more where the numbers ran out. Where the
/// rest modulo 11 is ten the check digit is nought.
fn rodne_cislo(number: &[u8]) -> bool {
    let check = part(number, 0..9) % 11 % 10 == part(number, 9..10);
    birth(number) && check
}

fn rodne_cislo_before_1954(number: &[u8]) -> bool {
    birth(number) && part(number, 0..2) < 54 && part(number, 6..9) > 0
}

fn birth(number: &[u8]) -> bool {
    let (year, month, day) = yymmdd(number, 0);
    valid(year, month % 50 - if month % 50 > 20 { 20 } else { 0 }, day)
}

/// Act XX of 1996: weights rise before 1997 and fall since.
fn hu_personal(number: &[u8]) -> bool {
    let check = |weights| weighted(number, weights) % 11 == at(number, 10);
    let (rising, falling) = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    (1..=8).contains(&at(number, 0)) && is_yymmdd(number, 1) && (check(&rising) || check(&falling))
}

/// Act CL of 2017, annex 2: an 8, days since 1867, three digits, weights 1 to 9.
fn hu_tax(number: &[u8]) -> bool {
    at(number, 0) == 8 && weighted(number, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == at(number, 9)
}

/// Act XX of 1996: weights 3 and 7.
fn taj(number: &[u8]) -> bool {
    weighted(number, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == at(number, 8) && !uniform(number)
}

/// Emergency ordinance 97/2005: sex and century, birth date, county, weights of 279146358279 modulo 11, ten as one.
fn cnp(number: &[u8]) -> bool {
    let check = match weighted(number, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    at(number, 0) > 0
        && is_yymmdd(number, 1)
        && matches!(part(number, 7..9), 1..=48 | 51 | 52 | 70 | 80..=83)
        && check == at(number, 12)
}

/// GRAO, "Единен граждански номер": months are raised by 20 before 1900 and by 40 since 2000; ten as nought.
fn egn(number: &[u8]) -> bool {
    let (year, month, day) = yymmdd(number, 0);
    month < 60
        && valid(year, month % 20, day)
        && weighted(number, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == at(number, 9)
}

/// Estonian standard EVS 585 and the Lithuanian law on the population register: a second row of weights where the first
/// gives ten.
fn baltic(number: &[u8]) -> bool {
    let check = match weighted(number, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(number, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        check => check,
    };
    (1..=8).contains(&at(number, 0)) && is_yymmdd(number, 1) && check == at(number, 10)
}

/// Office of Citizenship and Migration Affairs: since 2017 a number begins with 32 and says nothing else.
fn latvian(number: &[u8]) -> bool {
    if part(number, 0..2) == 32 {
        return part(number, 2..11) > 0;
    }
    let check = 1 + weighted(number, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    is_ddmmyy(number, 0) && at(number, 6) < 3 && check % 11 % 10 == at(number, 10)
}

/// Pravilnik o osobnom identifikacijskom broju.
fn oib(number: &[u8]) -> bool {
    mod_11_10(number) && !uniform(number)
}

/// Law on the unique master citizen number (1976), kept by the successor states: day, month, the year's last three digits.
fn jmbg(number: &[u8]) -> bool {
    let check = match 11 - weighted(number, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        10.. => 0,
        check => check,
    };
    let year = match part(number, 4..7) {
        year @ 800.. => 1000 + year,
        year => 2000 + year,
    };
    valid(year, part(number, 2..4), part(number, 0..2)) && check == at(number, 12)
}

/// Federal Tax Service order ED-7-14/559: two check digits modulo 11, ten as nought.
fn inn(number: &[u8]) -> bool {
    weighted(number, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == at(number, 10)
        && weighted(number, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == at(number, 11)
        && !uniform(number)
}

/// Pension Fund of Russia: weights 9 to 1 modulo 101, a hundred as nought; not checked up to 001-001-998.
fn snils(number: &[u8]) -> bool {
    let sum = weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    part(number, 0..9) > 1_001_998 && u64::from(sum) == part(number, 9..11)
}

/// State Tax Service of Ukraine: weights -1 (ten, modulo 11), 5, 7, 9, 4, 6, 10, 5, 7; ten as nought.
fn rnokpp(number: &[u8]) -> bool {
    weighted(number, &[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10 == at(number, 9) && !uniform(number)
}
