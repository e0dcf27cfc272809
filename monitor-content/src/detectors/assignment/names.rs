//! Words that name a secret, and the names they are part of.

use super::issuers;
use crate::bytes::ByteSet;

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person may have chosen it.
    Password,
    /// A token or a secret: it was generated.
    Secret,
    /// A key of some kind, or something about authentication: as likely no secret at all.
    Key,
    /// What follows is a credential of HTTP: `Bearer …`, `Basic …` (RFC 6750, RFC 7617).
    Bearer,
    Basic,
    /// A command that takes both: `curl -u user:password`.
    Curl,
    /// A command that takes a password: `sshpass -p password`.
    Login,
    /// A client of a database, whose option has no space: `mysql -ppassword`.
    Client,
}

/// A word in the text.
#[derive(Debug)]
pub(super) struct Name {
    /// Where the word begins.
    pub(super) start: usize,
    /// After the rest of the name it is in.
    pub(super) end: usize,
    /// `None` for an issuer's name.
    pub(super) kind: Option<Kind>,
    /// A longer name or a word after it says that it is about a secret, not the secret itself.
    pub(super) about: bool,
    /// The word is all of the name's end: `password`, not `PasswordManager`.
    pub(super) ends: bool,
    /// The word is not all of the name: `MASTER_KEY`.
    pub(super) compound: bool,
}

/// In small letters; where two match, the first counts.
const WORDS: &[(&str, Kind)] = &[
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("passwort", Kind::Password),
    ("pass", Kind::Password),
    ("pwd", Kind::Password),
    ("kennwort", Kind::Password),
    ("contrasena", Kind::Password),
    ("mot de passe", Kind::Password),
    ("motdepasse", Kind::Password),
    ("senha", Kind::Password),
    ("parola", Kind::Password),
    ("wachtwoord", Kind::Password),
    ("losenord", Kind::Password),
    ("haslo", Kind::Password),
    ("пароль", Kind::Password),
    ("密码", Kind::Password),
    ("密碼", Kind::Password),
    ("口令", Kind::Password),
    ("パスワード", Kind::Password),
    ("비밀번호", Kind::Password),
    ("secret", Kind::Secret),
    ("token", Kind::Secret),
    ("apikey", Kind::Secret),
    ("api_key", Kind::Secret),
    ("api-key", Kind::Secret),
    ("api key", Kind::Secret),
    ("access_key", Kind::Secret),
    ("access-key", Kind::Secret),
    ("accesskey", Kind::Secret),
    ("access key", Kind::Secret),
    ("private_key", Kind::Secret),
    ("privatekey", Kind::Secret),
    ("private key", Kind::Secret),
    ("密钥", Kind::Secret),
    ("令牌", Kind::Secret),
    ("credential", Kind::Key),
    ("auth", Kind::Key),
    ("cred", Kind::Key),
    ("key", Kind::Key),
    ("bearer ", Kind::Bearer),
    ("basic ", Kind::Basic),
    ("ssws ", Kind::Bearer),
    ("curl ", Kind::Curl),
    ("sshpass ", Kind::Login),
    ("docker login ", Kind::Login),
    ("podman login ", Kind::Login),
    ("mysql ", Kind::Client),
    ("mysqldump ", Kind::Client),
    ("mysqladmin ", Kind::Client),
    ("mariadb ", Kind::Client),
];

/// Every word that is searched for.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

/// The rest of a name may be so long: `token_for_production`.
const MAX_REST_BYTES: usize = 24;
const IDENTIFIER: ByteSet = ByteSet::alphanumeric_and(b"_-.");

/// Ends of names that are about a secret: its place, its kind, its time.
const ABOUT: &[&[u8]] = &[
    b"id",
    b"ids",
    b"name",
    b"names",
    b"url",
    b"uri",
    b"endpoint",
    b"path",
    b"file",
    b"filename",
    b"type",
    b"length",
    b"len",
    b"size",
    b"count",
    b"limit",
    b"field",
    b"regex",
    b"pattern",
    b"hash",
    b"sha",
    b"sha256",
    b"digest",
    b"fingerprint",
    b"checksum",
    b"hint",
    b"label",
    b"prefix",
    b"suffix",
    b"expires",
    b"expiry",
    b"ttl",
    b"timeout",
    b"version",
    b"algorithm",
    b"issuer",
    b"integrity",
    b"ref",
    b"arn",
    b"alias",
    b"index",
    b"author",
    b"authors",
    b"authority",
    b"keywords",
    b"keyword",
    b"board",
    b"words",
];

