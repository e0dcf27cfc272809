//! Texts of the same kind and shape as others, which are nobody's.
//!
//! Where a standard or an issuer keeps a range for examples, it is taken. Everything made here is of letters, digits and
//! characters that no encoder of JSON escapes.

use std::net::{IpAddr, Ipv6Addr};

use super::dice::Dice;
use super::names::{FAMILY, GIVEN};

/// Domains that are nobody's (RFC 2606).
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];
/// Longest secret that has one of the same shape; a longer one (a private key, a token that holds claims) has a name.
const MAX_SHAPED_BYTES: usize = 256;
/// Characters at a secret's beginning in which its issuer may be named.
const PREFIX_BYTES: usize = 12;
/// Fewest letters and digits of which others of the same shape are made: fewer would be met by chance.
const MIN_SHAPED: usize = 6;

/// A text that can stand for a finding of `detector` whose text is `original`.
pub(super) fn fake(detector: &str, original: &str, dice: &mut Dice<'_>) -> String {
    let made = match detector {
        "pii.credit_card" => card(original, dice),
        "pii.email" => email(original, dice),
        "pii.phone" => phone(original, dice),
        "pii.iban" => iban(original, dice),
        "pii.ip_address" => ip_address(original, dice),
        "pii.mac_address" => mac_address(original, dice),
        "pii.national_id.us_ssn" => us_ssn(original, dice),
        "pii.person" => person(original, dice),
        _ if detector.starts_with("secret.") => secret(original, dice),
        _ if detector.starts_with("pii.national_id.") || detector == "pii.passport" => {
            shaped(original, 0, dice)
        }
        _ => None,
    };
    made.unwrap_or_else(|| token(detector, dice))
}

/// `[PERSON_4821]`.
pub(super) fn token(detector: &str, dice: &mut Dice<'_>) -> String {
    let name: String = detector
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    format!("[{name}_{}]", 1_000 + dice.below(9_000))
}

/// The digits of `shape` replaced, one after the other; `None` where there are not as many.
fn with_digits(shape: &str, digits: &[u8]) -> Option<String> {
    let mut digits = digits.iter();
    let mut out = String::with_capacity(shape.len());
    for c in shape.chars() {
        out.push(if c.is_ascii_digit() {
            char::from(*digits.next()?)
        } else {
            c
        });
    }
    digits.next().is_none().then_some(out)
}

fn digits_of(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).collect()
}

/// Only what is written in characters that need no escaping keeps its shape.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" +-._:()[]".contains(&byte))
}

/// A card of the same network and length in the ranges that networks and processors publish for tests, with a valid check
/// digit.
fn card(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    let mut digits = digits_of(original);
    let number = std::str::from_utf8(&digits).ok()?;
    let range = match number.get(..2)? {
        "34" | "37" => "378282",
        "30" | "36" | "38" | "39" => "305693",
        "35" => "353011",
        "60" | "64" | "65" => "601111",
        other if other.starts_with('4') => "400000",
        other if other.starts_with(['5', '2']) => "555555",
        _ => number.get(..6)?,
    }
    .to_owned();
    if !is_plain(original) || digits.len() <= range.len() + 1 {
        return None;
    }
    digits.splice(..range.len(), range.bytes());
    let (check, body) = digits.split_last_mut()?;
    for digit in body.iter_mut().skip(range.len()) {
        *digit = u8::try_from(dice.digit()).ok()?;
    }
    *check = luhn(body);
    with_digits(original, &digits)
}

