//! Words near a candidate that say what it is.
//!
//! A word is a run of letters, without regard to case: `phoneNumber`, `PHONE_NUMBER` and `Phone number` all contain the
//! word `phone`. The words before a candidate are read backwards, and the nearest one that any list knows decides, so
//! that `phone 555 0100, order 12345678` does not make a phone number of the order.

/// How far before a candidate a word may stand. Within what an engine may look at.
pub(super) const NEAR_BYTES: usize = 64;

const _: () = assert!(NEAR_BYTES < super::CONTEXT_BYTES);

/// A list of words in lower case, as the fold leaves them: Latin letters without marks. One that ends in
/// `*` is the beginning of a word: `telefon*` is also in `Telefonnummer`. One in a script without spaces between words is found anywhere in a run of letters.
pub(super) type Words = &'static [&'static str];

/// The index of the list in `lists` that the nearest word before `at` is in. Nothing beyond the end of the sentence
/// counts, except the sentence's own last word (`Tel. 0123`), nor beyond an empty line.
pub(super) fn nearest(text: &[u8], at: usize, lists: &[Words]) -> Option<usize> {
    let low = at.saturating_sub(NEAR_BYTES);
    let mut lower = [0_u8; NEAR_BYTES];
    let near = text.get(low..at)?;
    let lower = lower.get_mut(..near.len())?;
    to_lower(near, lower);
    let mut end = lower.len();
    loop {
        let gap_end = end;
        let first = end == lower.len();
        while end > 0 && !is_letter(lower.get(end - 1)) {
            end -= 1;
        }
        if end == 0 {
            return None;
        }
        let over = ends_sentence(lower.get(end..gap_end)?);
        if over && !first {
            return None;
        }
        let mut start = end;
        while start > 0 && is_letter(lower.get(start - 1)) {
            start -= 1;
        }
        // A word cut off by the reach of the context is none.
        if start == 0 && low > 0 && is_letter(text.get(low - 1)) {
            return None;
        }
        // The whole of `WhatsApp`, then the words that capitals tell apart, last first: `phoneNumber`.
        let known = |word: &[u8]| {
            let unspaced = word.iter().any(|byte| *byte >= UNSPACED);
            let matches = |known: &&str| matches(known.as_bytes(), word, unspaced);
            lists.iter().position(|list| list.iter().any(matches))
        };
        let found = known(lower.get(start..end)?).or_else(|| {
            let mut last = end;
            (start + 1..end)
                .rev()
                .filter(|at| hump(near, *at))
                .chain([start])
                .find_map(|at| {
                    let word = lower.get(at..last)?;
                    last = at;
                    known(word)
                })
        });
        if found.is_some() || over {
            return found;
        }
        end = start;
    }
}

/// Whether the nearest known word is one of `words`.
pub(super) fn follows(text: &[u8], at: usize, words: Words) -> bool {
    nearest(text, at, &[words]).is_some()
}

fn is_letter(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphabetic() || *b >= 0x80)
}

/// Whether a new word starts at `at` by a capital after a small letter: `phoneNumber`.
fn hump(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_uppercase)
        && at > 0
        && text.get(at - 1).is_some_and(u8::is_ascii_lowercase)
}

/// Lower case of ASCII, of the Latin letters of two bytes up to U+00DE and of Cyrillic, byte for byte.
fn to_lower(from: &[u8], to: &mut [u8]) {
    let mut before = 0;
    for (index, (to, byte)) in to.iter_mut().zip(from).enumerate() {
        *to = match (before, *byte) {
            (0xC3, 0x80..=0x9E) if *byte != 0x97 => byte + 0x20,
            (0xD0, 0x90..=0x9F) => byte + 0x20,
            _ => byte.to_ascii_lowercase(),
        };
        // U+0420..U+042F are D0 A0..AF, and small D1 80..8F.
        if *byte == 0xD0
            && from
                .get(index + 1)
                .is_some_and(|next| (0xA0..=0xAF).contains(next))
        {
            *to = 0xD1;
        }
        if before == 0xD0 && (0xA0..=0xAF).contains(byte) {
            *to = byte - 0x20;
        }
        before = *byte;
    }
}

/// First byte of the scripts that put no space between words, from U+3000 on: kana, Han, Hangul.
const UNSPACED: u8 = 0xE3;

/// `unspaced`: the word has letters of such a script.
fn matches(known: &[u8], word: &[u8], unspaced: bool) -> bool {
    let Some(first) = known.first() else {
        return false;
    };
    if *first >= UNSPACED {
        return unspaced && word.windows(known.len()).any(|part| part == known);
    }
    // Nearly every word ends here.
    if word.first() != Some(first) {
        return false;
    }
    match known {
        [stem @ .., b'*'] => word.starts_with(stem),
        _ => known == word,
    }
}

fn ends_sentence(gap: &[u8]) -> bool {
    gap.windows(2)
        .any(|pair| matches!(pair, [b'.' | b'!' | b'?' | b';', b' ' | b'\n'] | [b'\n', b'\n']))
}

/// Fails for a word that no folded text contains.
#[cfg(test)]
#[track_caller]
pub(super) fn assert_folded(lists: &[Words]) {
    for word in lists.iter().copied().flatten() {
        // After text in a script of its own, a word of lookalikes is in that script.
        let text = format!("жж {word}");
        assert_eq!(crate::Folded::of(&text).text(), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Words = &["phone", "tel", "telefon*", "telephone", "телефон", "电话"];
    const OTHER: Words = &["order"];

    fn read(text: &str) -> Option<usize> {
        nearest(text.as_bytes(), text.len(), &[PHONE, OTHER])
    }

    #[test]
    fn words_in_any_case_and_joint() {
        for text in [
            "Phone: ",
            "PHONE=",
            "my phone number is ",
            "phoneNumber: ",
            "phone_number\":\"",
            "Tel. ",
            "Telefonnummer ",
            "TELEPHONE : ",
            "Телефон: ",
            "ТЕЛЕФОН ",
            "我的电话是",
            "tel:",
        ] {
            assert_eq!(read(text), Some(0), "{text}");
        }
        for text in [
            "phones ",
            "hotel ",
            "",
            "x",
            "микротелефон ",
            "No phone. It was ",
            "phone\n\nand then ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_decides() {
        assert_eq!(read("phone 1, order "), Some(1));
        assert_eq!(read("order 1, phone "), Some(0));
    }

    #[test]
    fn only_whole_words_within_reach() {
        let far = |n: usize| format!("phone{}", " ".repeat(n));
        assert_eq!(read(&far(NEAR_BYTES - 5)), Some(0));
        assert_eq!(read(&far(NEAR_BYTES - 4)), None);
        assert_eq!(read(&format!("micro{}", far(NEAR_BYTES - 5))), None);
    }
}
