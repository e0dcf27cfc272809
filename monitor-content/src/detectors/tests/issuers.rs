//! Keys of further issuers: one row a prefix, split so that no scanner takes this file for a leak.

use super::*;

const A: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
const HEX: &str = "0123456789abcdef";
const LOWER: &str = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0";
const UPPER: &str = "A1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P6Q7R8S9T0";

/// What follows a prefix.
enum Body {
    /// Letters of both cases and digits.
    A(usize),
    Hex(usize),
    Lower(usize),
    Upper(usize),
    Uuid,
    /// Letters of both cases and digits, in parts.
    Dots(&'static [usize]),
    Slashes(&'static str, usize),
    /// With an escaped equals sign at the end.
    Sum(usize),
}
use Body::{Dots, Hex, Lower, Slashes, Sum, Upper, Uuid};

fn take(from: &str, n: usize) -> String {
    from.chars().cycle().take(n).collect()
}

impl Body {
    fn text(&self) -> String {
        match self {
            Self::A(n) => take(A, *n),
            Hex(n) => take(HEX, *n),
            Lower(n) => take(LOWER, *n),
            Upper(n) => take(UPPER, *n),
            Uuid => "01234567-89ab-4cde-8f01-23456789abcd".to_owned(),
            Dots(parts) => parts.iter().map(|n| take(A, *n)).collect::<Vec<_>>().join("."),
            Sum(n) => format!("{}%3D", take(A, *n)),
            Slashes(first, n) => format!("{first}/{}", take(A, *n)),
        }
    }
}

/// Detector, the prefix in two parts, what follows.
const ROWS: &[(&str, &str, &str, Body)] = &[
    ("openai", "se", "ss-", Body::A(40)),
    ("google", "AQ", ".Ab8", Body::A(48)),
    ("google", "1/", "/0", Body::A(100)),
    ("cerebras", "cs", "k-", Lower(48)),
    ("together", "tgp", "_v1_", Body::A(43)),
    ("elevenlabs", "sk", "_", Hex(48)),
    ("voyage", "pa", "-", Body::A(43)),
    ("jina", "ji", "na_", Body::A(60)),
    ("runpod", "rp", "a_", Upper(44)),
    ("anyscale", "ese", "cret_", Body::A(26)),
    ("llama_cloud", "ll", "x-", Body::A(48)),
    ("pinecone", "pc", "sk_", Body::A(70)),
    ("brave", "BS", "A", Body::A(28)),
    ("firecrawl", "fc", "-", Hex(32)),
    ("e2b", "e2", "b_", Hex(40)),
    ("langsmith", "ls", "__", Hex(32)),
    ("langfuse", "sk", "-lf-", Uuid),
    ("helicone", "sk", "-helicone-", Body::A(31)),
    ("mem0", "m0", "-", Body::A(40)),
    ("browserbase", "bb", "_live_", Body::A(27)),
    ("cursor", "crs", "r_", Hex(64)),
    ("wandb", "wan", "db_v1_", Body::A(60)),
    ("baidu", "bce", "-v3/ALTAK-", Slashes("a1B2c3D4e5F6g7H8i9J0k", 40)),
    ("modal", "ak", "-", Body::A(22)),
    ("scale", "scale", "int_", Lower(32)),
    ("alibaba", "LT", "AI", Body::A(20)),
    ("tencent", "AK", "ID", Body::A(32)),
    ("terraform", "atl", "asv1.", Body::A(67)),
    ("azure", "si", "g=", Sum(43)),
    (
        "microsoft_teams",
        "webhook.office",
        ".com/webhookb2/",
        Slashes(
            "01234567-89ab-4cde-8f01-23456789abcd@01234567-89ab-4cde-8f01-23456789abcd/IncomingWebhook",
            32,
        ),
    ),
    ("aws", "amzn", ".mws.", Uuid),
    ("aws", "IQoJ", "b3JpZ2luX2Vj", Body::A(400)),
    ("heroku", "HRK", "U-", Body::A(60)),
    ("fly", "fm", "2_", Body::A(300)),
    ("vercel", "vc", "k_", Body::A(56)),
    ("netlify", "nf", "p_", Body::A(36)),
    ("cloudflare", "v1", ".0-", Body::A(170)),
    ("render", "rn", "d_", Body::A(28)),
    ("supabase", "sb", "p_", Hex(40)),
    ("planetscale", "psc", "ale_tkn_", Body::A(43)),
    ("neon", "na", "pi_", Lower(64)),
    ("mongodb_atlas", "mdb", "_sa_sk_", Body::A(40)),
    ("aiven", "AV", "NS_", Body::A(19)),
    ("confluent", "cf", "lt", Body::A(60)),
    ("infracost", "ic", "o-", Body::A(32)),
    ("prefect", "pn", "u_", Lower(36)),
    ("openshift", "sha", "256~", Body::A(43)),
    ("yandex", "AQ", "VN", Body::A(36)),
    ("onepassword", "ops", "_eyJ", Body::A(300)),
    ("bitbucket", "AT", "BB", Body::A(32)),
    ("crates_io", "ci", "o", Body::A(32)),
    ("nuget", "oy", "2", Lower(43)),
    ("clojars", "CLO", "JARS_", Hex(60)),
    ("jfrog", "AK", "Cp", Body::A(69)),
    ("circleci", "CCI", "PAT_", Body::A(63)),
    ("buildkite", "bk", "ua_", Hex(40)),
    ("sonar", "sq", "p_", Hex(40)),
    ("snyk", "snyk", "_uat.", Body::A(80)),
    ("semgrep", "sg", "p_", Hex(64)),
    ("sourcegraph", "sg", "p_local_", Hex(40)),
    ("postman", "PM", "AK-", Hex(59)),
    ("readme", "rd", "me_", Lower(70)),
    ("harness", "pa", "t.", Dots(&[22, 24, 20])),
    ("octopus", "AP", "I-", Upper(26)),
    ("launchdarkly", "ap", "i-", Uuid),
    ("prefix_dev", "pf", "x_", Body::A(40)),
    ("slack", "xo", "xe.xoxp-1-", Body::A(150)),
    (
        "discord",
        "https://disc",
        "ord.com/api/webhooks/",
        Slashes("123456789012345678", 68),
    ),
    ("discord", "MT", "A", Dots(&[23, 6, 38])),
    ("twilio", "S", "K", Hex(32)),
    ("mailchimp", "md", "-", Body::A(22)),
    ("brevo", "xke", "ysib-", Hex(64)),
    ("resend", "r", "e_", Body::A(32)),
    ("klaviyo", "p", "k_", Hex(34)),
    ("mailersend", "ml", "sn.", Hex(64)),
    ("intercom", "dG9", "rO", Body::A(55)),
    ("hubspot", "pat", "-na1-", Uuid),
    ("salesforce", "3MV", "G9", Body::A(81)),
    ("typeform", "tf", "p_", Body::A(59)),
    ("clickup", "p", "k_1234567_", Upper(32)),
    ("dropbox", "sl", ".B", Body::A(130)),
    ("canva", "cn", "vca", Body::A(56)),
    ("contentful", "CF", "PAT-", Body::A(43)),
    ("frameio", "fi", "o-u-", Body::A(64)),
    ("pagerduty", "pd", "us+_", Body::A(40)),
    ("facebook", "EA", "AC", Body::A(120)),
    ("instagram", "IG", "QV", Body::A(120)),
    ("twitter", "AAAAAAAAAA", "AAAAAAAAAAA", Body::A(80)),
    ("square", "EA", "AA", Body::A(60)),
    ("paypal", "access_token", "$production$", Body::A(49)),
    ("adyen", "AQ", "E", Body::A(120)),
    ("razorpay", "rzp", "_live_", Body::A(14)),
    ("plaid", "access", "-production-", Uuid),
    ("flutterwave", "FLW", "SECK-", Hex(32)),
    ("gocardless", "li", "ve_", Body::A(40)),
    ("lob", "te", "st_", Hex(35)),
    ("easypost", "EZ", "AK", Body::A(54)),
    ("shippo", "shi", "ppo_live_", Hex(40)),
    ("duffel", "duf", "fel_test_", Body::A(43)),
    ("bitcoin", "xp", "rv", Body::A(107)),
    ("dynatrace", "dt", "0c01.", Dots(&[24, 64])),
    ("honeycomb", "hc", "aik_", Lower(58)),
    ("posthog", "ph", "x_", Body::A(43)),
    ("segment", "sgp", "_segment_", Body::A(30)),
    ("tailscale", "ts", "key-auth-", Body::A(30)),
    ("mapbox", "sk", ".eyJ", Dots(&[80, 22])),
    ("databento", "d", "b-", Body::A(29)),
    ("beamer", "b", "_", Body::A(44)),
    ("adobe", "p8", "e-", Body::A(32)),
    ("svix", "test", "sk_", Body::A(36)),
];

/// Keys that a row cannot say.
fn others() -> Vec<(&'static str, String)> {
    let putty = format!(
        "Private-{}: 14\n{}{}\n",
        "Lines",
        format!("{}\n", take(A, 64)).repeat(13),
        take(A, 20)
    );
    vec![
        (
            "infisical",
            [
                "st",
                ".",
                &take(HEX, 24),
                ".",
                &take(HEX, 32),
                ".",
                &take(HEX, 32),
            ]
            .concat(),
        ),
        ("airtable", format!("pa{}{}.{}", "t", take(A, 14), take(HEX, 64))),
        (
            "authress",
            format!("s{}user1.key1.acc_{}.{}", "c_", take(A, 10), take(A, 40)),
        ),
        ("private_key", putty.trim_end().to_owned()),
    ]
}

/// Every detector this file has keys of.
pub(super) fn names() -> impl Iterator<Item = String> {
    let rows = ROWS.iter().map(|row| row.0);
    rows.chain(others().into_iter().map(|other| other.0))
        .map(|name| format!("secret.{name}"))
}

#[test]
fn keys_of_further_issuers_are_found_whole() {
    let rows = ROWS
        .iter()
        .map(|(name, a, b, body)| (*name, format!("{a}{b}{}", body.text())));
    for (name, key) in rows.chain(others()) {
        let name = format!("secret.{name}");
        for (before, after) in [("", ""), ("x=", "\n"), ("\"", "\""), ("(", ") and on")] {
            if name == "secret.private_key" && after.contains(['"', '\n']) {
                continue;
            }
            finds(&name, &format!("{before}{key}{after}"), &key);
        }
    }
}

#[test]
fn placeholders_and_words_of_further_issuers_pass() {
    for (name, a, b, body) in ROWS {
        let name = format!("secret.{name}");
        let length = body.text().len();
        for other in [
            "x".repeat(length),
            "your-token-here".to_owned(),
            String::new(),
            "...".to_owned(),
        ] {
            passes(&name, &format!("say {a}{b}{other} again"));
        }
        // A token of Slack's may hold another one.
        if name != "secret.slack" {
            passes(&name, &format!("wordy{a}{b}{}", body.text()));
        }
    }
}
