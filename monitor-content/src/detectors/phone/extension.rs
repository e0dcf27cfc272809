//! The extension after a phone number: `x123`, `ext. 123`, `#123`.

/// What follows a number.
pub(super) enum Extension {
    /// No extension.
    None,
    /// An extension that ends here.
    End(usize),
    /// The text ends in what may be the beginning of one; up to here it is one already.
    Partial(usize),
}

const MARKS: &[&[u8]] = &[b"extension", b"ext.", b"ext", b"x.", b"x", b"#"];
const MAX_DIGITS: usize = 6;

/// Reads what stands at `end`, the end of the number's last group. It looks at fewer than 24 bytes.
pub(super) fn read(text: &[u8], end: usize) -> Extension {
    let mut at = end;
    if text.get(at) == Some(&b',') {
        at += 1;
    }
    if text.get(at) == Some(&b' ') {
        at += 1;
    }
    let rest = text.get(at..).unwrap_or_default();
    let begins = |mark: &&&[u8]| {
        let n = mark.len().min(rest.len());
        rest.get(..n)
            .is_some_and(|r| mark.get(..n).is_some_and(|m| r.eq_ignore_ascii_case(m)))
    };
    let Some(mark) = MARKS.iter().find(begins) else {
        return Extension::None;
    };
    if rest.len() < mark.len() {
        return Extension::Partial(end);
    }
    at += mark.len();
    if text.get(at) == Some(&b' ') {
        at += 1;
    }
    let digits = text
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(MAX_DIGITS + 1)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let stop = at + digits;
    match (digits, text.get(stop)) {
        (0, None) => Extension::Partial(end),
        (1..=MAX_DIGITS, None) => Extension::Partial(stop),
        (1..=MAX_DIGITS, Some(after)) if !after.is_ascii_alphanumeric() => Extension::End(stop),
        _ => Extension::None,
    }
}
