//! Issuers whose keys have a length and characters of their own but no mark: only their name beside it tells.

use super::names::starts_with;
use super::value::Value;

/// An issuer's name and what its keys look like.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) detector: &'static str,
    /// As it is written in names and prose, in small letters.
    word: &'static str,
    shapes: &'static [Shape],
}

/// Characters and length.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Hex(usize),
    /// Small letters and digits.
    Lower(usize),
    Alnum(usize),
    UrlSafe(usize),
    /// With letters of both cases and digits.
    Base64(usize),
    Uuid,
    /// So long, URL-safe, after these characters.
    After(&'static str, usize),
}
use Shape::{After, Alnum, Base64, Hex, Lower, UrlSafe, Uuid};

const fn of(detector: &'static str, word: &'static str, shapes: &'static [Shape]) -> Issuer {
    Issuer {
        detector,
        word,
        shapes,
    }
}

/// Where two match, the first counts. Shapes are those of the issuers' documentation; issuers without a detector of
/// their own are `secret.generic`.
#[rustfmt::skip]
pub(super) const ISSUERS: &[Issuer] = &[
    of("secret.aws", "aws", &[Base64(40)]),
    of("secret.aws", "secretaccesskey", &[Base64(40)]),
    of("secret.aws", "secret_access_key", &[Base64(40)]),
    of("secret.azure_openai", "openai", &[Hex(32), Alnum(84)]),
    of("secret.azure_openai", "ocp-apim", &[Hex(32)]),
    of("secret.azure", "azure", &[Hex(32), Base64(88), UrlSafe(52)]),
    of("secret.cohere", "cohere", &[Alnum(40)]),
    of("secret.mistral", "mistral", &[Alnum(32)]),
    of("secret.deepgram", "deepgram", &[Hex(40)]),
    of("secret.assemblyai", "assemblyai", &[Hex(32)]),
    of("secret.together", "together", &[Hex(64)]),
    of("secret.exa", "exa_", &[Uuid]),
    of("secret.portkey", "portkey", &[Base64(28)]),
    of("secret.wandb", "wandb", &[Hex(40)]),
    of("secret.wandb", "weights_and_biases", &[Hex(40)]),
    of("secret.datadog", "datadog", &[Hex(32), Hex(40)]),
    of("secret.datadog", "dd_api", &[Hex(32)]),
    of("secret.datadog", "dd-api", &[Hex(32)]),
    of("secret.datadog", "dd_app", &[Hex(40)]),
    of("secret.heroku", "heroku", &[Uuid]),
    of("secret.algolia", "algolia", &[Hex(32)]),
    of("secret.okta", "okta", &[After("00", 42)]),
    of("secret.twilio", "twilio", &[Hex(32)]),
    of("secret.mailgun", "mailgun", &[Hex(32)]),
    of("secret.cloudflare", "cloudflare", &[UrlSafe(40), Hex(37)]),
    of("secret.cloudflare", "cf_api", &[Hex(37), UrlSafe(40)]),
    of("secret.ibm", "ibm", &[UrlSafe(44)]),
    of("secret.ibm", "ibmcloud", &[UrlSafe(44)]),
    of("secret.alibaba", "alibaba", &[Lower(30), Alnum(30)]),
    of("secret.alibaba", "aliyun", &[Alnum(30)]),
    of("secret.tencent", "tencent", &[Alnum(32)]),
    of("secret.discord", "discord", &[Hex(64), UrlSafe(32)]),
    of("secret.asana", "asana", &[Lower(32), Hex(32)]),
    of("secret.atlassian", "atlassian", &[Alnum(24), Lower(24)]),
    of("secret.atlassian", "jira", &[Alnum(24), Lower(24)]),
    of("secret.atlassian", "confluence", &[Alnum(24), Lower(24)]),
    of("secret.bitbucket", "bitbucket", &[Alnum(32), Lower(32), UrlSafe(44), UrlSafe(64)]),
    of("secret.codecov", "codecov", &[Lower(32), Uuid]),
    of("secret.coinbase", "coinbase", &[UrlSafe(64), Lower(64)]),
    of("secret.confluent", "confluent", &[Alnum(16), Lower(16), Alnum(64), Base64(64)]),
    of("secret.contentful", "contentful", &[UrlSafe(43)]),
    of("secret.facebook", "facebook", &[Hex(32)]),
    of("secret.finicity", "finicity", &[Hex(32), Lower(20)]),
    of("secret.hubspot", "hubspot", &[Uuid]),
    of("secret.intercom", "intercom", &[UrlSafe(60)]),
    of("secret.launchdarkly", "launchdarkly", &[UrlSafe(40), Uuid]),
    of("secret.linkedin", "linkedin", &[Alnum(14), Alnum(16)]),
    of("secret.line", "line_channel", &[Base64(172)]),
    of("secret.netlify", "netlify", &[UrlSafe(43), UrlSafe(44), UrlSafe(45), UrlSafe(46), UrlSafe(40)]),
    of("secret.pagerduty", "pagerduty", &[UrlSafe(20)]),
    of("secret.plaid", "plaid", &[Hex(30), Hex(24), Alnum(30), Lower(24)]),
    of("secret.postmark", "postmark", &[Uuid]),
    of("secret.rapidapi", "rapidapi", &[UrlSafe(50)]),
    of("secret.snyk", "snyk", &[Uuid]),
    of("secret.sonar", "sonar", &[Hex(40), UrlSafe(40)]),
    of("secret.sumologic", "sumo", &[Alnum(64), Lower(64), Alnum(14)]),
    of("secret.travis", "travis", &[Alnum(22), UrlSafe(22)]),
    of("secret.twitch", "twitch", &[Lower(30)]),
    of("secret.twitter", "twitter", &[Alnum(25), Alnum(50), Alnum(45), Lower(25), Lower(45)]),
    of("secret.zendesk", "zendesk", &[Alnum(40), Lower(40)]),
    of("secret.railway", "railway", &[Uuid]),
    of("secret.scaleway", "scaleway", &[Uuid, Alnum(32)]),
    of("secret.auth0", "auth0", &[UrlSafe(64)]),
    of("secret.clerk", "clerk", &[Alnum(40)]),
    of("secret.workos", "workos", &[UrlSafe(50)]),
    of("secret.bitwarden", "bitwarden", &[Alnum(30)]),
    of("secret.okta", "oktapreview", &[After("00", 42)]),
    of("secret.cloudinary", "cloudinary", &[Alnum(27), UrlSafe(27)]),
    of("secret.prismic", "prismic", &[UrlSafe(32)]),
    of("secret.sentry", "sentry", &[Hex(64), Hex(32)]),
    of("secret.launchdarkly", "launch_darkly", &[UrlSafe(40)]),
    of("secret.databricks", "databricks", &[Hex(32)]),
    of("secret.microsoft_teams", "teams", &[Hex(32)]),
    of("secret.ngrok", "ngrok", &[Alnum(49), UrlSafe(49)]),
    of("secret.mongodb_atlas", "atlas", &[Uuid]),
    of("secret.generic", "adafruit", &[UrlSafe(32)]),
    of("secret.generic", "adobe", &[Hex(32)]),
    of("secret.generic", "beamer", &[UrlSafe(44)]),
    of("secret.generic", "bittrex", &[Alnum(32)]),
    of("secret.generic", "dropbox", &[Alnum(15), Alnum(64)]),
    of("secret.generic", "drone", &[Alnum(32)]),
    of("secret.generic", "etsy", &[Lower(24)]),
    of("secret.generic", "fastly", &[UrlSafe(32)]),
    of("secret.generic", "finnhub", &[Lower(20)]),
    of("secret.generic", "flickr", &[Lower(32), Hex(32)]),
    of("secret.generic", "freshbooks", &[Hex(64)]),
    of("secret.generic", "gitter", &[UrlSafe(40)]),
    of("secret.generic", "kraken", &[Base64(88), Base64(80)]),
    of("secret.generic", "kucoin", &[Hex(24), Uuid]),
    of("secret.generic", "looker", &[Lower(20), Lower(24), Alnum(20), Alnum(24)]),
    of("secret.generic", "lob_", &[Hex(35)]),
    of("secret.generic", "mattermost", &[Lower(26)]),
    of("secret.generic", "messagebird", &[Lower(25), Uuid]),
    of("secret.generic", "nytimes", &[UrlSafe(32)]),
    of("secret.generic", "new-york-times", &[UrlSafe(32)]),
    of("secret.generic", "newyorktimes", &[UrlSafe(32)]),
    of("secret.generic", "sendbird", &[Hex(40), Uuid]),
    of("secret.generic", "sidekiq", &[Hex(16)]),
    of("secret.generic", "squarespace", &[Uuid]),
    of("secret.generic", "trello", &[Alnum(32), Hex(32), Hex(64)]),
    of("secret.generic", "yandex", &[UrlSafe(40)]),
    of("secret.generic", "shodan", &[Alnum(32)]),
    of("secret.generic", "openweather", &[Hex(32)]),
    of("secret.generic", "newsapi", &[Hex(32)]),
    of("secret.generic", "pusher", &[Hex(20)]),
    of("secret.generic", "segment", &[UrlSafe(32)]),
    of("secret.generic", "mixpanel", &[Hex(32)]),
    of("secret.generic", "amplitude", &[Hex(32)]),
    of("secret.generic", "loggly", &[Uuid]),
    of("secret.generic", "rollbar", &[Hex(32)]),
    of("secret.generic", "bugsnag", &[Hex(32)]),
    of("secret.generic", "circleci", &[Hex(40)]),
    of("secret.generic", "digitalocean", &[Hex(64)]),
    of("secret.generic", "linode", &[Hex(64)]),
    of("secret.generic", "vultr", &[Alnum(36)]),
    of("secret.generic", "hetzner", &[Alnum(64)]),
    of("secret.generic", "braintree", &[Hex(32)]),
    of("secret.generic", "etherscan", &[Alnum(34)]),
    of("secret.generic", "bscscan", &[Alnum(34)]),
    of("secret.generic", "infura", &[Hex(32)]),
    of("secret.generic", "alchemy", &[UrlSafe(32)]),
    of("secret.generic", "binance", &[Alnum(64)]),
    of("secret.generic", "paypal", &[UrlSafe(80)]),
    of("secret.generic", "spotify", &[Hex(32)]),
    of("secret.generic", "giphy", &[Alnum(32)]),
    of("secret.generic", "unsplash", &[UrlSafe(43)]),
    of("secret.generic", "deepl", &[Uuid]),
    of("secret.generic", "serpapi", &[Hex(64)]),
    of("secret.generic", "jfrog", &[Alnum(73), Alnum(64)]),
    of("secret.generic", "artifactory", &[Alnum(73), Alnum(64)]),
    of("secret.generic", "cisco", &[Alnum(32)]),
    of("secret.generic", "defined_networking", &[Lower(50)]),
    of("secret.generic", "gcpapi", &[Alnum(39)]),
    of("secret.generic", "lokalise", &[Hex(40)]),
    of("secret.generic", "cloudant", &[Hex(64), Lower(24)]),
    of("secret.generic", "softlayer", &[Lower(64)]),
    of("secret.generic", "abuseipdb", &[Hex(80)]),
    of("secret.generic", "ipstack", &[Hex(32)]),
    of("secret.generic", "mapquest", &[Alnum(32)]),
    of("secret.generic", "tomtom", &[Alnum(32)]),
    of("secret.generic", "hunter", &[Hex(40)]),
    of("secret.generic", "clearbit", &[Hex(35)]),
    of("secret.generic", "fullstory", &[Alnum(32)]),
    of("secret.generic", "pivotal", &[Hex(32)]),
    of("secret.generic", "toggl", &[Hex(32)]),
    of("secret.generic", "todoist", &[Hex(40)]),
    of("secret.generic", "webflow", &[Hex(64)]),
    of("secret.generic", "ipinfo", &[Hex(14)]),
    of("secret.generic", "vonage", &[Alnum(16)]),
    of("secret.generic", "nexmo", &[Alnum(16)]),
    of("secret.generic", "plivo", &[Alnum(40)]),
    of("secret.generic", "telnyx", &[UrlSafe(55)]),
    of("secret.generic", "clicksend", &[Uuid]),
    of("secret.generic", "sinch", &[Hex(32)]),
    of("secret.generic", "zerobounce", &[Hex(32)]),
    of("secret.generic", "kickbox", &[Hex(64)]),
    of("secret.generic", "monday", &[Alnum(32)]),
    of("secret.generic", "miro", &[UrlSafe(27)]),
    of("secret.generic", "evernote", &[UrlSafe(97)]),
    of("secret.generic", "surveymonkey", &[UrlSafe(86)]),
];