/// The check digit behind `body` (ISO/IEC 7812-1, annex B).
fn luhn(body: &[u8]) -> u8 {
    let sum: u32 = body
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = if at % 2 == 0 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

fn email(_: &str, dice: &mut Dice<'_>) -> Option<String> {
    let (given, family, domain) = (dice.pick(GIVEN)?, dice.pick(FAMILY)?, dice.pick(&DOMAINS)?);
    let number = dice.below(1_000);
    Some(format!("{given}.{family}{number}@{domain}").to_ascii_lowercase())
}

/// Of North America a number kept for fiction (555-0100 to 555-0199), of elsewhere one of the same shape and beginning.
fn phone(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    let mut digits = digits_of(original);
    if !is_plain(original) || digits.len() < MIN_SHAPED || original.bytes().any(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let international = original.trim_start().starts_with('+');
    let national = match (international, digits.len(), digits.first()?) {
        (_, 11, b'1') => Some(1),
        (false, 10, b'2'..=b'9') => Some(0),
        _ => None,
    };
    if let Some(national) = national {
        let number = format!(
            "{}{:02}55501{:02}",
            2 + dice.below(8),
            dice.below(100),
            dice.below(100)
        );
        digits.splice(national.., number.bytes());
    } else {
        let kept = if international { 4 } else { 2 }.min(digits.len() - 4);
        for digit in digits.iter_mut().skip(kept) {
            *digit = u8::try_from(dice.digit()).ok()?;
        }
    }
    with_digits(original, &digits)
}

/// An account of the same country with valid check digits (ISO 13616, mod 97).
fn iban(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    let compact: Vec<char> = original.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let country = compact.get(..2)?;
    if !is_plain(original) || !country.iter().all(char::is_ascii_alphabetic) {
        return None;
    }
    let account: Vec<char> = compact.get(4..)?.iter().map(|c| dice.like(*c)).collect();
    let rearranged = account.iter().chain(country).chain(&['0', '0']);
    let rest = rearranged.fold(0, |rest: u32, c| match c.to_digit(36) {
        Some(value @ 0..=9) => (rest * 10 + value) % 97,
        Some(value) => (rest * 100 + value) % 97,
        None => rest,
    });
    let check = format!("{:02}", 98 - rest);
    let mut all = country.iter().copied().chain(check.chars()).chain(account);
    let fill = |c: char| {
        if c.is_ascii_alphanumeric() {
            all.next()
        } else {
            Some(c)
        }
    };
    original.chars().map(fill).collect()
}

/// An address kept for documentation and benchmarks (RFC 2544, RFC 3849).
fn ip_address(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    Some(match original.parse().ok()? {
        IpAddr::V4(_) => format!(
            "198.{}.{}.{}",
            18 + dice.below(2),
            dice.below(256),
            1 + dice.below(254)
        ),
        IpAddr::V6(_) => {
            let mut group = || u16::try_from(0x1000 + dice.below(0xefff)).unwrap_or(0x1000);
            let (a, b, c, d) = (group(), group(), group(), group());
            Ipv6Addr::new(0x2001, 0xdb8, a, b, 0, 0, c, d).to_string()
        }
    })
}

/// One that is administered locally, and so no maker's.
fn mac_address(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    if !is_plain(original) {
        return None;
    }
    let upper = original.bytes().any(|byte| byte.is_ascii_uppercase());
    let mut nibbles = 0;
    let mut other = |c: char| {
        if !c.is_ascii_hexdigit() {
            return Some(c);
        }
        nibbles += 1;
        let value = if nibbles == 2 {
            *dice.pick(&[0x2, 0x6, 0xa, 0xe])?
        } else {
            dice.below(16)
        };
        let digit = char::from_digit(value, 16)?;
        Some(if upper { digit.to_ascii_uppercase() } else { digit })
    };
    original.chars().map(&mut other).collect()
}

/// An area from 900 on with a group that no taxpayer number has: it was never given to anybody.
fn us_ssn(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    let (area, group, serial) = (900 + dice.below(100), 1 + dice.below(49), 1 + dice.below(9_999));
    with_digits(original, format!("{area}{group:02}{serial:04}").as_bytes()).filter(|_| is_plain(original))
}

fn person(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    let (given, family) = (dice.pick(GIVEN)?, dice.pick(FAMILY)?);
    // Of a single name it cannot be said which it is.
    Some(if original.split_whitespace().count() < 2 {
        (*family).to_owned()
    } else {
        format!("{given} {family}")
    })
}

/// The issuer's mark stays, letters and digits behind it become others.
fn secret(original: &str, dice: &mut Dice<'_>) -> Option<String> {
    if original.len() > MAX_SHAPED_BYTES {
        return None;
    }
    let start = original.get(..PREFIX_BYTES).unwrap_or(original);
    let mark = start.rfind(['_', '-', '.']).map_or(4, |at| at + 1);
    shaped(original, mark, dice)
}

/// Letters and digits from `kept` on become others of the same kind.
fn shaped(original: &str, kept: usize, dice: &mut Dice<'_>) -> Option<String> {
    let changed = original.get(kept..)?;
    let count = changed.bytes().filter(u8::is_ascii_alphanumeric).count();
    if count < MIN_SHAPED || !original.get(..kept).is_some_and(is_plain) {
        return None;
    }
    let other = |c: char| match c {
        '/' | '=' => Some(dice.like('a')),
        c if c.is_ascii_alphanumeric() => Some(dice.like(c)),
        c if c.is_ascii() && is_plain(c.encode_utf8(&mut [0; 4])) => Some(c),
        _ => None,
    };
    let changed: Option<String> = changed.chars().map(other).collect();
    Some(format!("{}{}", original.get(..kept)?, changed?))
}
