//! Whether a value may be a secret: what it is made of, and what it is not.

use super::names::Kind;

/// Words that stand for a value. None of four letters or more turns up in a random one.
const PLACEHOLDERS: &[&[u8]] = &[
    b"example",
    b"changeme",
    b"change_me",
    b"change-me",
    b"placeholder",
    b"your",
    b"xxxx",
    b"****",
    b"....",
    b"dummy",
    b"sample",
    b"redacted",
    b"password",
    b"passwort",
    b"passwd",
    b"secret",
    b"token",
    b"null",
    b"none",
    b"true",
    b"false",
    b"undefined",
    b"insert",
    b"replace",
    b"todo",
    b"${",
    b"{{",
    b"}}",
    b"$(",
    b"%(",
    b"%s",
    b"process.env",
    b"environ",
    b"getenv",
    b"12345678",
    b"87654321",
    b"0123456",
    b"abcdef01",
    b"abcdefgh",
    b"abcd1234",
    b"abc123",
    b"qwerty",
    b"deadbeef",
    b"fake",
    b"mock",
    b"test",
    b"demo",
    b"default",
    b"apikey",
    b"api_key",
    b"api-key",
    b"_here",
    b"-here",
    b"<",
    b">",
    b"0000000",
    b"1111111",
    b"foobar",
    b"lorem",
    b"hidden",
    b"masked",
    b"encrypted",
    b"username",
    b"string",
    b"://",
];

/// Parts of names of types, libraries and algorithms that have digits in them.
const TYPES: &[&[u8]] = &[
    b"int8", b"int16", b"int32", b"int64", b"utf8", b"utf16", b"base64", b"sha1", b"sha2", b"sha512", b"md5",
    b"x509", b"urllib", b"array", b"oauth2", b"pbkdf2", b"http2", b"v1beta", b"argon2", b"pkcs",
];

/// What Django writes before a key that it generated for a new project.
const DJANGO: &[u8] = b"django-insecure-";

/// Longest run of one character in a random value.
const MAX_REPEATS: usize = 4;

/// A value, and what was counted in it.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) bytes: Bytes<'a>,
    upper: usize,
    lower: usize,
    digit: usize,
    other: usize,
    distinct: u32,
    /// Neighbours of different kinds.
    changes: usize,
    digit_groups: usize,
}

