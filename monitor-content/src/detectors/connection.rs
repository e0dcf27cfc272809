//! Connection strings of databases, caches, queues and directories with a password in them:
//! `postgres://user:password@host/db` (RFC 3986, section 3.2.1, as drivers read it).
//!
//! From the scheme to the end of the address. Strings of `Name=value;` pairs are read as assignments.

use super::trigger::Triggers;
use super::{Engine, LOOK_BYTES};
use crate::Finding;
use crate::bytes::ByteSet;
use crate::finding::Ahead;

pub(super) const NAME: &str = "secret.connection_string";

/// What schemes begin with, in small letters; a dialect may follow: `postgresql+asyncpg`.
const SCHEMES: &[&str] = &[
    "postgres",
    "mysql",
    "mariadb",
    "mongodb",
    "redis",
    "valkey",
    "amqp",
    "mssql",
    "sqlserver",
    "clickhouse",
    "cockroach",
    "snowflake",
    "couchbase",
    "couchdb",
    "cassandra",
    "neo4j",
    "bolt",
    "oracle",
    "influxdb",
    "memcached",
    "mqtt",
    "nats",
    "kafka",
    "ldap",
    "smtp",
    "imap",
    "sftp",
    "jdbc:",
    "hive",
    "presto",
    "trino",
    "vertica",
    "redshift",
    "elasticsearch",
    "opensearch",
    "db2",
    "firebird",
    "rabbitmq",
    "surrealdb",
    "databricks",
    "teradata",
    "questdb",
    "libsql",
    "pgsql",
];

const SCHEME: ByteSet = ByteSet::alphanumeric_and(b"+.-:");
const MAX_SCHEME_BYTES: usize = 40;
/// What ends an address.
const END: ByteSet = ByteSet::of(b" \t\r\n\"'`<>|\\,;)]}");
/// What ends an authority.
const AUTHORITY_END: ByteSet = ByteSet::of(b" \t\r\n\"'`<>|\\");
/// Passwords that stand for one.
const PLACEHOLDERS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"pw",
    b"secret",
    b"postgres",
    b"root",
    b"user",
    b"test",
    b"guest",
    b"mysql",
    b"redis",
    b"admin",
    b"example",
    b"changeme",
    b"username",
    b"mypassword",
    b"mypass",
    b"yourpassword",
    b"your_password",
    b"<password>",
    b"xxx",
    b"bar",
    b"foo",
    b"baz",
    b"scott",
    b"tiger",
    b"p",
    b"pswd",
    b"secret123",
    b"credentials",
    b"token",
    b"key",
    b"db_password",
];

/// Finds them.
#[derive(Debug)]
pub(super) struct ConnectionStrings {
    triggers: Triggers,
}

enum Reading {
    Not,
    Undecided,
    Found(usize, u8),
}

impl ConnectionStrings {
    /// `None` when it is not selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        selected.contains(&NAME).then(|| Self {
            triggers: Triggers::new(SCHEMES.iter().map(|s| s.as_bytes()), true),
        })
    }
}

impl Engine for ConnectionStrings {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while let Some(start) = self.triggers.find(text, at) {
            at = start + 1;
            if !begins_word(text, start) {
                continue;
            }
            let rest = text.get(start..).unwrap_or_default();
            if !SCHEMES.iter().any(|scheme| matches(rest, scheme)) {
                if ahead == Ahead::Wait && SCHEMES.iter().any(|scheme| matches_partly(rest, scheme)) {
                    return start;
                }
                continue;
            }
            match read(text, start, ahead) {
                Reading::Not => {}
                Reading::Undecided => return start,
                Reading::Found(end, confidence_percent) => {
                    out.push(Finding {
                        detector: NAME,
                        start,
                        end,
                        confidence_percent,
                        explanation: "a database's scheme, a user and a password",
                        continued: false,
                    });
                    at = end;
                }
            }
        }
        if ahead != Ahead::Wait {
            return text.len();
        }
        // A part of a scheme at the end, too short for the search.
        (text.len().saturating_sub(Triggers::MIN_BYTES).max(at)..text.len())
            .find(|at| {
                let rest = text.get(*at..).unwrap_or_default();
                begins_word(text, *at) && SCHEMES.iter().any(|scheme| matches_partly(rest, scheme))
            })
            .unwrap_or(text.len())
    }
}

