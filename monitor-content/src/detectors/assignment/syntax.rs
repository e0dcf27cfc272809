//! Assignments as code, configuration, markup and prose write them.

use super::super::{CONTEXT_BYTES, LOOK_BYTES};
use super::names::{Kind, Name};
use crate::bytes::ByteSet;
use crate::finding::Ahead;

/// A longer value is no key or password a person pastes; the issuers that have longer ones mark them.
pub(super) const MAX_VALUE_BYTES: usize = 200;
const _: () = assert!(MAX_VALUE_BYTES + 2 < LOOK_BYTES);

/// Blanks that may stand on one side of an operator, as in aligned tables.
const MAX_BLANKS: usize = 24;
/// What may stand between an issuer's name and its key, in prose and in code.
const MAX_GAP_BYTES: usize = 40;
/// A key of an issuer is not shorter.
const MIN_TOKEN_BYTES: usize = 16;

/// A value and how it is written.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// By an operator; otherwise it only stands near the name.
    pub(super) operator: bool,
    /// The operator has no blanks round it, or is no operator of code: what follows is no expression.
    pub(super) tight: bool,
}

pub(super) enum Reading {
    Not,
    /// Not before more text is there; the value would start here.
    Undecided(usize),
    Assigned(Assigned),
}

const BLANK: ByteSet = ByteSet::of(b" \t");
const TOKEN: ByteSet = ByteSet::alphanumeric_and(b"_-+/~");
const PADDING: ByteSet = ByteSet::of(b"=");
/// What ends a value without quotes.
const END: ByteSet = ByteSet::of(b" \t\r\n\"'`,;<>)]}|\\&\0");

/// Reads the value of a name. Values before `from` are decided already.
pub(super) fn read(text: &[u8], name: &Name, from: usize, ahead: Ahead) -> Reading {
    if name.kind.is_none() {
        return near(text, name, from, ahead);
    }
    if name.about {
        return Reading::Not;
    }
    let start = match name.kind {
        Some(Kind::Bearer | Kind::Basic) => Some(Start::Value {
            start: name.end,
            quote: None,
            tight: true,
        }),
        Some(kind @ (Kind::Curl | Kind::Login | Kind::Client)) => option(text, name.end, kind),
        _ => value_start(text, name, ahead),
    };
    match start {
        Some(Start::Value { start, quote, tight }) if start >= from && in_context(name, start) => {
            value(text, start, quote, tight, ahead)
        }
        Some(Start::Undecided(start)) if start >= from && in_context(name, start) => {
            Reading::Undecided(start)
        }
        _ => Reading::Not,
    }
}

/// Whether the name and the byte before it are part of what the value may depend on.
fn in_context(name: &Name, start: usize) -> bool {
    start < name.start + CONTEXT_BYTES
}

/// The value of the option by which a command takes a credential, when it comes soon.
fn option(text: &[u8], at: usize, kind: Kind) -> Option<Start> {
    const SOON: usize = 48;
    let rest = text.get(at..(at + SOON).min(text.len()))?;
    let begins = |n: &usize| *n == 0 || rest.get(n - 1) == Some(&b' ');
    let after = (0..rest.len())
        .filter(begins)
        .find_map(|n| match (kind, rest.get(n..)?) {
            (Kind::Curl, [b'-', b'-', b'u', b's', b'e', b'r', b' ' | b'=', ..]) => Some(n + 7),
            (Kind::Curl, [b'-', b'u', b' ', ..]) | (Kind::Login, [b'-', b'p', b' ', ..]) => Some(n + 3),
            (Kind::Curl, [b'-', b'u', ..]) | (Kind::Login, [b'-', b'p', ..]) => Some(n + 2),
            (Kind::Client, [b'-', b'p', next, ..]) if *next != b' ' => Some(n + 2),
            _ => None,
        })?;
    let start = at + after;
    let quote = text.get(start).copied().filter(|b| matches!(b, b'"' | b'\''));
    Some(Start::Value {
        start: start + usize::from(quote.is_some()),
        quote,
        tight: true,
    })
}

