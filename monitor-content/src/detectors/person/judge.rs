//! Whether words in a row are a person's name, and how much says so.

use super::chain::Chain;
use super::context;
use super::cues::Cue;
use super::token::{Shape, Token};

/// A name that was recognised.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) end: usize,
    pub(super) percent: u8,
    pub(super) explanation: &'static str,
}

/// Why a word may begin a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    cue: Option<Cue>,
}

/// Endings of family names by themselves: few other words with a capital have them.
#[rustfmt::skip]
const ENDINGS: &[&str] = &[
    "sson", "sdottir", "ssen", "nsen", "dsen", "rsen", "tsen", "ovic", "evic", 
    "owski", "owska", "ewski", "ewska", "wicz", "czyk", "enko", "chuk", "czuk", "opoulos", "opoulou",
    "idis", "idou", "akis", "yan", "shvili", "dze", "escu", "oglu", "nen", "strom", "qvist",
    "quist", "gren", "lund", "mann", "meyer", "maier", "bauer", "huber", "berger", "hofer", "stein", "ova",
    "sky", "ska", "cky", "ов", "ова", "ев", "ева", "ин", "ина", "ский", "ская", "енко",
    "чук", "ович", "овна", "евич", "евна", "івна", "ко", "ук", "ян",
];

/// Shorter words are too often abbreviations.
const MIN_UNKNOWN_BYTES: usize = 4;

/// Whether the word may begin a name at all, and what stands before it.
pub(super) fn cause(text: &[u8], first: &Token) -> Option<Cause> {
    // An ordinary word, which most with a capital are.
    if !first.is_known() && !first.is_unknown() {
        return None;
    }
    let cue = context::cue(text, first.start);
    match first.shape {
        Shape::Lower => None,
        Shape::Caseless => (cue == Some(Cue::Label)).then_some(Cause { cue }),
        _ if first.is_known() || first.shape == Shape::Initial => Some(Cause { cue }),
        _ if first.is_type(text) => None,
        // `Viale Cendron`, `Dear Customer`.
        Shape::Title if context::is_cue(text, first) => None,
        Shape::Title if first.is_unknown() => Some(Cause { cue }),
        _ => matches!(
            cue,
            Some(Cue::Title | Cue::Introduction | Cue::Label | Cue::Signature)
        )
        .then_some(Cause { cue }),
    }
}

/// The name that the words begin with.
pub(super) fn judge(text: &[u8], chain: &Chain, cause: Cause) -> Option<Named> {
    let tokens = chain.tokens();
    let first = tokens.first()?;
    if cause.cue == Some(Cue::Notice) || context::in_notice(text, first.start) {
        return None;
    }
    let after = cause.cue.and_then(|cue| after(text, chain, cue));
    let called_after = match cause.cue {
        Some(Cue::Namesake) => true,
        Some(Cue::Article) => tokens.len() > 1 && tokens.iter().take(2).any(|t| !t.is_strong()),
        _ => chain.thing || context::in_street(text, first.start),
    };
    let alone = alone(text, tokens).filter(|_| !called_after);
    match (after, alone) {
        (Some(after), Some(alone)) if alone.end > after.end => Some(Named {
            percent: alone.percent.max(after.percent),
            ..alone
        }),
        (Some(after), Some(alone)) => Some(Named {
            percent: alone.percent.max(after.percent),
            ..after
        }),
        (after, alone) => after.or(alone),
    }
}