/// Every name that is searched for.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    ISSUERS.iter().map(|issuer| issuer.word)
}

impl Shape {
    fn fits(self, value: &Value<'_>, named: bool) -> bool {
        let length = value.len();
        match self {
            Hex(n) => length == n && value.is_hex(),
            Lower(n) => length == n && value.is_lower() && !value.is_hex(),
            Alnum(n) => length == n && value.is_alphanumeric() && (named || value.mixed()),
            UrlSafe(n) => length == n && value.is_url_safe() && (named || value.mixed()),
            Base64(n) => length == n && value.is_base64() && value.mixed(),
            Uuid => value.is_uuid(),
            After(mark, n) => {
                length == n && value.bytes.0.starts_with(mark.as_bytes()) && value.is_url_safe()
            }
        }
    }
}

/// The issuer that is named before a value of its shape. `named`: that it is a secret is said as well.
pub(super) fn matching(context: &[u8], value: &Value<'_>, named: bool) -> Option<&'static str> {
    const SHORTEST: usize = 14;
    if value.len() < SHORTEST || !value.random() {
        return None;
    }
    ISSUERS
        .iter()
        .filter(|issuer| issuer.shapes.iter().any(|shape| shape.fits(value, named)))
        .find(|issuer| (0..context.len()).any(|at| starts_with(context, at, issuer.word)))
        .map(|issuer| issuer.detector)
}
