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
    ($id:literal, $confidence:literal, [$($rule:expr),+ $(,)?]) => {
        Detector {
            name: concat!("secret.", $id),
            placeholder: concat!("[REDACTED:", $id, "]"),
            confidence_percent: $confidence,
            rules: &[$($rule),+],
        }
    };
}

/// Every secret detector. Where two prefixes match, the longer one's rule judges alone.
pub(super) static DETECTORS: &[Detector] = &[
    // Model providers.
    detector!("openai", 90, [checked("sk-", &URL_SAFE, 20, openai)]),
    detector!("anthropic", 99, [key("sk-ant-", &URL_SAFE, 24)]),
    detector!("openrouter", 99, [key("sk-or-v1-", &URL_SAFE, 24)]),
    detector!(
        "google",
        95,
        [
            key("AIza", &URL_SAFE, 35),
            key("GOCSPX-", &URL_SAFE, 24),
            dotted("ya29.", 30, random),
        ]
    ),
    detector!(
        "hugging_face",
        95,
        [key("hf_", &ALNUM, 30), key("api_org_", &ALNUM, 30)]
    ),
    detector!("groq", 95, [key("gsk_", &ALNUM, 40)]),
    detector!("xai", 95, [key("xai-", &ALNUM, 60)]),
    detector!("perplexity", 95, [key("pplx-", &ALNUM, 40)]),
    detector!("replicate", 95, [exact("r8_", &ALNUM, 37, random)]),
    detector!("nvidia", 95, [key("nvapi-", &URL_SAFE, 50)]),
    detector!("fireworks", 80, [key("fw_", &ALNUM, 22)]),
    detector!("tavily", 90, [key("tvly-", &URL_SAFE, 24)]),
    detector!(
        "langsmith",
        95,
        [key("lsv2_pt_", &WORD, 32), key("lsv2_sk_", &WORD, 32)]
    ),
    // Clouds and hosting.
    detector!(
        "aws",
        95,
        [
            exact("AKIA", &UPPER, 16, access_key_id),
            exact("ASIA", &UPPER, 16, access_key_id),
            exact("ABIA", &UPPER, 16, access_key_id),
            exact("ACCA", &UPPER, 16, access_key_id),
            key("ABSK", &BASE64, 100),
            key("bedrock-api-key-", &BASE64, 40),
        ]
    ),
    detector!(
        "digitalocean",
        99,
        [
            key("dop_v1_", &ALNUM, 60),
            key("doo_v1_", &ALNUM, 60),
            key("dor_v1_", &ALNUM, 60),
        ]
    ),
    detector!("databricks", 90, [checked("dapi", &URL_SAFE, 32, hexadecimal)]),
    detector!(
        "vault",
        95,
        [
            key("hvs.", &URL_SAFE, 24),
            key("hvb.", &URL_SAFE, 24),
            key("hvr.", &URL_SAFE, 24)
        ]
    ),
    detector!(
        "doppler",
        95,
        [key("dp.pt.", &ALNUM, 40), key("dp.st.", &URL_SAFE, 40)]
    ),
    detector!("pulumi", 95, [key("pul-", &ALNUM, 40)]),
    // Source hosting and package registries.
    detector!(
        "github",
        99,
        [
            key("ghp_", &ALNUM, 36),
            key("gho_", &ALNUM, 36),
            key("ghu_", &ALNUM, 36),
            key("ghs_", &ALNUM, 36),
            key("ghr_", &ALNUM, 36),
            key("github_pat_", &WORD, 50),
        ]
    ),
    detector!(
        "gitlab",
        99,
        [
            dotted("glpat-", 20, random),
            dotted("gldt-", 20, random),
            dotted("glrt-", 20, random),
            dotted("glcbt-", 20, random),
            dotted("glptt-", 20, random),
            dotted("glsoat-", 20, random),
        ]
    ),
    detector!("npm", 99, [key("npm_", &ALNUM, 36)]),
    detector!("pypi", 99, [key("pypi-AgE", &URL_SAFE, 50)]),
    detector!(
        "docker",
        99,
        [key("dckr_pat_", &URL_SAFE, 24), key("dckr_oat_", &URL_SAFE, 24)]
    ),
    detector!("rubygems", 95, [key("rubygems_", &ALNUM, 40)]),
    // Messaging and workplaces.
    detector!(
        "slack",
        95,
        [
            checked("xoxb-", &URL_SAFE, 20, slack),
            checked("xoxp-", &URL_SAFE, 20, slack),
            checked("xoxa-", &URL_SAFE, 20, slack),
            checked("xoxr-", &URL_SAFE, 20, slack),
            checked("xoxs-", &URL_SAFE, 20, slack),
            checked("xoxe-", &URL_SAFE, 20, slack),
            checked("xoxc-", &URL_SAFE, 20, slack),
            checked("xapp-", &URL_SAFE, 20, slack),
            checked("https://hooks.slack.com/services/", &PATH, 30, slack),
        ]
    ),
    detector!("sendgrid", 99, [dotted("SG.", 60, random)]),
    detector!("mailgun", 85, [exact("key-", &ALNUM, 32, hexadecimal)]),
    detector!("notion", 95, [key("ntn_", &ALNUM, 40)]),
    detector!("linear", 99, [key("lin_api_", &ALNUM, 36)]),
    detector!("atlassian", 99, [key("ATATT3xFf", &BASE64_AND_SUM, 60)]),
    detector!("figma", 95, [key("figd_", &URL_SAFE, 36)]),
    // Money and shops.
    detector!(
        "stripe",
        99,
        [
            key("sk_live_", &ALNUM, 24),
            key("sk_test_", &ALNUM, 24),
            key("rk_live_", &ALNUM, 24),
            key("rk_test_", &ALNUM, 24),
            key("whsec_", &BASE64, 32),
        ]
    ),
    detector!(
        "shopify",
        95,
        [
            checked("shpat_", &ALNUM, 32, hexadecimal),
            checked("shpss_", &ALNUM, 32, hexadecimal),
            checked("shpca_", &ALNUM, 32, hexadecimal),
            checked("shppa_", &ALNUM, 32, hexadecimal),
        ]
    ),
    detector!(
        "square",
        95,
        [key("sq0atp-", &URL_SAFE, 22), key("sq0csp-", &URL_SAFE, 40)]
    ),
    // Observation.
    detector!("grafana", 95, [key("glsa_", &WORD, 36), key("glc_", &BASE64, 40)]),
    detector!("new_relic", 95, [key("NRAK-", &UPPER, 27)]),
    detector!(
        "sentry",
        95,
        [key("sntrys_", &BASE64, 60), key("sntryu_", &ALNUM, 60)]
    ),
    // Kinds of key that no single issuer marks.
    detector!("jwt", 95, [dotted("eyJ", 30, jwt)]),
    detector!("age", 99, [key("AGE-SECRET-KEY-1", &UPPER, 50)]),
    detector!(
        "private_key",
        99,
        [Rule {
            prefix: "-----BEGIN ",
            shape: Shape::PrivateKey
        }]
    ),
];

/// Fewer different characters than this in a body are a placeholder: `hf_xxxxxxxx`.
const MIN_DISTINCT: u32 = 8;

/// Not a placeholder and not a word: enough different characters, a digit and a letter among them.
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
    false
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
