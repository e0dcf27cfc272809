//! Brazil, Mexico, Argentina, Chile, Colombia, Ecuador, Uruguay and the Dominican Republic.

use super::checks::{any, at, luhn, no_date, part, sign, uniform, value, weighted};
use super::dates::is_yymmdd;
use super::rules::{IDENTITY, Rule, TAX, rule};

const CPF: &[&str] = &[
    "cpf",
    "cadastro de pessoa*",
    "cpf/mf",
    "cpf/cnpj",
    "contribuinte",
    "c.p.f",
];
const CNPJ: &[&str] = &["cnpj", "cadastro nacional", "cpf/cnpj", "cnpj/mf", "c.n.p.j"];
const RG: &[&str] = &["rg!", "registro geral", "carteira de identidade", "r.g"];
const CURP: &[&str] = &["curp", "clave única", "clave unica"];
const RFC: &[&str] = &["rfc!", "registro federal", "contribuyente*", "r.f.c"];
const CUIT: &[&str] = &["cuit", "cuil", "cuit/cuil", "c.u.i.t", "c.u.i.l", "cdi!"];
const AR_DNI: &[&str] = &["dni", "d.n.i", "documento nacional", "documento!"];
const RUT: &[&str] = &[
    "rut!",
    "run!",
    "r.u.t",
    "rol único",
    "rol unico",
    "cédula de identidad",
    "cedula",
];
const CO: &[&str] = &[
    "cédula",
    "cedula",
    "cédula de ciudadanía",
    "documento de identidad",
];
const NIT: &[&str] = &["nit!", "n.i.t", "identificación tributaria"];
const CEDULA: &[&str] = &[
    "cédula",
    "cedula",
    "cédula de identidad",
    "documento de identidad",
];

pub(super) const RULES: &[Rule] = &[
    rule!("pii.national_id." "br_cpf", "both check digits modulo 11", &[CPF, TAX, IDENTITY], [
        (b"999.999.999-99", cpf, 97, 99),
        (b"999999999-99", cpf, 85, 98),
        (b"99999999999", cpf, 0, 98),
        (b"999 999 999 99", cpf, 0, 97),
        (b"999.999.999.99", cpf, 80, 97),
        (b"999 999 999-99", cpf, 80, 98),
        (b"999-999-999-99", cpf, 75, 98),
    ]),
    rule!("pii.national_id." "br_cnpj", "both check digits modulo 11", &[CNPJ, TAX], [
        (b"XX.XXX.XXX/XXXX-99", cnpj, 97, 99),
        (b"99999999999999", cnpj, 0, 98),
        (b"99999999/9999-99", cnpj, 95, 99),
    ]),
    rule!("pii.national_id." "br_rg", "two, three, three digits and a check sign", &[RG], [
        (b"99.999.999-X", rg, 0, 85),
        (b"99999999X", rg, 0, 80),
    ]),
    rule!("pii.national_id." "mx_curp", "birth date, sex, state and check digit", &[CURP, IDENTITY], [
        (b"AAAA999999AAAAAAX9", curp, 98, 99),
    ]),
    rule!("pii.national_id." "mx_rfc", "birth date and check sign modulo 11", &[RFC, TAX], [
        (b"AAAA999999XXX", rfc_checked, 85, 98),
        (b"AAAA999999XXX", rfc, 0, 85),
    ]),
    rule!("pii.national_id." "ar_cuit", "prefix and check digit modulo 11", &[CUIT, TAX], [
        (b"99-99999999-9", cuit, 90, 98),
        (b"99999999999", cuit, 0, 97),
        (b"99 99999999 9", cuit, 75, 97),
        (b"99.99999999.9", cuit, 80, 97),
    ]),
    rule!("pii.national_id." "ar_dni", "eight digits", &[AR_DNI], [
        (b"99.999.999", any, 0, 80),
        (b"99999999", no_date, 0, 70),
        (b"9.999.999", any, 0, 70),
    ]),
    rule!("pii.national_id." "cl_rut", "check sign modulo 11", &[RUT, IDENTITY, TAX], [
            (b"99.999.999-X", rut, 93, 98),
            (b"9.999.999-X", rut, 88, 98),
            (b"999.999-X", rut, 0, 96),
    (b"99999999-X", rut, 0, 97),
            (b"9999999-X", rut, 0, 97),
            (b"999999999", rut, 0, 90),
            (b"99999999A", rut, 0, 95),
        ]),
    rule!("pii.national_id." "co_cedula", "the number's length", &[CO], [
        (b"9.999.999.999", any, 0, 75),
        (b"9999999999", any, 0, 70),
        (b"99.999.999", any, 0, 75),
        (b"99999999", no_date, 0, 65),
    ]),
    rule!("pii.national_id." "co_nit", "check digit modulo 11", &[NIT, TAX], [
        (b"999.999.999-9", nit, 80, 97),
        (b"999999999-9", nit, 0, 96),
        (b"9999999999", nit, 0, 95),
    ]),
    rule!("pii.national_id." "ec_cedula", "province and check digit", &[CEDULA, IDENTITY], [
        (b"9999999999", ec, 0, 96),
        (b"999999999-9", ec, 0, 97),
    ]),
    rule!("pii.national_id." "uy_cedula", "check digit modulo 10", &[CEDULA, IDENTITY], [
        (b"9.999.999-9", uy, 70, 97),
        (b"9999999-9", uy, 0, 96),
        (b"99999999", uy_no_date, 0, 94),
    ]),
    rule!("pii.national_id." "do_cedula", "Luhn check digit", &[CEDULA, IDENTITY], [
        (b"999-9999999-9", luhn, 75, 97),
        (b"99999999999", luhn, 0, 95),
    ]),
];

