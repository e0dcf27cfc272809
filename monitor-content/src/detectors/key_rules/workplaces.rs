//! Messaging, mail and workplaces.

use super::{
    ALNUM, BASE64, BASE64_AND_SUM, Detector, PATH, URL_SAFE, UUID, WORD, checked, dotted, exact, hexadecimal,
    key, mixed, random, slack, uuid,
};

pub(super) const DETECTORS: &[Detector] = &[
    detector!(
        "slack",
        95,
        [
            checked("xoxb-", &URL_SAFE, 20, slack),
            checked("xoxp-", &URL_SAFE, 20, slack),
            checked("xoxa-", &URL_SAFE, 20, slack),
            checked("xoxr-", &URL_SAFE, 20, slack),
            checked("xoxs-", &URL_SAFE, 20, slack),
            checked("xoxo-", &URL_SAFE, 20, slack),
            checked("xoxe-", &URL_SAFE, 20, slack),
            dotted("xoxe.", 20, slack),
            checked("xoxc-", &URL_SAFE, 20, slack),
            checked("xoxd-", &PERCENT, 20, slack),
            checked("xapp-", &URL_SAFE, 20, slack),
            checked("xwfp-", &URL_SAFE, 20, slack),
            checked("https://hooks.slack.com/services/", &PATH, 30, slack),
            checked("https://hooks.slack.com/workflows/", &PATH, 30, slack),
            checked("https://hooks.slack.com/triggers/", &PATH, 30, slack),
            checked("hooks.slack.com/services/", &PATH, 30, slack),
        ]
    ),
    detector!(
        "discord",
        95,
        [
            checked("https://discord.com/api/webhooks/", &PATH, 60, webhook),
            checked("https://discordapp.com/api/webhooks/", &PATH, 60, webhook),
            checked("https://ptb.discord.com/api/webhooks/", &PATH, 60, webhook),
            checked("https://canary.discord.com/api/webhooks/", &PATH, 60, webhook),
            discord_bot("MT"),
            discord_bot("Mj"),
            discord_bot("Mz"),
            discord_bot("ND"),
            discord_bot("NT"),
            discord_bot("Nj"),
            discord_bot("Nz"),
            discord_bot("OD"),
            discord_bot("OT"),
        ]
    ),
    detector!("telegram", 95, []),
    detector!(
        "microsoft_teams",
        95,
        [
            checked("webhook.office.com/webhookb2/", &PATH_AT, 100, random),
            checked("outlook.office.com/webhook/", &PATH_AT, 100, random)
        ]
    ),
    detector!(
        "twilio",
        90,
        [
            exact("SK", &ALNUM, 32, hexadecimal),
            exact("AC", &ALNUM, 32, hexadecimal)
        ]
    ),
    detector!("sendgrid", 99, [dotted("SG.", 60, random)]),
    detector!(
        "mailgun",
        85,
        [
            exact("key-", &ALNUM, 32, hexadecimal),
            exact("pubkey-", &ALNUM, 32, hexadecimal)
        ]
    ),
    detector!("mailchimp", 95, [exact("md-", &URL_SAFE, 22, mixed)]),
    detector!("postmark", 80, []),
    detector!(
        "brevo",
        95,
        [key("xkeysib-", &URL_SAFE, 64), key("xsmtpsib-", &URL_SAFE, 64)]
    ),
    detector!("resend", 90, [checked("re_", &WORD, 30, mixed)]),
    detector!("klaviyo", 90, [exact("pk_", &ALNUM, 34, hexadecimal)]),
    detector!("mailersend", 95, [key("mlsn.", &ALNUM, 60)]),
    detector!("intercom", 90, [key("dG9rO", &BASE64_AND_SUM, 50)]),
    detector!("zendesk", 80, []),
    detector!(
        "hubspot",
        90,
        [
            checked("pat-na1-", &UUID, 36, uuid),
            checked("pat-na2-", &UUID, 36, uuid),
            checked("pat-na3-", &UUID, 36, uuid),
            checked("pat-eu1-", &UUID, 36, uuid),
            checked("pat-ap1-", &UUID, 36, uuid)
        ]
    ),
    detector!(
        "salesforce",
        85,
        [
            checked("00D", &SALESFORCE, 60, salesforce),
            checked("3MVG9", &DOTS, 60, random)
        ]
    ),
    detector!(
        "notion",
        95,
        [key("ntn_", &ALNUM, 40), exact("secret_", &ALNUM, 43, mixed)]
    ),
    detector!(
        "linear",
        99,
        [
            key("lin_api_", &ALNUM, 36),
            key("lin_oauth_", &ALNUM, 36),
            key("lin_wh_", &ALNUM, 36)
        ]
    ),
    detector!("airtable", 95, [dotted("pat", 64, airtable)]),
    detector!("asana", 90, []),
    detector!(
        "atlassian",
        99,
        [
            key("ATATT3", &BASE64_AND_SUM, 60),
            key("ATSTT3", &BASE64_AND_SUM, 60),
            key("ATOA", &BASE64_AND_SUM, 80)
        ]
    ),
    detector!(
        "figma",
        95,
        [
            key("figd_", &URL_SAFE, 36),
            key("figu_", &URL_SAFE, 36),
            key("figo_", &URL_SAFE, 36),
            key("figdr_", &URL_SAFE, 36)
        ]
    ),
    detector!("typeform", 95, [dotted("tfp_", 40, random)]),
    detector!("clickup", 90, [checked("pk_", &WORD, 36, clickup)]),
    detector!(
        "dropbox",
        90,
        [key("sl.B", &URL_SAFE, 100), key("sl.u.", &URL_SAFE, 100)]
    ),
    detector!("canva", 95, [key("cnvca", &URL_SAFE, 50)]),
    detector!("contentful", 90, [exact("CFPAT-", &URL_SAFE, 43, random)]),
    detector!("frameio", 95, [key("fio-u-", &URL_SAFE, 60)]),
    detector!("pagerduty", 80, [checked("pdus+_", &BASE64, 28, random)]),
    detector!("line", 80, []),
    detector!(
        "facebook",
        90,
        [
            checked("EAACEdEose0cBA", &ALNUM, 40, random),
            checked("EAAM", &ALNUM, 100, mixed),
            checked("EAAC", &ALNUM, 100, mixed),
            checked("EAAB", &ALNUM, 100, mixed),
            checked("EAAG", &ALNUM, 100, mixed),
            checked("EAAD", &ALNUM, 100, mixed),
            checked("EAAJ", &ALNUM, 100, mixed),
            checked("EAAI", &ALNUM, 100, mixed),
            checked("EAAF", &ALNUM, 100, mixed),
            checked("EAAH", &ALNUM, 100, mixed)
        ]
    ),
    detector!(
        "instagram",
        90,
        [
            checked("IGQV", &URL_SAFE, 100, mixed),
            checked("IGAA", &ALNUM, 80, mixed)
        ]
    ),
    detector!(
        "twitter",
        95,
        [checked("AAAAAAAAAAAAAAAAAAAAA", &PERCENT, 60, mixed)]
    ),
    detector!("twitch", 80, []),
    detector!("linkedin", 80, []),
];

