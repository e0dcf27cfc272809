//! Payment, shops, observation, identity, and keys that no single issuer marks.

use super::{
    ALNUM, BASE64, BASE64_AND_SUM, Detector, Rule, Shape, UPPER, URL_SAFE, UUID, WORD, checked, dotted,
    exact, hexadecimal, jwt, key, mixed, random, uuid,
};

pub(super) const DETECTORS: &[Detector] = &[
    // Money and shops.
    detector!(
        "stripe",
        99,
        [
            key("sk_live_", &ALNUM, 24),
            key("sk_test_", &ALNUM, 24),
            key("sk_prod_", &ALNUM, 24),
            key("rk_live_", &ALNUM, 24),
            key("rk_test_", &ALNUM, 24),
            key("rk_prod_", &ALNUM, 24),
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
            checked("shptka_", &ALNUM, 32, hexadecimal),
        ]
    ),
    detector!(
        "square",
        95,
        [
            key("sq0atp-", &URL_SAFE, 22),
            key("sq0csp-", &URL_SAFE, 40),
            key("sq0idp-", &URL_SAFE, 22),
            exact("EAAA", &URL_SAFE, 60, mixed),
        ]
    ),
    detector!(
        "paypal",
        95,
        [
            checked("access_token$production$", &DOLLAR, 40, random),
            checked("access_token$sandbox$", &DOLLAR, 40, random),
        ]
    ),
    detector!("adyen", 90, [key("AQE", &BASE64_AND_SUM, 90)]),
    detector!(
        "razorpay",
        90,
        [
            exact("rzp_live_", &ALNUM, 14, mixed),
            exact("rzp_test_", &ALNUM, 14, mixed)
        ]
    ),
    detector!(
        "plaid",
        85,
        [
            checked("access-production-", &UUID, 36, uuid),
            checked("access-sandbox-", &UUID, 36, uuid),
            checked("access-development-", &UUID, 36, uuid)
        ]
    ),
    detector!("coinbase", 80, []),
    detector!(
        "flutterwave",
        95,
        [
            key("FLWSECK-", &ALNUM, 30),
            key("FLWSECK_TEST-", &ALNUM, 12),
            key("FLWSECK_LIVE-", &ALNUM, 12)
        ]
    ),
    detector!("paystack", 90, []),
    detector!("gocardless", 90, [key("live_", &URL_SAFE, 40)]),
    detector!(
        "lob",
        85,
        [
            exact("live_", &ALNUM, 35, hexadecimal),
            exact("test_", &ALNUM, 35, hexadecimal)
        ]
    ),
    detector!(
        "easypost",
        95,
        [exact("EZAK", &ALNUM, 54, mixed), exact("EZTK", &ALNUM, 54, mixed)]
    ),
    detector!(
        "shippo",
        95,
        [
            exact("shippo_live_", &ALNUM, 40, hexadecimal),
            exact("shippo_test_", &ALNUM, 40, hexadecimal)
        ]
    ),
    detector!(
        "duffel",
        95,
        [
            key("duffel_live_", &URL_SAFE, 40),
            key("duffel_test_", &URL_SAFE, 40)
        ]
    ),
    detector!("finicity", 80, []),
    detector!("bitcoin", 90, [exact("xprv", &ALNUM, 107, mixed)]),
    // Observation.
    detector!(
        "grafana",
        95,
        [
            key("glsa_", &WORD, 36),
            key("glc_", &BASE64, 40),
            key("eyJrIjoi", &BASE64_AND_SUM, 60),
        ]
    ),
    detector!(
        "new_relic",
        95,
        [
            key("NRAK-", &UPPER, 27),
            key("NRII-", &URL_SAFE, 32),
            key("NRAA-", &ALNUM, 27),
            key("NRRA-", &ALNUM, 40),
            exact("NRJS-", &ALNUM, 19, hexadecimal_any),
        ]
    ),
    detector!(
        "sentry",
        95,
        [key("sntrys_", &BASE64, 60), key("sntryu_", &ALNUM, 60)]
    ),
    detector!("datadog", 85, []),
    detector!(
        "dynatrace",
        95,
        [
            dotted("dt0c01.", 80, random),
            dotted("dt0s01.", 60, random),
            dotted("dt0s16.", 60, random)
        ]
    ),
    detector!(
        "honeycomb",
        90,
        [
            key("hcaik_", &ALNUM, 56),
            key("hcalk_", &ALNUM, 24),
            key("hcbik_", &ALNUM, 56)
        ]
    ),
    detector!("posthog", 95, [key("phx_", &ALNUM, 40), key("phs_", &ALNUM, 40)]),
    detector!("segment", 95, [key("sgp_segment_", &URL_SAFE, 24)]),
    detector!("tailscale", 95, [key("tskey-", &URL_SAFE, 20)]),
    detector!("ngrok", 85, []),
    // Content, maps and search.
    detector!("mapbox", 95, [dotted("sk.eyJ", 60, random)]),
    detector!("algolia", 80, []),
    detector!("cloudinary", 80, []),
    detector!("sanity", 90, []),
    detector!("prismic", 80, []),
    detector!("databento", 90, [exact("db-", &ALNUM, 29, mixed)]),
    detector!("rapidapi", 80, []),
    detector!("beamer", 85, [exact("b_", &URL_SAFE, 44, mixed)]),
    // Identity.
    detector!("okta", 85, []),
    detector!("auth0", 85, []),
    detector!("adobe", 90, [exact("p8e-", &ALNUM, 32, random)]),
    detector!("clerk", 90, []),
    detector!("workos", 80, []),
    detector!(
        "authress",
        90,
        [
            dotted("sc_", 40, authress),
            dotted("ext_", 40, authress),
            dotted("scauth_", 40, authress),
            dotted("authress_", 40, authress)
        ]
    ),
    detector!("bitwarden", 80, []),
    // Kinds of key that no single issuer marks.
    detector!("jwt", 95, [dotted("eyJ", 30, jwt)]),
    detector!("svix", 90, [key("testsk_", &URL_SAFE, 30)]),
    detector!(
        "private_key",
        99,
        [
            Rule {
                prefix: "-----BEGIN ",
                shape: Shape::PrivateKey
            },
            Rule {
                prefix: "Private-Lines: ",
                shape: Shape::PuttyLines
            },
        ]
    ),
    detector!("wireguard", 90, []),
    detector!("connection_string", 90, []),
    detector!("http_credentials", 80, []),
    detector!("password", 75, []),
    detector!("generic", 70, []),
];

static DOLLAR: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"$");

fn hexadecimal_any(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_hexdigit) && random(body)
}

/// A client, a key, an account and a secret.
fn authress(body: &[u8]) -> bool {
    body.split(|b| *b == b'.')
        .nth(2)
        .is_some_and(|p| p.starts_with(b"acc"))
        && random(body)
}