/// The check digit of a modulo 11: ten and eleven are nought.
fn rest_to_eleven(sum: u32) -> u32 {
    (11 - sum % 11) % 11 % 10
}

/// Receita Federal, Instrução Normativa RFB 2172/2024: two check digits, weights from 2 upwards from the right.
fn cpf(number: &[u8]) -> bool {
    rest_to_eleven(weighted(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(number, 9)
        && rest_to_eleven(weighted(number, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(number, 10)
        && !uniform(number)
}

/// Receita Federal, Instrução Normativa RFB 2229/2024: letters count as their ASCII code less 48.
fn cnpj(number: &[u8]) -> bool {
    let sum = |weights: &[u32]| -> u32 {
        number
            .iter()
            .zip(weights)
            .map(|(sign, weight)| u32::from(sign.saturating_sub(b'0')) * weight)
            .sum()
    };
    rest_to_eleven(sum(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == at(number, 12)
        && rest_to_eleven(sum(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == at(number, 13)
        && !uniform(number)
}

/// The states check differently or not at all; the last sign is a digit or X everywhere.
fn rg(number: &[u8]) -> bool {
    number
        .last()
        .is_some_and(|last| last.is_ascii_digit() || *last == b'X')
        && !uniform(number)
}

/// RENAPO, "Instructivo normativo para la asignación de la CURP": values with the letter Ñ in its place, weights 18 to 2.
fn curp(number: &[u8]) -> bool {
    const STATES: &[u8] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";
    let sum: u32 = number
        .iter()
        .zip((2..=18).rev())
        .map(|(sign, weight)| (value(*sign) + u32::from(*sign > b'N')) * weight)
        .sum();
    let state = number.get(11..13).unwrap_or_default();
    is_yymmdd(number, 4)
        && matches!(sign(number, 10), b'H' | b'M' | b'X')
        && STATES.chunks(2).any(|known| known == state)
        && (10 - sum % 10) % 10 == at(number, 17)
}

fn rfc(number: &[u8]) -> bool {
    is_yymmdd(number, 4)
}

/// SAT, "Estructura del RFC": weights 13 to 2, with `&` after N and ten as A.
fn rfc_checked(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .zip((2..=13).rev())
        .map(|(sign, weight)| (value(*sign) + u32::from(*sign > b'N')) * weight)
        .sum();
    let check = match 11 - sum % 11 {
        11 => b'0',
        10 => b'A',
        digit => b'0' + digit as u8,
    };
    rfc(number) && sign(number, 12) == check
}

/// ARCA (AFIP), general resolution 10/1997: kinds of persons and companies, weights 5 4 3 2 7 6 5 4 3 2, ten as nine.
fn cuit(number: &[u8]) -> bool {
    let check = match 11 - weighted(number, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        check => check,
    };
    matches!(part(number, 0..2), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55) && check == at(number, 10)
}

/// Servicio de Impuestos Internos: weights 2 to 7 from the right, ten as K.
fn rut(number: &[u8]) -> bool {
    let Some((last, body)) = number.split_last() else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].iter().cycle())
        .map(|(d, w)| value(*d) * w)
        .sum();
    let check = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        digit => b'0' + digit as u8,
    };
    *last == check && !uniform(body)
}

/// DIAN, order 4 of 1989: prime weights from the right.
fn nit(number: &[u8]) -> bool {
    let Some((last, body)) = number.split_last() else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([3, 7, 13, 17, 19, 23, 29, 37, 41])
        .map(|(digit, weight)| value(*digit) * weight)
        .sum();
    let check = match sum % 11 {
        rest @ 0..=1 => rest,
        rest => 11 - rest,
    };
    check == value(*last) && !uniform(number)
}

/// Registro Civil del Ecuador: a province, a third digit up to six, Luhn.
fn ec(number: &[u8]) -> bool {
    matches!(part(number, 0..2), 1..=24 | 30) && at(number, 2) < 7 && luhn(number)
}

fn uy_no_date(number: &[u8]) -> bool {
    uy(number) && no_date(number)
}

/// Dirección Nacional de Identificación Civil: weights 2987634 modulo 10.
fn uy(number: &[u8]) -> bool {
    (weighted(number, &[2, 9, 8, 7, 6, 3, 4]) + at(number, 7)).is_multiple_of(10) && !uniform(number)
}
