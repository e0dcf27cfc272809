//! What the fold makes of each character, worked out once, when the crate is built.
//!
//! Read in this order; the first that knows the character decides: ignorable characters, hidden copies of ASCII, digits,
//! lookalikes, punctuation, combining marks, and for all others the compatibility form of Unicode Standard Annex 15
//! (NFKC), read once more by the same rules. Latin letters lose their diacritics.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What becomes of a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
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
    /// Other text stands for it.
    Text(String),
}

/// Longer forms are ornaments (U+FDFA, eighteen letters in one), and would let a text grow too much.
const MAX_TEXT_BYTES: usize = 18;

/// Default_Ignorable_Code_Point and the format characters that nobody sees, with the blank that no fold of spaces has:
/// Unicode 16, DerivedCoreProperties. Tags and selectors that carry ASCII are read before these.
const DROPPED: &[(u32, u32)] = &[
    (0x80, 0x84),
    (0x86, 0x9F),
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// The zeros of all decimal digits (general category Nd); nine digits follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066,
    0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730,
    0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50,
    0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1,
    0x1E950, 0x1FBF0,
];

/// Letters of other scripts that a reader takes for Latin ones. The letter, then what looks like it.
const LOOKALIKES: &[&str] = &[
    "AАΑᎪꓮⲀ",
    "BВΒᏴꓐⲂ",
    "CСϹᏟꓚⲤ",
    "DᎠꓓԀ",
    "EЕΕᎬꓰ",
    "FꓝϜ",
    "GԌᏀꓖᏳ",
    "HНΗᎻꓧⲎՀ",
    "IІΙӀꓲⲒ",
    "JЈᎫꓙͿ",
    "KКΚᏦꓗⲔ",
    "LᏞꓡԼ",
    "MМΜᎷꓟⲘϺ",
    "NΝꓠⲚ",
    "OОΟՕꓳⲞ",
    "PРΡᏢꓑⲢ",
    "QԚ",
    "RᎡᏒꓣ",
    "SЅՏᏚꓢ",
    "TТΤᎢꓔⲦ",
    "UՍꓴ",
    "VѴᏙꓦ",
    "WԜᎳᏔꓪ",
    "XХΧꓫⲬ",
    "YҮΥУᎩꓬⲨϒ",
    "ZΖᏃꓜ",
    "aаα",
    "cсϲⲥ",
    "dԁᏧꓒ",
    "eеҽ",
    "gցԍ",
    "hһհ",
    "iіιⲓ",
    "jјϳյ",
    "kκ",
    "lӏ",
    "nո",
    "oоοօⲟ",
    "pрρϱⲣ",
    "qԛզ",
    "sѕ",
    "tτ",
    "uυսʊ",
    "vνѵ",
    "wԝա",
    "xхχ",
    "yуүγ",
];

/// Letters that pass for Latin ones only among such.
const ROUGH: &[&str] = &[
    "bвβьƅЬ",
    "cς",
    "dδ",
    "eεєԑ",
    "fғք",
    "gɕ",
    "hн",
    "kкқ",
    "mм",
    "nпиηռ",
    "oσөθ",
    "rгя",
    "tт",
    "uцμ",
    "wшωѡ",
    "zз",
    "EΣЄ",
    "NИП",
    "RЯ",
    "WШѠ",
    "OΘФ",
    "AΛ",
    "UЦ",
];

/// Other forms of Latin letters, which are nothing else in any text: small capitals, strokes and hooks, turned letters,
/// enclosed ones that have no compatibility form.
const LATIN: &[&str] = &[
    "aᴀɑɐⱥꭤ",
    "bʙƀɓƃᵬ",
    "cᴄƈȼↄɔ",
    "dᴅđɗɖðƌᵭȡ",
    "eᴇɛǝɘɇəⱻ",
    "fꜰƒɟᵮ",
    "gɢɡɠǥᶃ",
    "hʜħɦɥⱨ",
    "iɪɨıᵻɩᴉ",
    "jᴊȷɉʝ",
    "kᴋƙʞⱪ",
    "lʟłƚɫɬɭⱡꝉ",
    "mᴍɱɯᵯ",
    "nɴɲɳŋƞᵰȵ",
    "oᴏøɵɷᴑ",
    "pᴘƥᵽᵱ",
    "qꞯɋʠ",
    "rʀɾɹɍɼɽʁᵲ",
    "sꜱʂȿᵴ",
    "tᴛŧƭʈʇⱦᵵȶ",
    "uᴜʉᵾ",
    "vᴠʋʌⱱ",
    "wᴡʍⱳ",
    "xꭓ",
    "yʏƴɏʎɣ",
    "zᴢƶȥʐʑɀⱬᵶ",
    "AȺ",
    "BɃƁƂ",
    "CƇȻ",
    "DĐƊƉÐƋ",
    "EƐƎƏɆ",
    "FƑ",
    "GƓǤ",
    "HĦⱧ",
    "IƗƖ",
    "JɈ",
    "KƘⱩ",
    "LŁȽⱢⱠꝈ",
    "MƜⱮ",
    "NŊƝȠ",
    "OØƟƆ",
    "PƤⱣ",
    "QɊ",
    "RɌⱤ",
    "SȘⱾ",
    "TŦƬƮȾ",
    "UɄ",
    "VƲɅ",
    "WⱲ",
    "YƳɎ",
    "ZƵȤⱫⱿ",
];

