//! China, Taiwan, Hong Kong, Japan, Korea and south-east Asia.

use super::checks::{any, at, mod_11_2, part, sign, uniform, value, weighted};
use super::dates::{is_yymmdd, is_yyyymmdd, valid};
use super::rules::{IDENTITY, Rule, TAX, rule};

const CN: &[&str] = &[
    "身份证*",
    "身份號碼",
    "公民身份*",
    "证件号*",
    "身分證*",
    "resident identity",
    "shenfenzheng",
    "sfz",
];
const TW: &[&str] = &["身分證*", "身份證*", "統一編號", "taiwan id", "arc!", "居留證*"];
const HK: &[&str] = &["hkid", "身份證*", "身份证*", "hong kong id", "hong kong identity"];
const JP: &[&str] = &[
    "マイナンバー*",
    "個人番号*",
    "my number",
    "mynumber",
    "my_number",
    "individual number",
];
const KR: &[&str] = &[
    "주민등록*",
    "주민번호*",
    "외국인등록*",
    "rrn!",
    "resident registration",
    "jumin",
];
const SG: &[&str] = &["nric", "fin!", "nric/fin", "nric no"];
const MY: &[&str] = &[
    "mykad",
    "nric",
    "kad pengenalan",
    "no. kp",
    "no kp",
    "ic number",
    "ic no",
    "i/c!",
];
const ID: &[&str] = &["nik!", "ktp", "e-ktp", "kependudukan", "nomor induk"];
const TH: &[&str] = &["บัตรประชาชน*", "ประจำตัวประชาชน*", "เลขประจำตัว*", "thai id"];
const VN: &[&str] = &[
    "cccd",
    "căn cước*",
    "can cuoc",
    "cmnd",
    "chứng minh*",
    "định danh*",
];
const PH: &[&str] = &["philsys", "psn!", "pcn!", "umid", "crn!"];
const PH_SSS: &[&str] = &["sss!", "sss number", "sss no"];
const PH_TIN: &[&str] = &["tin!", "bir!"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "cn_resident_id", "region, birth date and check sign ISO 7064 modulo 11-2", &[CN, IDENTITY], [
        (b"99999999999999999X", resident_id, 98, 99),
        (b"999999 99999999 999X", resident_id, 97, 99),
        (b"999999999999999", resident_id_before_1999, 0, 90),
    ]),
    rule!("pii.national_id." "tw_id", "region letter and check digit modulo 10", &[TW, IDENTITY], [
        (b"A999999999", taiwan, 0, 97),
        (b"AA99999999", taiwan_resident, 0, 96),
    ]),
    rule!("pii.national_id." "hk_id", "check sign modulo 11", &[HK, IDENTITY], [
        (b"A999999(X)", hong_kong, 92, 99),
        (b"AA999999(X)", hong_kong, 92, 99),
        (b"A999999X", hong_kong, 0, 96),
        (b"AA999999X", hong_kong, 0, 96),
        (b"A999999 (X)", hong_kong, 88, 98),
    ]),
    rule!("pii.national_id." "jp_my_number", "check digit modulo 11", &[JP, TAX, IDENTITY], [
        (b"999999999999", my_number, 0, 98),
        (b"9999~9999~9999", my_number, 0, 98),
    ]),
    rule!("pii.national_id." "kr_rrn", "birth date, sex and check digit modulo 11", &[KR, IDENTITY], [
        (b"999999-9999999", rrn_checked, 93, 99),
        (b"999999-9999999", rrn, 65, 95),
        (b"9999999999999", rrn_checked, 0, 97),
        (b"9999999999999", rrn, 0, 85),
    ]),
    rule!("pii.national_id." "sg_nric", "check letter modulo 11", &[SG, IDENTITY], [
        (b"A9999999A", nric, 92, 99),
    ]),
    rule!("pii.national_id." "my_mykad", "birth date and place of birth", &[MY, IDENTITY], [
        (b"999999-99-9999", mykad, 88, 98),
        (b"999999999999", mykad, 0, 90),
        (b"999999 99 9999", mykad, 0, 95),
    ]),
    rule!("pii.national_id." "id_nik", "province and birth date", &[ID, IDENTITY], [
        (b"9999999999999999", nik, 0, 96),
        (b"9999 9999 9999 9999", nik, 0, 94),
    ]),
    rule!("pii.national_id." "th_id", "check digit modulo 11", &[TH, IDENTITY, TAX], [
        (b"9-9999-99999-99-9", thai, 95, 99),
        (b"9 9999 99999 99 9", thai, 90, 99),
        (b"9999999999999", thai, 0, 97),
    ]),
    rule!("pii.national_id." "vn_cccd", "province and century", &[VN, IDENTITY], [
        (b"999999999999", cccd, 0, 85),
        (b"999999999", any, 0, 70),
    ]),
    rule!("pii.national_id." "ph_philsys", "the number's groups", &[PH], [
        (b"9999~9999~9999~9999", any, 0, 85),
        (b"9999~9999999~9", any, 0, 85),
    ]),
    rule!("pii.national_id." "ph_sss", "the number's groups", &[PH_SSS], [
        (b"99-9999999-9", any, 0, 88),
    ]),
    rule!("pii.national_id." "ph_tin", "the number's groups", &[PH_TIN, TAX], [
        (b"999-999-999-999", any, 0, 80),
        (b"999-999-999-99999", any, 0, 80),
    ]),
];