fn begins_word(text: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| text.get(before))
        .is_none_or(|before| !before.is_ascii_alphanumeric())
        || crate::bytes::ends_escape(text, at)
}

fn matches(rest: &[u8], scheme: &str) -> bool {
    rest.get(..scheme.len())
        .is_some_and(|bytes| bytes.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn matches_partly(rest: &[u8], scheme: &str) -> bool {
    scheme
        .as_bytes()
        .get(..rest.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(rest))
}

fn read(text: &[u8], start: usize, ahead: Ahead) -> Reading {
    let wait = ahead == Ahead::Wait;
    let scheme = SCHEME.run(text, start, start + MAX_SCHEME_BYTES);
    let rest = text.get(scheme..).unwrap_or_default();
    let Some(colon) = scheme.checked_sub(1).filter(|at| text.get(*at) == Some(&b':')) else {
        return if wait && rest.is_empty() && scheme < start + MAX_SCHEME_BYTES {
            Reading::Undecided
        } else {
            Reading::Not
        };
    };
    if !rest.starts_with(b"//") {
        return if wait && b"//".starts_with(rest) {
            Reading::Undecided
        } else {
            Reading::Not
        };
    }
    let authority = colon + 3;
    let limit = (start + LOOK_BYTES - 1).min(text.len());
    let window = text.get(authority..limit).unwrap_or_default();
    let length = window.iter().position(|b| AUTHORITY_END.has(*b));
    if length.is_none() && wait && limit == text.len() {
        return Reading::Undecided;
    }
    let part = window.get(..length.unwrap_or(window.len())).unwrap_or_default();
    // A password may hold a slash that nobody escaped, but not a question mark and an `@` of the query.
    let query = part.iter().position(|b| *b == b'?').unwrap_or(part.len());
    let Some(sign) = part.get(..query).and_then(|p| p.iter().rposition(|b| *b == b'@')) else {
        return Reading::Not;
    };
    let user_info = part.get(..sign).unwrap_or_default();
    let Some(separator) = user_info.iter().position(|b| *b == b':') else {
        return Reading::Not;
    };
    let user = user_info.get(..separator).unwrap_or_default();
    let password = user_info.get(separator + 1..).unwrap_or_default();
    if user.contains(&b'/') {
        return Reading::Not;
    }
    let Some(confidence) = confidence(user, password) else {
        return Reading::Not;
    };
    let tail = part.get(sign..).unwrap_or_default();
    let end = tail.iter().position(|b| END.has(*b)).unwrap_or(tail.len());
    let punctuation = tail
        .get(..end)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|b| matches!(b, b'.' | b':' | b'?' | b'!' | b'*'))
        .count();
    Reading::Found(authority + sign + end - punctuation, confidence)
}

/// How surely it is a password and not a placeholder; `None` when it is one.
fn confidence(user: &[u8], password: &[u8]) -> Option<u8> {
    let first = *password.first()?;
    let same = password.iter().all(|b| *b == first);
    let stands = PLACEHOLDERS
        .iter()
        .any(|word| password.eq_ignore_ascii_case(word))
        || matches!(first, b'$' | b'{' | b'<' | b'[' | b'%' | b'*' | b'(')
            && password.len() > 2
            && !password.iter().any(u8::is_ascii_digit)
        || contains(password, b"${")
        || contains(password, b"{{")
        || contains(password, b"...")
        || contains(password, b"password")
        || password.eq_ignore_ascii_case(user);
    if same || stands || password.len() < 3 {
        return None;
    }
    let digit = password.iter().any(u8::is_ascii_digit);
    let letter = password.iter().any(u8::is_ascii_alphabetic);
    match (digit && letter, password.len()) {
        (true, 8..) => Some(92),
        (true, _) => Some(75),
        (false, 8..) => Some(70),
        _ => Some(55),
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}
