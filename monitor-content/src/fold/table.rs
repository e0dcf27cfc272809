//! What becomes of each character, as `build/characters.rs` worked it out.

include!(concat!(env!("OUT_DIR"), "/characters.rs"));

/// What becomes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It stays, and ends a word.
    Other,
    /// It stays, and is a letter of a script of its own.
    Letter,
    /// It goes.
    Dropped,
    /// It goes after ASCII and stays elsewhere.
    Mark,
    /// One ASCII character stands for it, always.
    Ascii(u8),
    /// It looks like this ASCII letter and has its own place in words of another script.
    Lookalike(u8),
    /// The same, but so rough that it also tells of a word in its own script.
    Rough(u8),
    /// Other text stands for it, at most six times its bytes.
    Text(&'static str),
}

/// The class of a character outside ASCII.
#[inline]
pub(super) fn class(character: char) -> Class {
    let code = character as usize;
    let block = INDEX.get(code >> 6).copied().unwrap_or_default();
    let entry = BLOCKS
        .get(usize::from(block) << 6 | (code & 63))
        .copied()
        .unwrap_or_default();
    let byte = entry.to_le_bytes()[0];
    match entry >> 8 {
        0 => match entry {
            0 => Class::Other,
            1 => Class::Letter,
            2 => Class::Dropped,
            _ => Class::Mark,
        },
        1 => Class::Ascii(byte),
        2 => Class::Lookalike(byte),
        3 => Class::Rough(byte),
        _ => Class::Text(text(usize::from(entry & 0x7FFF))),
    }
}

fn text(at: usize) -> &'static str {
    let start = STARTS.get(at).copied().map_or(0, usize::from);
    let end = STARTS.get(at + 1).copied().map_or(0, usize::from);
    TEXTS.get(start..end).unwrap_or_default()
}
