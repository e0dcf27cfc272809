"""Credentials in their issuers' documented formats, random and of no account, in the places where people leave them.

The formats come from the issuers' documentation, not from the detectors' rules. A second set draws from the expressions of
detect-secrets (Apache-2.0), so that what another rule set holds for a secret is measured as well.
"""

import base64
import json
import string
import zlib

from case import NEUTRAL, Text

DIGITS = string.digits
LOWER = string.ascii_lowercase
UPPER = string.ascii_uppercase
ALNUM = string.ascii_letters + DIGITS
HEX = "0123456789abcdef"
BASE32 = UPPER + "234567"
URL_SAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"


class Maker:
    """Draws the values."""

    def __init__(self, rng):
        self.rng = rng

    def of(self, alphabet, count):
        # A key of few different characters is no key: what issuers draw never looks so.
        while True:
            drawn = "".join(self.rng.choice(alphabet) for _ in range(count))
            if count < 12 or len(set(drawn)) >= 6:
                return drawn

    def jwt(self):
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        header = {"alg": self.rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
        claims = {"sub": self.of(DIGITS, 10), "iss": self.of(LOWER, 8), "exp": self.rng.randint(10**9, 2 * 10**9)}
        return f"{part(header)}.{part(claims)}.{self.of(URL_SAFE, self.rng.choice([43, 86, 342]))}"

    def private_key(self):
        kind = self.rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
        body = base64.b64encode(self.rng.randbytes(self.rng.choice([121, 400, 1190]))).decode()
        lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
        return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"

    def github(self, prefix):
        """GitHub's token: 30 characters and their CRC-32 in base 62."""
        body = self.of(ALNUM, 30)
        digits = DIGITS + UPPER + LOWER
        left, check = zlib.crc32(body.encode()), ""
        while left:
            left, digit = divmod(left, 62)
            check = digits[digit] + check
        return prefix + body + check.rjust(6, "0")

    def uuid(self):
        return "-".join(self.of(HEX, count) for count in (8, 4, 4, 4, 12))


# Kind → (how it is drawn, names of variables it is found under).
KINDS = {
    "openai": (lambda m: m.rng.choice([f"sk-proj-{m.of(URL_SAFE, 74)}T3BlbkFJ{m.of(URL_SAFE, 74)}", f"sk-{m.of(ALNUM, 20)}T3BlbkFJ{m.of(ALNUM, 20)}", f"sk-svcacct-{m.of(URL_SAFE, 74)}T3BlbkFJ{m.of(URL_SAFE, 74)}"]), ["OPENAI_API_KEY", "api_key"]),
    "anthropic": (lambda m: f"sk-ant-{m.rng.choice(['api03', 'admin01'])}-{m.of(URL_SAFE, 93)}AA", ["ANTHROPIC_API_KEY", "x-api-key"]),
    "google_api_key": (lambda m: "AIza" + m.of(URL_SAFE, 35), ["GOOGLE_API_KEY", "key"]),
    "google_oauth_client": (lambda m: "GOCSPX-" + m.of(URL_SAFE, 28), ["GOOGLE_CLIENT_SECRET", "client_secret"]),
    "google_access_token": (lambda m: "ya29." + m.of(URL_SAFE, 160), ["access_token", "token"]),
    "hugging_face": (lambda m: "hf_" + m.of(string.ascii_letters, 34), ["HF_TOKEN", "token"]),
    "groq": (lambda m: "gsk_" + m.of(ALNUM, 52), ["GROQ_API_KEY", "api_key"]),
    "xai": (lambda m: "xai-" + m.of(ALNUM, 80), ["XAI_API_KEY", "api_key"]),
    "perplexity": (lambda m: "pplx-" + m.of(ALNUM, 48), ["PERPLEXITY_API_KEY", "api_key"]),
    "openrouter": (lambda m: "sk-or-v1-" + m.of(HEX, 64), ["OPENROUTER_API_KEY", "api_key"]),
    "replicate": (lambda m: "r8_" + m.of(ALNUM, 37), ["REPLICATE_API_TOKEN", "token"]),
    "nvidia": (lambda m: "nvapi-" + m.of(URL_SAFE, 64), ["NVIDIA_API_KEY", "api_key"]),
    "langsmith": (lambda m: f"lsv2_pt_{m.of(HEX, 32)}_{m.of(HEX, 10)}", ["LANGSMITH_API_KEY", "api_key"]),
    "aws_access_key_id": (lambda m: m.rng.choice(["AKIA", "ASIA"]) + m.of(BASE32, 16), ["AWS_ACCESS_KEY_ID", "aws_access_key_id"]),
    "aws_secret_access_key": (lambda m: m.of(BASE64, 40), ["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"]),
    "azure_storage_key": (lambda m: m.of(BASE64, 86) + "==", ["AccountKey", "AZURE_STORAGE_KEY"]),
    "azure_openai_key": (lambda m: m.of(HEX, 32), ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_KEY"]),
    "azure_client_secret": (lambda m: f"{m.of(ALNUM, 3)}8Q~{m.of(ALNUM + '-_.~', 34)}", ["AZURE_CLIENT_SECRET", "client_secret"]),
    "github": (lambda m: m.github(m.rng.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"])), ["GITHUB_TOKEN", "token"]),
    "github_fine_grained": (lambda m: f"github_pat_{m.of(ALNUM, 22)}_{m.of(ALNUM, 59)}", ["GH_TOKEN", "token"]),
    "gitlab": (lambda m: m.rng.choice(["glpat-", "gldt-", "glrt-"]) + m.of(URL_SAFE, 20), ["GITLAB_TOKEN", "PRIVATE-TOKEN"]),
    "bitbucket": (lambda m: f"ATBB{m.of(ALNUM, 24)}{m.of(HEX.upper(), 8)}", ["BITBUCKET_APP_PASSWORD", "password"]),
    "atlassian": (lambda m: f"ATATT3xFfGF0{m.of(URL_SAFE, 171)}={m.of(HEX.upper(), 8)}", ["JIRA_API_TOKEN", "token"]),
    "npm": (lambda m: m.github("npm_"), ["NPM_TOKEN", "//registry.npmjs.org/:_authToken"]),
    "pypi": (lambda m: "pypi-AgEIcHlwaS5vcmc" + m.of(URL_SAFE, 150), ["TWINE_PASSWORD", "password"]),
    "rubygems": (lambda m: "rubygems_" + m.of(HEX, 48), ["GEM_HOST_API_KEY", "api_key"]),
    "docker": (lambda m: "dckr_pat_" + m.of(URL_SAFE, 27), ["DOCKERHUB_TOKEN", "token"]),
    "slack_token": (lambda m: f"xox{m.rng.choice('bp')}-{m.of(DIGITS, 12)}-{m.of(DIGITS, 13)}-{m.of(ALNUM, 24)}", ["SLACK_BOT_TOKEN", "token"]),
    "slack_webhook": (lambda m: f"https://hooks.slack.com/services/T{m.of(UPPER + DIGITS, 10)}/B{m.of(UPPER + DIGITS, 10)}/{m.of(ALNUM, 24)}", ["SLACK_WEBHOOK_URL", "webhook"]),
    "slack_app": (lambda m: f"xapp-1-A{m.of(UPPER + DIGITS, 10)}-{m.of(DIGITS, 13)}-{m.of(HEX, 64)}", ["SLACK_APP_TOKEN", "token"]),
    "discord_webhook": (lambda m: f"https://discord.com/api/webhooks/{m.of(DIGITS, 18)}/{m.of(URL_SAFE, 68)}", ["DISCORD_WEBHOOK", "webhook"]),
    "discord_bot": (lambda m: f"{base64.b64encode(m.of(DIGITS, 18).encode()).decode().rstrip('=')}.{m.of(URL_SAFE, 6)}.{m.of(URL_SAFE, 38)}", ["DISCORD_TOKEN", "bot_token"]),
    "telegram": (lambda m: f"{m.of('123456789', 10)}:AA{m.of(URL_SAFE, 33)}", ["TELEGRAM_BOT_TOKEN", "token"]),
    "twilio_key": (lambda m: "SK" + m.of(HEX, 32), ["TWILIO_API_KEY", "twilio_key"]),
    "sendgrid": (lambda m: f"SG.{m.of(URL_SAFE, 22)}.{m.of(URL_SAFE, 43)}", ["SENDGRID_API_KEY", "api_key"]),
    "mailgun": (lambda m: "key-" + m.of(HEX, 32), ["MAILGUN_API_KEY", "api_key"]),
    "mailchimp": (lambda m: f"{m.of(HEX, 32)}-us{m.rng.randint(1, 21)}", ["MAILCHIMP_API_KEY", "api_key"]),
    "stripe": (lambda m: m.rng.choice(["sk_live_", "rk_live_", "sk_test_"]) + m.of(ALNUM, m.rng.choice([24, 99])), ["STRIPE_SECRET_KEY", "secret_key"]),
    "stripe_webhook": (lambda m: "whsec_" + m.of(ALNUM, 32), ["STRIPE_WEBHOOK_SECRET", "secret"]),
    "square": (lambda m: f"EAAA{m.of(URL_SAFE, 60)}", ["SQUARE_ACCESS_TOKEN", "access_token"]),
    "shopify": (lambda m: m.rng.choice(["shpat_", "shpss_", "shppa_"]) + m.of(HEX, 32), ["SHOPIFY_TOKEN", "token"]),
    "paypal_braintree": (lambda m: f"access_token$production${m.of(LOWER + DIGITS, 16)}${m.of(HEX, 32)}", ["BRAINTREE_TOKEN", "token"]),
    "digitalocean": (lambda m: "dop_v1_" + m.of(HEX, 64), ["DIGITALOCEAN_TOKEN", "token"]),
    "databricks": (lambda m: "dapi" + m.of(HEX, 32), ["DATABRICKS_TOKEN", "token"]),
    "vault": (lambda m: "hvs." + m.of(URL_SAFE, 95), ["VAULT_TOKEN", "X-Vault-Token"]),
    "terraform": (lambda m: f"{m.of(ALNUM, 14)}.atlasv1.{m.of(URL_SAFE, 67)}", ["TF_TOKEN", "token"]),
    "pulumi": (lambda m: "pul-" + m.of(HEX, 40), ["PULUMI_ACCESS_TOKEN", "token"]),
    "doppler": (lambda m: "dp.pt." + m.of(ALNUM, 43), ["DOPPLER_TOKEN", "token"]),
    "grafana": (lambda m: f"glsa_{m.of(ALNUM, 32)}_{m.of(HEX, 8)}", ["GRAFANA_TOKEN", "token"]),
    "new_relic": (lambda m: "NRAK-" + m.of(UPPER + DIGITS, 27), ["NEW_RELIC_API_KEY", "api_key"]),
    "datadog": (lambda m: m.of(HEX, 32), ["DD_API_KEY", "DATADOG_API_KEY"]),
    "sentry": (lambda m: f"sntryu_{m.of(HEX, 64)}", ["SENTRY_AUTH_TOKEN", "token"]),
    "linear": (lambda m: "lin_api_" + m.of(ALNUM, 40), ["LINEAR_API_KEY", "api_key"]),
    "notion": (lambda m: m.rng.choice([f"secret_{m.of(ALNUM, 43)}", f"ntn_{m.of(DIGITS, 11)}{m.of(ALNUM, 35)}"]), ["NOTION_TOKEN", "token"]),
    "figma": (lambda m: "figd_" + m.of(URL_SAFE, 40), ["FIGMA_TOKEN", "token"]),
    "airtable": (lambda m: f"pat{m.of(ALNUM, 14)}.{m.of(HEX, 64)}", ["AIRTABLE_TOKEN", "token"]),
    "age": (lambda m: "AGE-SECRET-KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58), ["AGE_KEY", "key"]),
    "jwt": (lambda m: m.jwt(), ["Authorization", "access_token"]),
    "private_key": (lambda m: m.private_key(), ["PRIVATE_KEY", "key"]),
    "password": (lambda m: m.of(ALNUM + "!#%&*+-=?@^_", m.rng.randint(10, 24)), ["DB_PASSWORD", "password", "passwd"]),
    "generic_api_key": (lambda m: m.of(ALNUM, m.rng.randint(24, 48)), ["API_KEY", "client_secret", "auth_token", "SECRET_KEY"]),
    "connection_string": (lambda m: f"{m.rng.choice(['postgresql', 'mysql', 'mongodb', 'redis', 'amqp'])}://{m.of(LOWER, 6)}:{m.of(ALNUM, 16)}@db.{m.of(LOWER, 7)}.net/app", ["DATABASE_URL", "url"]),
    "azure_connection_string": (lambda m: f"DefaultEndpointsProtocol=https;AccountName={m.of(LOWER, 9)};AccountKey={m.of(BASE64, 86)}==;EndpointSuffix=core.windows.net", ["AZURE_STORAGE_CONNECTION_STRING", "connection"]),
}  # fmt: skip

# Nothing in these values says what they are: they are looked for beside their own variable's name only.
NEEDS_NAME = {"aws_secret_access_key", "azure_storage_key", "azure_openai_key", "datadog", "password", "generic_api_key", "twilio_key"}

NAMED = [
    "{N}={V}\n",
    'export {N}="{V}"\n',
    '{"{N}": "{V}", "debug": false}',
    "{N}: {V}\n",
    'config["{N}"] = "{V}"  # rotate in May\n',
    "Traceback: request failed, {N}={V} (401)\n",
]
UNNAMED = [
    "Can you tell me why {V} is refused?",
    "curl -H 'Authorization: Bearer {V}' https://api.internal/v1/me",
    "here it is, keep it to yourself: {V}\nthanks",
    "[{V}]",
]


def cases(rng, per_kind=30):
    maker = Maker(rng)
    drawn = []
    for kind, (draw, names) in KINDS.items():
        for i in range(per_kind):
            value = draw(maker)
            layouts = NAMED if kind in NEEDS_NAME or rng.random() < 0.5 else UNNAMED
            layout = rng.choice(layouts)
            if '"{V}"' in layout:
                value = json.dumps(value)[1:-1]
            text = Text().fill(layout, {"N": (rng.choice(names), None), "V": labelled(kind, value)})
            part = rng.choice(["user", "tool_result", "document"])
            drawn.append(text.case(f"secret.{kind}/{i}", "documented formats", part))
    drawn.extend(from_detect_secrets(rng, per_kind))
    return drawn


def labelled(kind, value):
    """The value with its label. Of Azure's connection strings the key is the secret, and nobody is blamed for the rest."""
    if kind != "azure_connection_string":
        return (value, f"secret.{kind}")
    before, mark, rest = value.partition("AccountKey=")
    key, _, after = rest.partition(";")
    return [(before + mark, NEUTRAL), (key, f"secret.{kind}"), (";" + after, NEUTRAL)]


def from_detect_secrets(rng, per_kind):
    """Strings that the expressions of detect-secrets' plugins describe; its keyword and entropy plugins describe none."""
    import detect_secrets.plugins
    import importlib
    import pkgutil

    import rstr

    generator = rstr.Rstr(rng)
    # Context expressions, whole URLs with credentials and mere addresses: covered by sets of their own.
    left_out = {"base", "basic_auth", "high_entropy_strings", "ip_public", "keyword", "private_key", "jwt", "aws", "npm", "softlayer", "cloudant", "ibm_cloud_iam", "ibm_cos_hmac", "discord"}
    for found in pkgutil.iter_modules(detect_secrets.plugins.__path__):
        if found.name in left_out:
            continue
        module = importlib.import_module(f"detect_secrets.plugins.{found.name}")
        for plugin in vars(module).values():
            expressions = getattr(plugin, "denylist", None)
            if not isinstance(expressions, (list, tuple)) or plugin.__module__ != module.__name__:
                continue
            for i in range(per_kind // 2):
                expression = rng.choice(expressions)
                value = generator.xeger(expression).strip("\"' \n")
                text = Text().fill(rng.choice(NAMED), {"N": (f"{found.name.upper()}_KEY", None), "V": (value, f"secret.(detect-secrets) {found.name}")})
                yield text.case(f"detect-secrets/{found.name}/{i}", "detect-secrets expressions")


if __name__ == "__main__":
    import random

    for case in cases(random.Random(6), 6):
        print(json.dumps(case, ensure_ascii=False))
