//! Secrets that only their context tells, each put together here so that no scanner takes this file for a leak.

use super::*;

const RANDOM: &str = "q9X2mZ7bL4kT1vR8nC3w";
const HEX: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const UUID: &str = "3f2b8c14-9d7e-4a61-b0c5-7e1f2a9d8b64";
const PASS: &str = "Xk7#mQ2!vL9";

#[track_caller]
fn each(detector: &str, value: &str, frames: &[&str]) {
    for frame in frames {
        finds(detector, &frame.replace("{}", value), value);
    }
}

#[test]
fn assignments_as_they_are_written() {
    each(
        "secret.generic",
        RANDOM,
        &[
            "API_KEY={}",
            "export SERVICE_TOKEN=\"{}\"",
            "client_secret: {}",
            "\"clientSecret\": \"{}\",",
            "{\\\"access_token\\\":\\\"{}\\\"}",
            "'api-key' => '{}'",
            "let token: &str = \"{}\";",
            "secret := `{}`",
            "<apiKey>{}</apiKey>",
            "<add key=\"apiKey\" value=\"{}\" />",
            "config['secret_key'] = '{}'",
            "--api-key={}",
            "https://x.example/?access_token={}&b=1",
            "the api key is {}.",
            "our token: {}, do not share",
            "//registry.example/:_authToken={}",
            "setApiKey(\"{}\")",
            "\"token\", \"{}\"",
            "token == '{}'",
            "API 密钥: {}",
        ],
    );
    each(
        "secret.password",
        PASS,
        &[
            "DB_PASSWORD={}",
            "password: {}",
            "\"password\": \"{}\"",
            "passwd = '{}'",
            "$dbPass = \"{}\";",
            "The password is {}",
            "Das Passwort lautet {}",
            "le mot de passe est {}",
            "la contraseña es {}",
            "密码是{}",
            "пароль: {}",
            "<password>{}</password>",
            ".password(\"{}\")",
            "**Password:** {}",
            "Server=db;User Id=sa;Pwd={};Encrypt=true",
        ],
    );
}

#[test]
fn issuers_by_name_and_shape() {
    let aws = [RANDOM, "/+Ab", "5dE6fG7hI8jK9lM0"].concat();
    each(
        "secret.aws",
        &aws,
        &[
            "aws_secret_access_key = {}",
            "AWS secret: \"{}\"",
            "SecretAccessKey\": \"{}\"",
        ],
    );
    each(
        "secret.datadog",
        HEX,
        &["DD_API_KEY={}", "datadog key {}", "datadog:\n  apiKey: {}"],
    );
    each(
        "secret.heroku",
        UUID,
        &["HEROKU_API_KEY={}", "heroku auth token: {}"],
    );
    each(
        "secret.azure_openai",
        HEX,
        &["AZURE_OPENAI_API_KEY=\"{}\"", "Ocp-Apim-Subscription-Key: {}"],
    );
    let forty = [RANDOM, "5dE6fG7hI8jK9lM0aB1c"].concat();
    each(
        "secret.cohere",
        &forty,
        &["COHERE_API_KEY={}", "cohere client {}"],
    );
    each("secret.zendesk", &forty, &["zendesk token {}"]);
    let mistral = [RANDOM, "5dE6fG7hI8jK"].concat();
    each("secret.mistral", &mistral, &["MISTRAL_API_KEY={}"]);
    let okta = ["00", RANDOM, RANDOM].concat();
    each("secret.okta", &okta, &["okta_token = \"{}\""]);
    let wireguard = [RANDOM, RANDOM, "a1B="].concat();
    each(
        "secret.wireguard",
        &wireguard,
        &["PrivateKey = {}", "PresharedKey={}"],
    );
}

#[test]
fn credentials_of_http() {
    let name = "secret.http_credentials";
    each(
        name,
        RANDOM,
        &["Authorization: Bearer {}", "-H 'authorization: bearer {}'"],
    );
    each(
        name,
        "YW5uYTpYazdtUTJ2TDl4",
        &["Authorization: Basic {}", "\"Authorization\": \"Basic {}\""],
    );
    each(
        name,
        &["anna:", PASS].concat(),
        &[
            "curl -u {} https://x.example",
            "curl -s --user '{}' https://x.example",
        ],
    );
    for text in [
        "Authorization: Bearer <token>",
        "Authorization: Bearer YOUR_ACCESS_TOKEN",
        "Basic instructions for beginners",
        "the bearer of this letter",
        "curl -u user:password https://x.example",
        "curl -u $USER:$PASS https://x.example",
        "Basic QWxhZGRpbg==",
    ] {
        passes(name, text);
    }
}

