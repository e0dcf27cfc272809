//! The rules for keys and tokens, one detector an issuer.
//!
//! Shapes come from the issuers' own documentation and from keys as they are printed. A rule asks for the least
//! that tells a key from a word, not for today's exact length: issuers lengthen their keys, and half a key left
//! in place is a leak.

use crate::bytes::ByteSet;

/// A family of keys of one issuer.
#[derive(Debug)]
pub(super) struct Detector {
    pub(super) name: &'static str,
    pub(super) placeholder: &'static str,
    pub(super) confidence_percent: u8,
    pub(super) rules: &'static [Rule],
}

/// One prefix and what must follow it.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) prefix: &'static str,
    pub(super) shape: Shape,
}

/// What follows a prefix.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A run of `class`, in it single dots if `dots`, of `min` to `max` bytes, that passes `check`. A run
    /// without a `max` may be longer than can be held; `check` then sees its beginning.
    Run {
        class: &'static ByteSet,
        dots: bool,
        min: usize,
        max: usize,
        check: fn(&[u8]) -> bool,
    },
    /// A PEM label and body.
    PrivateKey,
    /// The number of base64 lines of PuTTY's private part, and those.
    PuttyLines,
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteSet")
    }
}

static ALNUM: ByteSet = ByteSet::alphanumeric_and(b"");
static WORD: ByteSet = ByteSet::alphanumeric_and(b"_");
static URL_SAFE: ByteSet = ByteSet::alphanumeric_and(b"_-");
/// Without the padding at the end, which tells nothing.
static BASE64: ByteSet = ByteSet::alphanumeric_and(b"+/_-");
static BASE64_AND_SUM: ByteSet = ByteSet::alphanumeric_and(b"+/=_-");
static UPPER: ByteSet = ByteSet::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
static PATH: ByteSet = ByteSet::alphanumeric_and(b"/_-");
static UUID: ByteSet = ByteSet::of(b"0123456789abcdefABCDEF-");

const fn key(prefix: &'static str, class: &'static ByteSet, min: usize) -> Rule {
    Rule {
        prefix,
        shape: Shape::Run {
            class,
            dots: false,
            min,
            max: usize::MAX,
            check: random,
        },
    }
}

const fn dotted(prefix: &'static str, min: usize, check: fn(&[u8]) -> bool) -> Rule {
    Rule {
        prefix,
        shape: Shape::Run {
            class: &URL_SAFE,
            dots: true,
            min,
            max: usize::MAX,
            check,
        },
    }
}

const fn checked(
    prefix: &'static str,
    class: &'static ByteSet,
    min: usize,
    check: fn(&[u8]) -> bool,
) -> Rule {
    Rule {
        prefix,
        shape: Shape::Run {
            class,
            dots: false,
            min,
            max: usize::MAX,
            check,
        },
    }
}

const fn exact(
    prefix: &'static str,
    class: &'static ByteSet,
    length: usize,
    check: fn(&[u8]) -> bool,
) -> Rule {
    Rule {
        prefix,
        shape: Shape::Run {
            class,
            dots: false,
            min: length,
            max: length,
            check,
        },
    }
}

macro_rules! detector {
    ($id:literal, $confidence:literal, [$($rule:expr),* $(,)?]) => {
        Detector {
            name: concat!("secret.", $id),
            placeholder: concat!("[REDACTED:", $id, "]"),
            confidence_percent: $confidence,
            rules: &[$($rule),*],
        }
    };
}

mod clouds;
mod hosting;
mod models;
mod services;
mod workplaces;

/// Every secret detector, by subject. Where two prefixes match, the longer one's rule judges alone. A detector without
/// rules of this kind is found by its context only.
const TABLES: &[&[Detector]] = &[
    models::DETECTORS,
    clouds::DETECTORS,
    hosting::DETECTORS,
    workplaces::DETECTORS,
    services::DETECTORS,
];

/// Every secret detector.
pub(super) fn detectors() -> impl Iterator<Item = &'static Detector> {
    TABLES.iter().copied().flatten()
}

