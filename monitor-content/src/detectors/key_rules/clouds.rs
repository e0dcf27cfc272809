//! Clouds, hosting and what keeps their secrets.

use super::{
    ALNUM, BASE64, BASE64_AND_SUM, Detector, UPPER, URL_SAFE, UUID, WORD, access_key_id, checked, dotted,
    exact, hexadecimal, key, mixed, random, uuid,
};

pub(super) const DETECTORS: &[Detector] = &[
    detector!(
        "aws",
        95,
        [
            exact("AKIA", &UPPER, 16, access_key_id),
            exact("ASIA", &UPPER, 16, access_key_id),
            exact("ABIA", &UPPER, 16, access_key_id),
            exact("ACCA", &UPPER, 16, access_key_id),
            exact("A3T", &UPPER, 17, access_key_id),
            key("ABSK", &BASE64, 100),
            key("bedrock-api-key-", &BASE64, 40),
            checked("amzn.mws.", &UUID, 36, uuid),
            // Session tokens begin with the issuing service's name in base64.
            key("IQoJb3JpZ2luX2Vj", &BASE64, 100),
            key("FwoGZXIvYXdz", &BASE64, 100),
            key("FQoGZXIvYXdz", &BASE64, 100),
        ]
    ),
    detector!("azure", 90, [checked("sig=", &PERCENT, 43, shared_access)]),
    detector!("alibaba", 95, [checked("LTAI", &ALNUM, 16, bounded_to::<26>)]),
    detector!("tencent", 90, [exact("AKID", &ALNUM, 32, mixed)]),
    detector!("ibm", 85, []),
    detector!(
        "digitalocean",
        99,
        [
            key("dop_v1_", &ALNUM, 60),
            key("doo_v1_", &ALNUM, 60),
            key("dor_v1_", &ALNUM, 60),
        ]
    ),
    detector!(
        "databricks",
        90,
        [
            checked("dapi", &URL_SAFE, 32, hexadecimal),
            checked("dose", &URL_SAFE, 32, hexadecimal),
            checked("dkea", &URL_SAFE, 32, hexadecimal)
        ]
    ),
    detector!("heroku", 90, [key("HRKU-", &URL_SAFE, 36)]),
    detector!(
        "fly",
        95,
        [
            key("fm1_", &BASE64, 80),
            key("fm1r_", &BASE64, 80),
            key("fm2_", &BASE64, 80),
            exact("fo1_", &URL_SAFE, 43, random),
        ]
    ),
    detector!(
        "vercel",
        90,
        [
            key("vercel_blob_rw_", &WORD, 30),
            key("vck_", &ALNUM, 40),
            key("vcp_", &ALNUM, 40),
            key("vci_", &ALNUM, 40),
            key("vca_", &ALNUM, 40),
            key("vcr_", &ALNUM, 40),
        ]
    ),
    detector!(
        "netlify",
        95,
        [
            exact("nfp_", &ALNUM, 36, random),
            exact("nfc_", &ALNUM, 36, random),
            exact("nfo_", &ALNUM, 36, random),
            exact("nfu_", &ALNUM, 36, random),
            exact("nfb_", &ALNUM, 36, random),
        ]
    ),
    detector!(
        "cloudflare",
        90,
        [
            key("v1.0-", &URL_SAFE, 150),
            key("cfk_", &ALNUM, 40),
            key("cfut_", &ALNUM, 40),
            key("cfat_", &ALNUM, 40),
        ]
    ),
    detector!("render", 90, [exact("rnd_", &ALNUM, 28, mixed)]),
    detector!("railway", 80, []),
    detector!(
        "supabase",
        95,
        [
            exact("sbp_", &ALNUM, 40, hexadecimal),
            key("sb_secret_", &URL_SAFE, 22),
            key("sbp_oauth_", &ALNUM, 40),
        ]
    ),
    detector!(
        "planetscale",
        95,
        [
            dotted("pscale_tkn_", 32, random),
            dotted("pscale_pw_", 32, random),
            dotted("pscale_oauth_", 32, random),
        ]
    ),
    detector!("neon", 90, [key("napi_", &ALNUM, 50)]),
    detector!("mongodb_atlas", 95, [key("mdb_sa_sk_", &URL_SAFE, 36)]),
    detector!("aiven", 95, [key("AVNS_", &URL_SAFE, 18)]),
    detector!("confluent", 85, [checked("cflt", &BASE64, 56, mixed)]),
    detector!("scaleway", 85, []),
    detector!(
        "vault",
        95,
        [
            key("hvs.", &URL_SAFE, 24),
            key("hvb.", &URL_SAFE, 24),
            key("hvr.", &URL_SAFE, 24)
        ]
    ),
    detector!("terraform", 95, [key("atlasv1.", &URL_SAFE, 60)]),
    detector!(
        "doppler",
        95,
        [
            key("dp.pt.", &ALNUM, 40),
            dotted("dp.st.", 40, random),
            key("dp.ct.", &ALNUM, 40),
            key("dp.sa.", &ALNUM, 40),
            key("dp.scim.", &ALNUM, 40),
            key("dp.audit.", &ALNUM, 40),
        ]
    ),
    detector!("infisical", 95, [dotted("st.", 60, infisical)]),
    detector!("pulumi", 95, [key("pul-", &ALNUM, 40)]),
    detector!("infracost", 90, [exact("ico-", &ALNUM, 32, mixed)]),
    detector!("prefect", 95, [key("pnu_", &ALNUM, 36), key("pnb_", &ALNUM, 36)]),
    detector!("openshift", 95, [exact("sha256~", &URL_SAFE, 43, random)]),
    detector!(
        "yandex",
        90,
        [
            key("AQVN", &URL_SAFE, 34),
            exact("YCAJE", &URL_SAFE, 20, mixed),
            exact("YCO", &URL_SAFE, 37, mixed),
            key("t1.9euel", &URL_SAFE, 60)
        ]
    ),
    detector!("sumologic", 80, []),
    detector!(
        "onepassword",
        95,
        [
            key("ops_eyJ", &BASE64_AND_SUM, 100),
            checked("A3-", &UPPER_DASH, 30, random)
        ]
    ),
];

static UPPER_DASH: crate::bytes::ByteSet =
    crate::bytes::ByteSet::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

static PERCENT: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"%+/=");

/// A signature of 32 bytes in base64, as it stands in a query.
fn shared_access(body: &[u8]) -> bool {
    mixed(body) && (body.ends_with(b"=") || body.ends_with(b"%3D") || body.ends_with(b"%3d"))
}

/// No longer than `MAX` bytes: a key identifier of a known length, not the beginning of something else.
fn bounded_to<const MAX: usize>(body: &[u8]) -> bool {
    body.len() <= MAX && random(body)
}

/// Three or four parts, the first two an identifier and a key in hexadecimal.
fn infisical(body: &[u8]) -> bool {
    let mut parts = body.split(|b| *b == b'.');
    let hex = |part: Option<&[u8]>| {
        part.is_some_and(|p| p.len() >= 20 && p.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-'))
    };
    hex(parts.next()) && hex(parts.next())
}