/// A name that needs no words before it.
fn alone(text: &[u8], tokens: &[Token]) -> Option<Named> {
    let first = tokens.first()?;
    if first.shape == Shape::Initial {
        return initials(text, tokens);
    }
    if first.is_unknown() {
        return unknown_first(text, tokens);
    }
    if !first.is_given() {
        return family_first(tokens);
    }
    let mut count = 1;
    let mut strong = usize::from(first.is_strong());
    let mut middle = false;
    let (mut ending, mut unknown) = (false, false);
    for (index, token) in tokens.iter().enumerate().skip(1) {
        if matches!(token.shape, Shape::Initial | Shape::Lower) {
            middle = true;
            continue;
        }
        if token.shape != first.shape {
            break;
        }
        if token.is_known() {
            strong += usize::from(token.is_strong());
            count = index + 1;
        } else if has_ending(text, token) || (token.is_unknown() && (middle || count == 1)) {
            ending |= has_ending(text, token);
            unknown |= !has_ending(text, token);
            count = index + 1;
        } else {
            break;
        }
    }
    let last = tokens.get(count - 1)?;
    let upper = first.shape == Shape::Upper;
    let title_case = first.shape == Shape::Title && last.of(text).len() > 2;
    let percent: u8 = match (strong, ending) {
        _ if count < 2 => return None,
        (2.., _) => 85,
        (1, true) => 70,
        (1, false) if unknown && first.is_strong() && title_case => 62,
        (1, false) if first.is_strong() && last.is_family() => 72,
        (1, false) if last.is_family() => 65,
        _ => return None,
    };
    if upper && strong < 2 {
        return None;
    }
    Some(Named {
        end: last.end,
        percent: if upper { percent - 15 } else { percent },
        explanation: if ending || unknown {
            "known given name, and what may be a family name"
        } else {
            "known given and family name"
        },
    })
}

/// `J. Smith`, `J. R. R. Tolkien`.
fn initials(text: &[u8], tokens: &[Token]) -> Option<Named> {
    let count = tokens.iter().take_while(|t| t.shape == Shape::Initial).count();
    let (initials, rest) = tokens.split_at_checked(count)?;
    let family = rest.first()?;
    let dotted = initials.iter().all(|t| t.of(text).ends_with(b"."));
    let named =
        dotted && count <= 3 && family.shape == Shape::Title && family.is_family() && family.is_strong();
    named.then_some(Named {
        end: family.end,
        percent: 65,
        explanation: "initials and a known family name",
    })
}

/// `Kovács Péter`, `Иванов Иван Иванович`.
fn family_first(tokens: &[Token]) -> Option<Named> {
    let [family, given, rest @ ..] = tokens else {
        return None;
    };
    let named = family.is_strong()
        && given.is_strong()
        && given.is_given()
        && family.shape == Shape::Title
        && given.shape == Shape::Title;
    let last = rest
        .first()
        .filter(|t| t.shape == Shape::Title && t.is_known())
        .unwrap_or(given);
    named.then_some(Named {
        end: last.end,
        percent: if given.is_family() { 60 } else { 75 },
        explanation: "known family and given name",
    })
}

/// A name whose given one is not known: before a family name, and nothing else with a capital.
fn unknown_first(text: &[u8], tokens: &[Token]) -> Option<Named> {
    let [given, family] = tokens else {
        return None;
    };
    let known = family.is_strong() && family.is_family();
    let ending = family.is_unknown() && has_ending(text, family);
    let long = given.end - given.start >= MIN_UNKNOWN_BYTES && family.end - family.start >= MIN_UNKNOWN_BYTES;
    (long && family.shape == Shape::Title && (known || ending)).then_some(Named {
        end: family.end,
        percent: 55,
        explanation: "known family name after what may be a given name",
    })
}

fn has_ending(text: &[u8], token: &Token) -> bool {
    let word = token.of(text);
    token.shape == Shape::Title
        && ENDINGS
            .iter()
            .any(|ending| word.len() > ending.len() + 2 && word.ends_with(ending.as_bytes()))
}