/// Fewer different characters than this in a body are a placeholder: `hf_xxxxxxxx`.
const MIN_DISTINCT: u32 = 8;

/// Not a placeholder and not a word: enough different characters, a letter and a digit among them, or else letters
/// whose case changes as often as in no name.
fn random(body: &[u8]) -> bool {
    let (mut seen, mut digit, mut letter) = (0_u128, false, false);
    for byte in body {
        seen |= 1 << (byte & 127);
        digit |= byte.is_ascii_digit();
        letter |= byte.is_ascii_alphabetic();
        if digit && letter && seen.count_ones() >= MIN_DISTINCT {
            return true;
        }
    }
    seen.count_ones() >= MIN_DISTINCT && case_changes(body) * 100 >= body.len() * 30
}

/// How often a capital follows a small letter, or the reverse.
fn case_changes(body: &[u8]) -> usize {
    let lower = |b: &u8| b.is_ascii_lowercase();
    let upper = |b: &u8| b.is_ascii_uppercase();
    body.windows(2)
        .filter(|pair| matches!(pair, [a, b] if lower(a) && upper(b) || upper(a) && lower(b)))
        .count()
}

/// Random, with a capital and a small letter: what a short prefix needs, to be told from a name.
fn mixed(body: &[u8]) -> bool {
    random(body) && body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase)
}

/// Five groups of 8, 4, 4, 4 and 12 in hexadecimal (RFC 9562).
fn uuid(body: &[u8]) -> bool {
    body.len() == 36 && body.split(|b| *b == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12]) && random(body)
}

/// `sk-` also begins names made of words. A key has a long unbroken stretch of letters and digits.
fn openai(body: &[u8]) -> bool {
    const UNBROKEN_BYTES: usize = 16;
    let others = [&b"ant-"[..], b"or-v1-"];
    !others.iter().any(|other| body.starts_with(other))
        && random(body)
        && body
            .split(|b| !b.is_ascii_alphanumeric())
            .any(|part| part.len() >= UNBROKEN_BYTES && part.iter().any(u8::is_ascii_digit))
}

/// AWS key identifiers are base 32: never 0, 1, 8 or 9. Documentation and tests write other digits as well, so a
/// digit out of place is no reason to let one pass; being one word of capitals is.
fn access_key_id(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic)
        || body.ends_with(b"EXAMPLE")
}

fn hexadecimal(body: &[u8]) -> bool {
    body.iter().take(32).all(u8::is_ascii_hexdigit) && random(body)
}

/// Slack's tokens and web hooks carry numeric or capital identifiers before a random part.
fn slack(body: &[u8]) -> bool {
    const RANDOM_BYTES: usize = 8;
    random(body)
        && body
            .split(|b| !b.is_ascii_alphanumeric())
            .any(|part| part.len() >= RANDOM_BYTES)
}

/// Base64url of a JSON object: either its first key is one JOSE defines (RFC 7515, 7516), or a second object follows
/// the first dot.
fn jwt(body: &[u8]) -> bool {
    // What `{"alg"`, `{"typ"`, `{"kid"`, `{"enc"`, `{"cty"`, `{"jku"`, `{"x5c"` (also t, u), `{"zip"`, `{"jwk"`
    // continue `eyJ` with.
    const FIRST_KEYS: &[&[u8]] = &[
        b"hbGci", b"0eXAi", b"raWQi", b"lbmMi", b"jdHki", b"qa3Ui", b"4NW", b"6aXAi", b"qd2si",
    ];
    const MIN_PART_BYTES: usize = 8;
    let mut parts = body.split(|b| *b == b'.');
    let header = parts.next().unwrap_or_default();
    if header.len() < MIN_PART_BYTES {
        return false;
    }
    match parts.next() {
        None => header.len() >= super::LOOK_BYTES / 2 && FIRST_KEYS.iter().any(|k| header.starts_with(k)),
        Some(payload) => {
            payload.starts_with(b"eyJ")
                || (payload.len() >= MIN_PART_BYTES && FIRST_KEYS.iter().any(|k| header.starts_with(k)))
        }
    }
}