enum Start {
    Value {
        start: usize,
        quote: Option<u8>,
        tight: bool,
    },
    Undecided(usize),
}

/// Where the value of the name that ends at `at` begins, its quote, and whether the operator is tight. `None` when no
/// assignment follows, or not yet.
fn value_start(text: &[u8], name: &Name, ahead: Ahead) -> Option<Start> {
    let rest = |at: usize| text.get(at..).unwrap_or_default();
    let mut at = name.end;
    // The end of a quoted name or of a subscript.
    for _ in 0..3 {
        match rest(at) {
            [b'\\', b'"' | b'\'', ..] => at += 2,
            [b'"' | b'\'' | b'`' | b']' | b'*' | b')', ..] => at += 1,
            _ => break,
        }
    }
    let name_end = at;
    at = BLANK.run(text, at, at + MAX_BLANKS);
    let spaced = at > name_end;
    let mut needs_quote = false;
    let mut tight = !spaced;
    match rest(at) {
        [b':', b':', b'=', ..] => at += 3,
        [b':', b':' | b'/', ..] => return None,
        [b'=', b'=', b'=', ..] => at += 3,
        [b':' | b'=' | b'!' | b'?' | b'+', b'=', ..]
        | [b'=', b'>' | b'~', ..]
        | [b'-', b'>', ..]
        | [b'<', b'-', ..] => {
            at += 2;
            tight = false;
        }
        [b'|', b'|', b'=', ..] => at += 3,
        [b'=', ..] => at += 1,
        [b':', ..] => {
            at += 1;
            // A type between name and value: `password: &str = "…"`.
            let blank = BLANK.run(text, at, at + MAX_BLANKS);
            let end = TYPE.run(text, blank, blank + MAX_BLANKS);
            let equals = BLANK.run(text, end, end + 2);
            let typed = end > blank && end - blank < MAX_BLANKS;
            if ahead == Ahead::Wait && (equals == text.len() || typed && equals + 1 == text.len()) {
                return Some(Start::Undecided(blank));
            }
            if typed && equals > end && matches!(rest(equals), [b'=', b' ', ..]) {
                at = equals + 1;
            } else {
                tight = true;
            }
        }
        [b'>', ..] if !spaced => at += 1,
        [b',' | b'(', ..] if name.ends => {
            at += 1;
            needs_quote = true;
        }
        [b'"' | b'\'', ..] if spaced => needs_quote = true,
        _ if spaced && follows_login(text, name.start) => tight = false,
        other => {
            let word = VERBS
                .iter()
                .find(|verb| other.len() > verb.len() && other.starts_with(verb.as_bytes()))?;
            if word.is_ascii() && !spaced {
                return None;
            }
            at += word.len();
            if let [b':', ..] = rest(at) {
                at += 1;
            }
            tight = *word != "to ";
        }
    }
    let blanks = BLANK.run(text, at, at + MAX_BLANKS);
    tight &= blanks == at || !matches!(text.get(at.wrapping_sub(1)), Some(b'='));
    at = blanks;
    // Markers of raw or byte strings, and of an attribute that holds the value.
    for word in ["value=", "Bearer ", "bearer ", "Basic ", "Token "] {
        if rest(at).starts_with(word.as_bytes()) {
            at += word.len();
        }
    }
    if let [b'b' | b'r' | b'f' | b'u' | b'L' | b'@' | b'$', b'"' | b'\'', ..] = rest(at) {
        at += 1;
    }
    let quote = match rest(at) {
        [b'\\', quote @ (b'"' | b'\''), ..] => {
            at += 2;
            Some(*quote)
        }
        [quote @ (b'"' | b'\'' | b'`'), ..] => {
            at += 1;
            Some(*quote)
        }
        [b'*', b'*', ..] => {
            at = BLANK.run(text, at + 2, at + 2 + MAX_BLANKS);
            None
        }
        _ => None,
    };
    (quote.is_some() || !needs_quote).then_some(Start::Value {
        start: at,
        quote,
        tight,
    })
}