#[test]
fn options_of_commands_and_login_files() {
    each(
        "secret.password",
        PASS,
        &[
            "mysql -h db -u root -p{} shop",
            "sshpass -p '{}' ssh h",
            "docker login -u anna -p {} r.example",
        ],
    );
    each(
        "secret.password",
        HEX,
        &["machine api.example login anna@example.org password {}"],
    );
    each("secret.http_credentials", RANDOM, &["Authorization: SSWS {}"]);
}

#[test]
fn values_with_signs() {
    let django = ["b1i#(q#ro0n6%3df", ")av-k=p8qo7lo#lm@h=3-#-nr16d5a2f"].concat();
    each("secret.generic", &django, &["SECRET_KEY = '{}'"]);
    let generated = format!("django-insecure-{django}");
    each("secret.generic", &generated, &["SECRET_KEY = '{}'"]);
    let bot = format!("9489275026:GF{}", RANDOM.repeat(2));
    each("secret.generic", &bot, &["BOT_TOKEN={}"]);
}

#[test]
fn connection_strings() {
    let name = "secret.connection_string";
    for url in [
        "postgres://app:Xk7mQ2vL9@db.internal:5432/x?sslmode=require",
        "postgresql+asyncpg://app:Xk7m/Q2vL9@db/x",
        "mongodb+srv://app:Xk7mQ2vL9@cluster0.abcde.mongodb.net/test",
        "redis://:Xk7mQ2vL9@cache:6379/0",
        "amqps://app:Xk7mQ2vL9@mq/vhost",
        "mysql://root:s3cr3t!@127.0.0.1",
        "jdbc:postgresql://app:Xk7mQ2vL9@db/x",
        "MSSQL://sa:Xk7mQ2vL9@db",
    ] {
        for (before, after) in [("", ""), ("URL=", "\n"), ("\"", "\""), ("see ", ", then")] {
            finds(name, &format!("{before}{url}{after}"), url);
        }
    }
    for text in [
        "postgres://user:password@localhost/db",
        "postgres://localhost/db",
        "postgres://user@localhost/db",
        "postgres://postgres:postgres@localhost/db",
        "postgres://${USER}:${PASSWORD}@localhost/db",
        "redis://localhost:6379/0",
        "mysql://{user}:{pass}@{host}/db",
        "the redis: a cache",
        "mongodb://<user>:<pw>@host",
        "https://example.com:443/@a",
    ] {
        passes(name, text);
    }
}

#[test]
fn keys_with_a_mark_in_their_middle() {
    let bot = ["12345678:", "AA", RANDOM, "9X2mZ7bL4kT1v"].concat();
    let client = ["a1b8", "Q~", RANDOM, "9X2mZ7bL4kT1vR"].concat();
    let chimp = [HEX, "-us12"].concat();
    for (name, key) in [
        ("secret.telegram", bot),
        ("secret.azure", client),
        ("secret.mailchimp", chimp),
    ] {
        each(name, &key, &["{}", "x={} y", "\"{}\"", "use {}, now"]);
        passes(name, &format!("x{key}x"));
        passes(name, key.get(..key.len() - 6).unwrap());
    }
    passes("secret.telegram", "12345678:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

#[test]
fn what_is_no_secret_passes() {
    for text in [
        "mysql -u root -p shop",
        "docker run -p 8080:80 q9X2mZ7bL4kT1vR8nC3w",
        "public_key: q9X2mZ7bL4kT1vR8nC3wq9X2mZ7bL4kT1vR8nC3w",
        "SECRET_KEY = 'lambda x: {x[0]} -> f(x, y) or g1(y)'",
        "password = os.environ['DB_PASSWORD']",
        "password: ${DB_PASSWORD}",
        "password = \"changeme\"",
        "password: <your password>",
        "password=xxxxxxxx",
        "let password: Option<String> = None;",
        "password: String,",
        "pub fn f(password: Uint8Array)",
        "password = hash_password(input, 12)",
        "token = tokens[position2]",
        "api_key = settings.API_KEY_2",
        "api_key = \"YOUR_API_KEY_1\"",
        "key: \"content-type-2-header-name\"",
        "secret: /run/secrets/token_01/value",
        "max_tokens: 4096",
        "total_tokens = 128000",
        "The key to success is 12 hours of work",
        "the token is expired",
        "primary_key: user_account_id_2",
        "public static final KeyCode key = KeyCode.VK_F12;",
        "password policy: at least 8 characters",
        "author: J0hn.D0e",
        "monkey = \"q9X2mZ7bL4kT1vR8nC3w\"",
        "sha256_hash: 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "hashed: $argon2id$v=19$m=65536,t=3,p=4$C29tZXNhbHQ$eW91bGxORXZl",
        "secretName: my-app-tls-2",
        "Tokenizer: GPT2TokenizerFast",
        "pass to modnames2paths",
    ] {
        passes("secret.*", text);
    }
}