pub(super) fn starts_with(text: &[u8], at: usize, word: &str) -> bool {
    text.get(at..at + word.len())
        .is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
}

/// The words by their first byte's lowest bits, so that a place is compared with few.
#[derive(Debug)]
pub(super) struct Words([Vec<(&'static str, Option<Kind>)>; 32]);

impl Words {
    pub(super) fn new() -> Self {
        let mut words = [const { Vec::new() }; 32];
        let named = WORDS.iter().map(|(word, kind)| (*word, Some(*kind)));
        for (word, kind) in named.chain(issuers::words().map(|word| (word, None))) {
            if let Some(bucket) = words.get_mut(bucket(word.as_bytes().first())) {
                bucket.push((word, kind));
            }
        }
        Self(words)
    }

    fn at(&self, text: &[u8], at: usize) -> Option<(&'static str, Option<Kind>)> {
        let words = self.0.get(bucket(text.get(at)))?;
        words
            .iter()
            .find(|(word, _)| starts_with(text, at, word))
            .copied()
    }
}

fn bucket(byte: Option<&u8>) -> usize {
    usize::from(byte.copied().unwrap_or_default() & 31)
}

/// The word at `at`, if there is one, and the name it is in.
pub(super) fn read(words: &Words, text: &[u8], at: usize) -> Option<Name> {
    let (word, mut kind) = words.at(text, at)?;
    let length = word.len();
    let before = at.checked_sub(1).and_then(|n| text.get(n)).copied();
    let inside = before.is_some_and(|b| b.is_ascii_alphanumeric());
    let camel =
        text.get(at).is_some_and(u8::is_ascii_uppercase) && before.is_some_and(|b| b.is_ascii_lowercase());
    if inside && !camel {
        // `dbpassword` and `appsecret` are names; `monkey` and `compass` are words, and so is what an issuer's name is
        // the end of.
        if kind.is_none() || word.len() < 5 && word != "pwd" {
            return None;
        }
    }
    let whole = matches!(
        kind,
        Some(Kind::Bearer | Kind::Basic | Kind::Curl | Kind::Login | Kind::Client)
    );
    let most = if whole { 0 } else { MAX_REST_BYTES };
    let end = IDENTIFIER.run(text, at + length, at + length + most);
    // A dot or dash at the end is punctuation.
    let rest = text.get(at + length..end)?;
    let end = end - rest.iter().rev().take_while(|b| matches!(b, b'.' | b'-')).count();
    let rest = text.get(at + length..end)?;
    let last = last_word(rest);
    let mut about = ABOUT.iter().any(|word| last.eq_ignore_ascii_case(word));
    if kind == Some(Kind::Key) {
        // `key` alone says little, and `keyboard` nothing.
        let apart = rest.first().is_none_or(|b| !b.is_ascii_lowercase());
        about |= !apart && !rest.eq_ignore_ascii_case(b"s");
        about |= is_public(text, at);
    }
    if word == "pass" {
        let apart = rest.first().is_none_or(|b| !b.is_ascii_lowercase());
        if !apart {
            kind = None;
            about = true;
        }
    }
    Some(Name {
        start: at,
        end,
        kind,
        about,
        ends: rest.is_empty(),
        compound: camel
            || before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')),
    })
}

/// Whether the key named at `at` is a public one.
fn is_public(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(7)..at).unwrap_or_default();
    let before = before
        .strip_suffix(b"_")
        .or(before.strip_suffix(b"-"))
        .or(before.strip_suffix(b" "));
    let before = before.unwrap_or(text.get(at.saturating_sub(6)..at).unwrap_or_default());
    before.len() >= 6
        && before
            .get(before.len() - 6..)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"public"))
}

/// The last part of a name, as separators or capitals divide it.
fn last_word(name: &[u8]) -> &[u8] {
    let name = name
        .rsplit(|b| matches!(b, b'_' | b'-' | b'.'))
        .next()
        .unwrap_or_default();
    let small = name.iter().rev().take_while(|b| !b.is_ascii_uppercase()).count();
    if small == name.len() || small == 0 {
        return name;
    }
    name.get(name.len() - small - 1..).unwrap_or_default()
}

/// Whether the name before a value is that of a private key on its own, as in WireGuard's files.
pub(super) fn wants_wireguard(context: &[u8]) -> bool {
    let name = context.iter().rev().take(24);
    let letters: Vec<u8> = name
        .filter(|b| b.is_ascii_alphabetic())
        .map(u8::to_ascii_lowercase)
        .collect();
    [&b"yekdetaherp"[..], b"yekderahserp", b"yeketavirp"]
        .iter()
        .any(|word| letters.starts_with(word))
}
