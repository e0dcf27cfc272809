//! Australia and New Zealand.

use super::checks::{at, no_date, part, uniform, weighted};
use super::rules::{HEALTH, Rule, TAX, rule};

const TFN: &[&str] = &["tfn", "tax file number", "tax file no", "tax file"];
const MEDICARE: &[&str] = &["medicare", "medicare card", "medicare number", "medicare no"];
const IRD: &[&str] = &["ird!", "ird number", "inland revenue"];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "au_tfn", "check modulo 11", &[TFN, TAX], [
        (b"999~999~999", tfn, 0, 97),
        (b"999999999", tfn, 0, 96),
    ]),
    rule!("pii.national_id." "au_medicare", "first digit and check digit modulo 10", &[MEDICARE, HEALTH], [
        (b"9999~99999~9", medicare, 65, 97),
        (b"9999 99999 9/9", medicare, 75, 97),
        (b"9999 99999 9-9", medicare, 70, 97),
        (b"9999 99999 9 9", medicare, 65, 97),
        (b"9999999999", medicare, 0, 96),
        (b"99999999999", medicare, 0, 95),
    ]),
    rule!("pii.national_id." "nz_ird", "issued range and check digit modulo 11", &[IRD, TAX], [
        (b"999~999~999", ird, 0, 97),
        (b"99~999~999", ird_of_eight, 0, 97),
        (b"999999999", ird, 0, 96),
        (b"99999999", ird_of_eight, 0, 96),
    ]),
];

/// Australian Taxation Office: weights 1 4 3 7 5 8 6 9 10.
fn tfn(number: &[u8]) -> bool {
    weighted(number, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !uniform(number)
}

/// Services Australia, data element 270101: the ninth digit checks the first eight.
fn medicare(number: &[u8]) -> bool {
    (2..=6).contains(&at(number, 0))
        && weighted(number, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == at(number, 8)
        && at(number, 9) > 0
}

/// Inland Revenue, "RWT and NRWT certificate filing specification": a second row of weights where the first gives ten.
fn ird(number: &[u8]) -> bool {
    let check = |weights| match weighted(number, weights) % 11 {
        0 => 0,
        rest => 11 - rest,
    };
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 {
        check(&[7, 4, 3, 2, 5, 2, 7, 6])
    } else {
        first
    };
    (10_000_000..150_000_000).contains(&part(number, 0..9)) && check == at(number, 8) && !uniform(number)
}

fn ird_of_eight(number: &[u8]) -> bool {
    let mut nine = [b'0'; 9];
    number.len() == 8 && no_date(number) && {
        nine[1..].copy_from_slice(number);
        ird(&nine)
    }
}