/// Letters of two.
const PAIRS: &[(char, &str)] = &[
    ('ß', "ss"),
    ('ẞ', "SS"),
    ('æ', "ae"),
    ('Æ', "AE"),
    ('œ', "oe"),
    ('Œ', "OE"),
    ('þ', "th"),
    ('Þ', "TH"),
    ('ǽ', "ae"),
    ('Ǽ', "AE"),
    ('ǣ', "ae"),
    ('Ǣ', "AE"),
    ('ǿ', "o"),
    ('Ǿ', "O"),
    ('ĸ', "k"),
    ('ᴁ', "ae"),
    ('ɶ', "oe"),
];

/// Punctuation that is written in more than one way. A dash as long as a pause is a space: it joins nothing.
const PUNCTUATION: &[&str] = &[
    "-‐‑‒–−֊⁃᠆᐀⸗⸚⹀﹘➖⏤˗",
    " —―⸺⸻︱",
    "\"“”„‟″〃❝❞״",
    "'‘’‚‛′ʹʻʼʽˈ❛❜՚׳ꞌ",
    "/⁄∕⧸╱",
    ":∶ː։׃꞉",
    "*∗⁎✱٭",
    "~∼˜",
    "!ǃ",
    "%٪",
    "|∣ǀ⏐",
    "\\∖⧵",
    "<‹",
    ">›",
    "+➕",
    ".․",
];

/// The ASCII character of a table's line that has `character`.
fn of(lines: &[&str], character: char) -> Option<u8> {
    lines.iter().find_map(|line| {
        let mut characters = line.chars();
        let ascii = characters.next()?;
        characters.any(|c| c == character).then_some(ascii as u8)
    })
}

/// The letter of the `n`th place in a row of twenty-six.
fn letter(first: u8, n: u32) -> Class {
    Class::Ascii(first + n as u8)
}

/// What becomes of `character`.
pub(crate) fn class(character: char) -> Class {
    let code = character as u32;
    match code {
        0..0x80 => return Class::Ascii(code as u8),
        // The tag block repeats ASCII, unseen.
        0xE0020..=0xE007E => return Class::Ascii((code - 0xE0000) as u8),
        // Selectors count from U+FE00 and go on at U+E0100: the byte of the same number, where text hides in them.
        0xE0110..=0xE016E => return Class::Ascii((code - 0xE0100 + 16) as u8),
        0x85 | 0x2028 | 0x2029 => return Class::Ascii(b'\n'),
        0x1680 => return Class::Ascii(b' '),
        0x249C..=0x24B5 => return letter(b'a', code - 0x249C),
        0x1F110..=0x1F129 => return letter(b'A', code - 0x1F110),
        0x1F150..=0x1F169 => return letter(b'A', code - 0x1F150),
        0x1F170..=0x1F189 => return letter(b'A', code - 0x1F170),
        // Pairs of these are flags.
        0x1F1E6..=0x1F1FF => return Class::Lookalike(b'A' + (code - 0x1F1E6) as u8),
        _ => {}
    }
    if DROPPED
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&code))
    {
        return Class::Dropped;
    }
    if let Some(zero) = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
        return Class::Ascii(b'0' + (code - zero) as u8);
    }
    if let Some((_, text)) = PAIRS.iter().find(|(pair, _)| *pair == character) {
        return Class::Text((*text).to_owned());
    }
    let single = of(LOOKALIKES, character).map(Class::Lookalike);
    let single = single.or_else(|| of(ROUGH, character).map(Class::Rough));
    let single = single.or_else(|| of(LATIN, character).map(Class::Ascii));
    let single = single.or_else(|| of(PUNCTUATION, character).map(Class::Ascii));
    if let Some(single) = single {
        return single;
    }
    if is_combining_mark(character) {
        return Class::Mark;
    }
    by_form(character)
}

fn by_form(character: char) -> Class {
    let stays = if character.is_alphabetic() {
        Class::Letter
    } else {
        Class::Other
    };
    // A letter with marks is as its base is, where that is Latin or looks so.
    let mut parts = [character].into_iter().nfkd();
    if let Some(base) = parts.next()
        && base != character
        && parts.all(is_combining_mark)
        && let one @ (Class::Ascii(_) | Class::Lookalike(_) | Class::Rough(_)) = class(base)
    {
        return one;
    }
    let form: String = [character].into_iter().nfkc().collect();
    if form.chars().eq([character]) || form.len() > MAX_TEXT_BYTES {
        return stays;
    }
    let mut text = String::new();
    for part in form.chars() {
        match class(part) {
            Class::Ascii(byte) => text.push(char::from(byte)),
            Class::Text(more) => text.push_str(&more),
            Class::Dropped => {}
            _ => text.push(part),
        }
    }
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Class::Dropped,
        (Some(one), None) if one == character => stays,
        (Some(one), None)
            if matches!(
                class(one),
                Class::Ascii(_) | Class::Lookalike(_) | Class::Rough(_)
            ) =>
        {
            class(one)
        }
        _ => Class::Text(text),
    }
}
