//! Places where a text can be cut without changing its count.
//!
//! Both vocabularies first split a text into pieces by a pattern, then each piece into tokens. At these places a piece
//! ends whatever follows, and the text before splits the same alone as it does here:
//!
//! - before a space, after what is no white space: no pattern takes a space but in front;
//! - between an ASCII digit and another ASCII character: digits only go with digits. After white space it does not
//!   hold, because white space splits differently at the end of a text;
//! - between an ASCII letter and a tab, a newline or ASCII punctuation other than the apostrophe of a contraction;
//! - after a newline, before what is neither white space nor a slash, which o200k draws to a newline after punctuation;
//! - between a CJK character and CJK punctuation: that text has no spaces to cut at.

/// Whether a text may be cut between the characters `before` and `after`.
pub(super) fn cuts(before: char, after: char) -> bool {
    if before.is_ascii() && after.is_ascii() {
        return ascii_cuts(before as u8, after as u8);
    }
    match (before, after) {
        ('\n' | '\r', after) => !after.is_whitespace(),
        (before, ' ') => !before.is_whitespace(),
        (before, after) => cjk_letter(before) && cjk_punctuation(after),
    }
}

fn ascii_cuts(before: u8, after: u8) -> bool {
    let space = |b: u8| b.is_ascii_whitespace() || b == 0x0b;
    match (before, after) {
        (b'\n' | b'\r', after) => !space(after) && after != b'/',
        (before, _) if space(before) => false,
        (_, b' ') => true,
        (before, after) if before.is_ascii_digit() != after.is_ascii_digit() => true,
        (before, after) if before.is_ascii_alphabetic() => {
            matches!(after, b'\t' | b'\n' | b'\r') || (after.is_ascii_punctuation() && after != b'\'')
        }
        _ => false,
    }
}

fn cjk_letter(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

fn cjk_punctuation(c: char) -> bool {
    matches!(
        c,
        '\u{3001}' | '\u{3002}' | '\u{3008}'
            ..='\u{3011}'
                | '\u{ff01}'
                | '\u{ff08}'
                | '\u{ff09}'
                | '\u{ff0c}'
                | '\u{ff0e}'
                | '\u{ff1a}'
                | '\u{ff1b}'
                | '\u{ff1f}'
                | '\u{201c}'
                | '\u{201d}'
                | '\u{2026}'
    )
}