/// A name by the words before it.
fn after(text: &[u8], chain: &Chain, cue: Cue) -> Option<Named> {
    let tokens = chain.tokens();
    let first = tokens.first()?;
    let known = tokens.iter().filter(|t| t.is_known()).count();
    let strong = tokens.iter().filter(|t| t.is_strong()).count();
    let to_end = tokens
        .iter()
        .rposition(|t| t.shape != Shape::Lower)
        .map_or(1, |at| at + 1);
    let whole = tokens.get(to_end - 1)?.end;
    let (count, percent, explanation) = match cue {
        Cue::Title => {
            let count = title_length(tokens);
            let named = first.shape != Shape::Initial || tokens.get(1).is_some_and(Token::is_known);
            let percent = if first.is_known() { 88 } else { 75 };
            (count, if named { percent } else { 0 }, "after a title")
        }
        Cue::Short => {
            let named = first.is_strong() && first.is_family() && !chain.thing;
            (
                known_length(tokens),
                if named { 70 } else { 0 },
                "known name after a title",
            )
        }
        Cue::Greeting => {
            let alone = tokens.len() == 1 && ends_phrase(text, first.end);
            let given = first.is_given() && (first.is_strong() || alone);
            (
                known_length(tokens),
                if given { 75 } else { 0 },
                "known name after a greeting",
            )
        }
        Cue::Introduction => {
            let percent = if known > 0 { 88 } else { 70 };
            (title_length(tokens), percent, "after words that introduce a name")
        }
        Cue::Hint | Cue::Spaced => {
            let percent = if first.is_given() && known >= 2 && strong >= 1 {
                75
            } else {
                0
            };
            (
                known_length(tokens),
                percent,
                "known names where a person is spoken of",
            )
        }
        Cue::Label => {
            let percent = match (ends_value(text, whole), known) {
                (true, 2..) => 92,
                (true, 1) => 85,
                (true, 0) if to_end <= 4 && !first.is_type(text) => 70,
                (false, 1..) => 70,
                _ => 0,
            };
            let count = if ends_value(text, whole) {
                to_end
            } else {
                known_length(tokens)
            };
            (count, percent, "after a label for a name")
        }
        Cue::Role => {
            let named = ends_value(text, whole) && strong >= 1;
            (to_end, if named { 80 } else { 0 }, "known name after a label")
        }
        Cue::Name => {
            let last = tokens.get(to_end - 1)?;
            let named = ends_value(text, whole) && to_end >= 2 && strong >= 1;
            let named = named && first.is_given() && last.is_family();
            (to_end, if named { 75 } else { 0 }, "known name after a label")
        }
        Cue::Signature => {
            let alone = ends_line(text, whole) && to_end <= 4 && first.shape != Shape::Upper;
            let percent = match (alone, known, to_end) {
                (true, 1.., _) => 80,
                (true, 0, 2..) => 65,
                _ => 0,
            };
            (to_end, percent, "signature")
        }
        Cue::Namesake | Cue::Article | Cue::Notice => return None,
    };
    let end = tokens.get(count.checked_sub(1)?)?.end;
    (percent > 0).then_some(Named {
        end,
        percent,
        explanation,
    })
}

/// How many of the words are a name when the first one is known to be: up to the last known one, and one more at most
/// when none is.
fn title_length(tokens: &[Token]) -> usize {
    let known = known_length(tokens);
    match tokens {
        [first, second, ..] if known <= 1 && !first.is_family() && second.shape == first.shape => 2,
        [first, _, ..] if first.shape == Shape::Initial => 2,
        _ => known.max(1),
    }
}

/// How many words the row of known names has, with what stands between them.
fn known_length(tokens: &[Token]) -> usize {
    let inner = |t: &&Token| t.is_known() || matches!(t.shape, Shape::Initial | Shape::Lower);
    let row = tokens.iter().take_while(inner).count();
    tokens
        .iter()
        .take(row)
        .rposition(|t| t.is_known() && t.shape != Shape::Lower)
        .map_or(0, |at| at + 1)
}

/// Whether a value ends here: a line, a cell, a string, a field.
fn ends_value(text: &[u8], at: usize) -> bool {
    match text.get(at..).unwrap_or_default() {
        []
        | [
            b'\n' | b'\r' | b'"' | b'\'' | b'<' | b',' | b';' | b'|' | b')' | b'\t' | b'}' | b']' | b'`'
            | b'\\',
            ..,
        ] => true,
        [b'.' | b' '] | [b'.', b' ' | b'\n', ..] | [b' ', b'|' | b'(' | b'<' | b'\n' | b'-', ..] => true,
        rest => {
            rest.starts_with("。".as_bytes())
                || rest.starts_with("、".as_bytes())
                || rest.starts_with("，".as_bytes())
        }
    }
}

fn ends_phrase(text: &[u8], at: usize) -> bool {
    matches!(
        text.get(at),
        None | Some(b',' | b'!' | b'.' | b'\n' | b':' | b';' | b'?')
    )
}

fn ends_line(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), None | Some(b'\n' | b'\r' | b','))
}