/// GB 11643-1999, with the provinces of GB/T 2260 and 81 to 83 for residents from Hong Kong, Macao and Taiwan.
fn resident_id(number: &[u8]) -> bool {
    province(number) && is_yyyymmdd(number, 6) && mod_11_2(number)
}

fn resident_id_before_1999(number: &[u8]) -> bool {
    province(number) && is_yymmdd(number, 6)
}

fn province(number: &[u8]) -> bool {
    matches!(part(number, 0..2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
}

/// The number of a Taiwanese region letter.
fn region(letter: u8) -> u32 {
    const ORDER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    ORDER
        .iter()
        .position(|known| *known == letter)
        .map_or(0, |place| place as u32 + 10)
}

/// Department of Household Registration: the letter's two digits weigh 1 and 9, the others 8 to 1 and 1.
fn taiwan(number: &[u8]) -> bool {
    let region = region(sign(number, 0));
    let rest = number.get(1..).unwrap_or_default();
    matches!(at(number, 1), 1 | 2 | 8 | 9)
        && (region / 10 + region % 10 * 9 + weighted(rest, &[8, 7, 6, 5, 4, 3, 2, 1, 1])).is_multiple_of(10)
}

/// National Immigration Agency, numbers until 2020: a second letter, of whose number the last digit counts.
fn taiwan_resident(number: &[u8]) -> bool {
    let (first, second) = (region(sign(number, 0)), region(sign(number, 1)) % 10);
    let rest = number.get(2..).unwrap_or_default();
    (b'A'..=b'D').contains(&sign(number, 1))
        && (first / 10 + first % 10 * 9 + second * 8 + weighted(rest, &[7, 6, 5, 4, 3, 2, 1, 1]))
            .is_multiple_of(10)
}

/// Immigration Department: letters count from 10, a missing first one as 36, weights 9 to 1, ten as A.
fn hong_kong(number: &[u8]) -> bool {
    let sum = match number.len() {
        8 => 36 * 9 + weighted(number, &[8, 7, 6, 5, 4, 3, 2, 1]),
        _ => weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2, 1]),
    };
    sum.is_multiple_of(11)
        && number
            .last()
            .is_some_and(|check| check.is_ascii_digit() || *check == b'A')
}

/// Ordinance 85 of 2014 (Ministry of Internal Affairs), article 5.
fn my_number(number: &[u8]) -> bool {
    let check = match weighted(number, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    check == at(number, 11) && !uniform(number)
}

/// Resident Registration Act, enforcement rule 2: since October 2020 the last six digits are random.
fn rrn(number: &[u8]) -> bool {
    is_yymmdd(number, 0) && part(number, 7..13) > 0
}

fn rrn_checked(number: &[u8]) -> bool {
    let sum = weighted(number, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    // A foreigner's number is checked with 13 in the place of 11.
    let check = if (5..=8).contains(&at(number, 6)) { 13 } else { 11 } - sum % 11;
    rrn(number) && check % 10 == at(number, 12)
}

/// Immigration & Checkpoints Authority: weights 2 7 6 5 4 3 2 and a row of letters for each kind of resident.
fn nric(number: &[u8]) -> bool {
    let sum = weighted(number.get(1..).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let (raised, letters): (u32, &[u8]) = match sign(number, 0) {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    letters.get(((sum + raised) % 11) as usize) == Some(&sign(number, 8))
}

/// National Registration Department: birth date and the codes for places of birth.
fn mykad(number: &[u8]) -> bool {
    is_yymmdd(number, 0)
        && matches!(part(number, 6..8), 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99)
}

/// Regulation 37 of 2007: province, and the birth date with a woman's day raised by 40.
fn nik(number: &[u8]) -> bool {
    let day = part(number, 6..8);
    (11..=97).contains(&part(number, 0..2))
        && part(number, 2..4) > 0
        && valid(
            part(number, 10..12),
            part(number, 8..10),
            if day > 40 { day - 40 } else { day },
        )
}

/// Department of Provincial Administration: weights 13 to 2 modulo 11.
fn thai(number: &[u8]) -> bool {
    let sum = weighted(number, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (1..=8).contains(&at(number, 0)) && (11 - sum % 11) % 10 == at(number, 12) && !uniform(number)
}

/// Decree 137/2015: province 001 to 096, then sex and century.
fn cccd(number: &[u8]) -> bool {
    (1..=96).contains(&part(number, 0..3)) && value(sign(number, 3)) < 4
}
