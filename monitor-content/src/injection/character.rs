//! What the model makes of a character.

/// How a character takes part in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space, controls and what nobody sees.
    Space,
    /// Punctuation and symbols.
    Other,
    /// Letters and digits.
    Word,
    /// Letters of scripts without spaces between words: each is a word by itself.
    Alone,
}

/// A character's number in n-grams, and its kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Character {
    pub(super) code: u32,
    pub(super) kind: Kind,
}

pub(super) const SPREAD: u32 = 0x9E37_79B1;

/// What stands for any white space, and for what is before a text.
pub(super) const SPACE: Character = of(0x20);

static ASCII: [Character; 128] = {
    let mut table = [SPACE; 128];
    let mut c = 0;
    while c < 128 {
        table[c as usize] = of(c);
        c += 1;
    }
    table
};

/// The character of an ASCII byte.
pub(super) fn ascii(byte: u8) -> Character {
    ASCII[usize::from(byte & 0x7F)]
}

/// The character of a code point.
pub(super) const fn of(c: u32) -> Character {
    let kind = kind(c);
    let read = match (kind, c) {
        (Kind::Space, _) => 0x20,
        (_, 0x30..=0x39) => 0x30,
        _ => lower(c),
    };
    let v = read.wrapping_mul(SPREAD);
    Character {
        code: v ^ (v >> 15),
        kind,
    }
}

/// Simple lower case of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic.
const fn lower(c: u32) -> u32 {
    match c {
        0xD7 => c,
        0x41..=0x5A | 0xC0..=0xDE | 0x391..=0x3A9 | 0x410..=0x42F => c + 32,
        0x400..=0x40F => c + 80,
        0x100..=0x137 | 0x14A..=0x177 | 0x460..=0x481 | 0x490..=0x4BF => c | 1,
        0x139..=0x148 | 0x179..=0x17E => c + (c & 1),
        _ => c,
    }
}

const fn kind(c: u32) -> Kind {
    match c {
        0..=0x20 | 0x7F..=0xA0 | 0x1680 | 0x3000 | 0xFEFF => Kind::Space,
        0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x2064 => Kind::Space,
        0x30..=0x39 | 0x41..=0x5A | 0x61..=0x7A => Kind::Word,
        0..=0xBF | 0xD7 | 0xF7 | 0x2000..=0x2BFF | 0x3000..=0x303F => Kind::Other,
        0xE00..=0xEFF | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF => Kind::Alone,
        0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF => Kind::Alone,
        0xFE00..=0xFE6F | 0xFF00..=0xFF0F | 0xE000..=0xF8FF | 0x1_F000.. => Kind::Other,
        _ => Kind::Word,
    }
}