/// Whether the name at `at` follows `login` and a user, as in `.netrc`.
fn follows_login(text: &[u8], at: usize) -> bool {
    const FAR: usize = 48;
    const LOGIN: &[u8] = b"login ";
    let before = text.get(at.saturating_sub(FAR)..at).unwrap_or_default();
    before
        .windows(LOGIN.len())
        .rposition(|word| word == LOGIN)
        .and_then(|n| before.get(n + LOGIN.len()..))
        .is_some_and(|user| user.iter().filter(|b| b.is_ascii_whitespace()).count() == 1)
}

const TYPE: ByteSet = ByteSet::alphanumeric_and(b"_&'<>[]?.");

/// What says in prose that the value follows.
const VERBS: &[&str] = &[
    "is ", "is: ", "was ", "to ", "ist ", "lautet ", "est ", "es ", "e ", "是", "为", "は", "value=",
];

/// The value that starts at `start`.
fn value(text: &[u8], start: usize, quote: Option<u8>, tight: bool, ahead: Ahead) -> Reading {
    let limit = start + MAX_VALUE_BYTES + 1;
    let rest = text.get(start..limit.min(text.len())).unwrap_or_default();
    let length = match quote {
        Some(quote) => rest
            .iter()
            .position(|b| *b == quote || matches!(b, b'\\' | b'\r' | b'\n' | b' ')),
        None => rest.iter().position(|b| END.has(*b) || !b.is_ascii()),
    };
    let Some(length) = length else {
        // Neither the end of the value nor that of what it may be.
        return match ahead {
            Ahead::Wait if rest.len() <= MAX_VALUE_BYTES => Reading::Undecided(start),
            Ahead::Nothing | Ahead::Cut if rest.len() <= MAX_VALUE_BYTES => {
                assigned(text, start, text.len(), quote.is_some(), tight)
            }
            _ => Reading::Not,
        };
    };
    let end = start + length;
    match quote {
        Some(quote) => match text.get(end) {
            Some(b'\\') if text.get(end + 1) == Some(&quote) => assigned(text, start, end, true, tight),
            Some(b'\\') if end + 1 == text.len() && ahead == Ahead::Wait => Reading::Undecided(start),
            Some(byte) if *byte == quote => assigned(text, start, end, true, tight),
            _ => Reading::Not,
        },
        None => assigned(text, start, end, false, tight),
    }
}

fn assigned(text: &[u8], start: usize, end: usize, quoted: bool, tight: bool) -> Reading {
    let mut end = end;
    if !quoted {
        // Punctuation of the sentence, or emphasis.
        let value = text.get(start..end).unwrap_or_default();
        end -= value
            .iter()
            .rev()
            .take_while(|b| matches!(b, b'.' | b',' | b':' | b'*' | b'?'))
            .count();
    }
    if end == start {
        return Reading::Not;
    }
    Reading::Assigned(Assigned {
        start,
        end,
        quoted,
        operator: true,
        tight,
    })
}

/// The first long token near an issuer's name.
fn near(text: &[u8], name: &Name, from: usize, ahead: Ahead) -> Reading {
    let mut at = name.end;
    while at <= name.end + MAX_GAP_BYTES && at < text.len() {
        let start = at;
        let end = TOKEN.run(text, start, start + MAX_VALUE_BYTES + 1);
        let end = PADDING.run(text, end, if end > start { end + 2 } else { end });
        if end == text.len() && end > start && ahead == Ahead::Wait {
            return if start < from || !in_context(name, start) {
                Reading::Not
            } else {
                Reading::Undecided(start)
            };
        }
        if end - start >= MIN_TOKEN_BYTES {
            if start < from || end - start > MAX_VALUE_BYTES || !in_context(name, start) {
                return Reading::Not;
            }
            return Reading::Assigned(Assigned {
                start,
                end,
                quoted: false,
                operator: false,
                tight: true,
            });
        }
        at = end.max(start + 1);
    }
    Reading::Not
}