/// The value's bytes, which no debug output shows.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl std::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> Value<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut value = Self {
            bytes: Bytes(bytes),
            upper: 0,
            lower: 0,
            digit: 0,
            other: 0,
            distinct: 0,
            changes: 0,
            digit_groups: 0,
        };
        let (mut seen, mut before) = (0_u128, None);
        for byte in bytes {
            seen |= 1 << (byte & 127);
            let (kind, count) = match byte {
                b'A'..=b'Z' => (0, &mut value.upper),
                b'a'..=b'z' => (1, &mut value.lower),
                b'0'..=b'9' => (2, &mut value.digit),
                _ => (3, &mut value.other),
            };
            *count += 1;
            if before.is_some_and(|before| before != kind) {
                value.changes += 1;
            }
            if kind == 2 && before != Some(2) {
                value.digit_groups += 1;
            }
            before = Some(kind);
        }
        value.distinct = seen.count_ones();
        value
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.0.len()
    }

    /// Stands for a value, refers to one, or is no value at all.
    pub(super) fn placeholder(&self) -> bool {
        let bytes = self.bytes.0;
        let refers = matches!(
            bytes,
            [b'$' | b'{' | b'<' | b'[' | b'(' | b'.' | b'~', ..]
                | [b'%', .., b'%']
                | [b'/', _, ..]
                | [b'@', ..]
        ) && self.distinct < 20
            && !self.symbols_mixed();
        // A hash of a password, as `crypt` and its successors write it.
        let hashed = bytes.starts_with(b"$") && bytes.iter().filter(|b| **b == b'$').count() >= 3;
        refers || hashed || self.repeats() || PLACEHOLDERS.iter().any(|word| contains(bytes, word))
    }

    /// Symbols among letters and digits, as in passwords a manager made.
    fn symbols_mixed(&self) -> bool {
        self.other >= 3
            && self.digit >= 1
            && self.upper >= 1
            && self.lower >= 1
            && self.changes * 2 > self.len()
    }

    fn repeats(&self) -> bool {
        let same = |run: &[u8]| run.iter().all(|b| Some(b) == run.first());
        self.len() > MAX_REPEATS && self.bytes.0.windows(MAX_REPEATS + 1).any(same)
    }

    /// Printable, without brackets in pairs and paths, which expressions have.
    fn is_text(&self) -> bool {
        self.bytes.0.iter().all(u8::is_ascii_graphic)
            && [&b"()"[..], b"[]", b"{}", b"::", b"->", b"//"]
                .iter()
                .all(|pair| !contains(self.bytes.0, pair))
    }

    fn only(&self, more: &[u8]) -> bool {
        self.other == 0
            || self
                .bytes
                .0
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(b))
    }

    pub(super) fn is_alphanumeric(&self) -> bool {
        self.other == 0
    }

    pub(super) fn is_lower(&self) -> bool {
        self.other == 0 && self.upper == 0
    }

    pub(super) fn is_url_safe(&self) -> bool {
        self.only(b"-_")
    }

    pub(super) fn is_base64(&self) -> bool {
        self.only(b"+/=")
    }

    pub(super) fn is_hex(&self) -> bool {
        self.other == 0
            && (self.upper == 0 || self.lower == 0)
            && self.bytes.0.iter().all(u8::is_ascii_hexdigit)
    }

    pub(super) fn is_uuid(&self) -> bool {
        self.len() == 36
            && self
                .bytes
                .0
                .split(|b| *b == b'-')
                .map(<[u8]>::len)
                .eq([8, 4, 4, 4, 12])
            && self.bytes.0.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
    }

    /// 32 bytes in base64.
    pub(super) fn is_wireguard(&self) -> bool {
        self.len() == 44 && self.bytes.0.ends_with(b"=") && self.is_base64() && self.mixed()
    }

    /// Capitals, small letters and digits.
    pub(super) fn mixed(&self) -> bool {
        self.upper > 0 && self.lower > 0 && self.digit > 0
    }

    /// Made by a generator, by the look of it: many different characters, and letters, digits and cases that change
    /// more often than words, names and numbers let them.
    pub(super) fn random(&self) -> bool {
        let length = self.len();
        if self.is_uuid() {
            return self.distinct >= 8;
        }
        if self.is_hex() {
            return self.distinct >= 8 && self.digit >= 4 && self.upper + self.lower >= 3;
        }
        let letters = self.upper + self.lower;
        let enough = self.distinct as usize >= (length / 2).clamp(8, 14);
        let changing = self.changes * 100 >= length * 35
            || (self.digit_groups >= 3 && self.changes * 100 >= length * 20);
        enough && changing && !self.worded() && letters >= 4 && (self.digit > 0 || length >= 24)
    }

    /// Names in mixed case: nearly half of it are small letters in a row.
    fn worded(&self) -> bool {
        const WORD_BYTES: usize = 4;
        let words = self.bytes.0.split(|b| !b.is_ascii_lowercase()).map(<[u8]>::len);
        self.upper > 0 && words.filter(|n| *n >= WORD_BYTES).sum::<usize>() * 100 >= self.len() * 42
    }

    /// How surely it is a key, for a name of this kind.
    pub(super) fn as_key(&self, kind: Kind, compound: bool, quoted: bool) -> Option<u8> {
        let length = self.len();
        if let Some(generated) = self.bytes.0.strip_prefix(DJANGO) {
            return Value::new(generated).as_key(kind, compound, quoted);
        }
        // An account's number in front, as of a bot.
        if let Some(colon) = self.bytes.0.iter().position(|b| *b == b':')
            && let Some((number, [_, token @ ..])) = self.bytes.0.split_at_checked(colon)
        {
            let numbered = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
            return Value::new(token)
                .as_key(kind, compound, quoted)
                .filter(|_| numbered);
        }
        if quoted && kind == Kind::Secret && length >= 24 && self.other >= 3 && !self.only(b"-_+/=~.") {
            return (self.is_text() && self.random()).then_some(70);
        }
        if !self.only(b"-_+/=~.") || length < 16 || !self.random() || self.path_or_member(quoted) {
            return None;
        }
        if decoded(self.bytes.0).is_some_and(|text| text.contains(&b' ')) {
            return None;
        }
        let secret = kind == Kind::Secret;
        if self.is_uuid() {
            return secret.then_some(60);
        }
        if self.is_hex() {
            return match (secret, length) {
                (true, 24..) => Some(70),
                (false, 32..) if compound => Some(55),
                _ => None,
            };
        }
        match (secret, length, self.mixed()) {
            (true, 20.., _) | (true, _, true) => Some(75),
            (false, 24.., true) | (false, 32.., _) => Some(65),
            _ => None,
        }
    }

    /// Whether dots or slashes join words, as members of an object or parts of a path.
    fn path_or_member(&self, quoted: bool) -> bool {
        let parts = |separator: u8| self.bytes.0.split(move |b| *b == separator);
        let worded = |separator: u8| {
            parts(separator).count() > 1
                && parts(separator).any(|p| p.len() >= 4 && p.iter().skip(1).all(u8::is_ascii_lowercase))
        };
        let dots = self.bytes.0.contains(&b'.');
        worded(b'-')
            || worded(b'_')
            || worded(b'.')
            || (worded(b'/') && self.changes * 2 < self.len())
            || (dots && !quoted)
    }

    /// How surely it is a password, for a name that says so.
    pub(super) fn as_password(&self, quoted: bool, tight: bool) -> Option<u8> {
        let length = self.len();
        // A path of a language is none, whatever quotes it.
        if length < 6 || self.distinct < 5 || contains(self.bytes.0, b"::") || contains(self.bytes.0, b"->") {
            return None;
        }
        let classes = [self.upper, self.lower, self.digit, self.other]
            .iter()
            .filter(|n| **n > 0)
            .count();
        let identifier = self.other == 0 || self.only(b"_.-");
        if !quoted {
            let bytes = self.bytes.0;
            // An expression: a call, a subscript, a member, a type.
            if bytes.iter().any(|b| matches!(b, b'(' | b'[' | b'{' | b'|'))
                || identifier && bytes.contains(&b'.')
            {
                return None;
            }
            if !tight && identifier && !self.random() {
                return None;
            }
        }
        if length >= 16 && self.random() && !self.path_or_member(true) {
            return Some(80);
        }
        let symbols = self.other > 0 && !identifier;
        if identifier && TYPES.iter().any(|word| contains(self.bytes.0, word)) {
            return None;
        }
        match (classes, symbols) {
            (4, true) if length >= 8 => Some(80),
            (3, true) if length >= 8 => Some(70),
            (3.., false) if length >= 8 && self.digit > 0 && self.letters_apart() => Some(60),
            (2, true) if length >= 8 && self.digit > 0 => Some(55),
            (2, false)
                if length >= 7 && self.digit > 0 && self.lower + self.upper >= 3 && self.other == 0 =>
            {
                Some(50)
            }
            _ => None,
        }
    }

    /// How surely it is a token of the bearer scheme.
    pub(super) fn as_bearer(&self) -> Option<u8> {
        (self.len() >= 16 && self.only(b"-_+/=~.") && self.random() && !self.path_or_member(true))
            .then_some(80)
    }

    /// How surely it is a user and a password in base64.
    pub(super) fn as_basic(&self) -> Option<u8> {
        let bytes = self.bytes.0;
        if bytes.len() < 12 || !self.is_base64() {
            return None;
        }
        let pair = decoded(bytes)?;
        let colon = pair.iter().position(|b| *b == b':')?;
        let password = pair.get(colon + 1..)?;
        (colon > 0 && password.len() >= 4 && !Value::new(password).placeholder()).then_some(85)
    }

    /// How surely it is a user and a password.
    pub(super) fn as_user_and_password(&self) -> Option<u8> {
        let colon = self.bytes.0.iter().position(|b| *b == b':')?;
        let password = Value::new(self.bytes.0.get(colon + 1..)?);
        let same = self.bytes.0.get(..colon) == Some(password.bytes.0);
        let random = password.len() >= 12 && password.random();
        let confidence = if random {
            Some(85)
        } else {
            password.as_password(true, true)
        };
        confidence.filter(|_| colon > 0 && !same)
    }

    /// Not words joined by separators.
    fn letters_apart(&self) -> bool {
        !self.path_or_member(true) || self.digit_groups >= 2
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

/// Printable ASCII in base64; `None` for anything else.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.iter().filter(|b| **b != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count) as u8;
            if !(b' '..=b'~').contains(&byte) {
                return None;
            }
            out.push(byte);
        }
    }
    Some(out)
}