/// With what a URL escapes.
static PERCENT: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"_-%+/");
static SALESFORCE: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"!._");
static PATH_AT: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"/-@");
static DOTS: crate::bytes::ByteSet = crate::bytes::ByteSet::alphanumeric_and(b"._");

/// What begins with a user's number, in base64 of its decimal digits.
const fn discord_bot(prefix: &'static str) -> super::Rule {
    dotted(prefix, 48, bot)
}

/// The rest of the number, a time and a signature.
fn bot(body: &[u8]) -> bool {
    let mut parts = body.split(|b| *b == b'.');
    let user = parts.next().is_some_and(|p| {
        // Every third digit has a fixed high half, so does its place in base64.
        (21..=26).contains(&p.len())
            && p.first().is_some_and(|b| b"AEIMQUYcgk".contains(b))
            && p.iter().all(u8::is_ascii_alphanumeric)
    });
    user && parts.next().is_some_and(|p| (5..=7).contains(&p.len()))
        && parts.next().is_some_and(|p| p.len() >= 25)
        && parts.next().is_none()
        && mixed(body)
}

/// A channel's number and its token.
fn webhook(body: &[u8]) -> bool {
    let mut parts = body.split(|b| *b == b'/');
    parts
        .next()
        .is_some_and(|p| p.len() >= 15 && p.iter().all(u8::is_ascii_digit))
        && parts.next().is_some_and(|p| p.len() >= 40 && random(p))
}

/// An organisation, an exclamation mark and a session.
fn salesforce(body: &[u8]) -> bool {
    matches!(body.iter().position(|b| *b == b'!'), Some(12 | 15)) && mixed(body)
}

/// Fourteen characters, a dot and 64 in hexadecimal.
fn airtable(body: &[u8]) -> bool {
    let (id, rest) = body.split_at(body.len().min(14));
    match rest {
        [b'.', token @ ..] => {
            id.iter().any(u8::is_ascii_uppercase)
                && id.iter().any(u8::is_ascii_lowercase)
                && token.len() >= 60
                && token.iter().take(64).all(u8::is_ascii_hexdigit)
        }
        _ => false,
    }
}

/// A user's number and 32 capitals or digits.
fn clickup(body: &[u8]) -> bool {
    let mut parts = body.split(|b| *b == b'_');
    parts
        .next()
        .is_some_and(|p| (5..=9).contains(&p.len()) && p.iter().all(u8::is_ascii_digit))
        && parts.next().is_some_and(|p| p.len() == 32 && random(p))
        && parts.next().is_none()
}
