//! Names of the months.

/// Beginnings of the months' names in English, German, French, Spanish, Italian, Portuguese, Dutch, the Scandinavian
/// languages, Polish and Russian, in small letters. The rest of a name is any letters.
#[rustfmt::skip]
const STEMS: &[&str] = &[
    "jan", "ene", "gen", "styc", "feb", "fev", "lut", "mar", "maa", "mrt", "apr", "avr", "abr", "kwi", "may", "mai", "mei", "maj", "mag", "jun",
    "juin", "giu", "cze", "jul", "juil", "lug", "lip", "aug", "aout", "aou", "ago", "sie", "sep", "set", "wrz", "oct", "okt", "out", "ott", "paz", "nov", "lis", "dec", "dez",
    "dic", "gru", "янв", "фев", "мар", "апр", "мая", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек",
];
/// The longest name: `septiembre` has ten letters, `сентября` sixteen bytes.
pub(super) const MAX_BYTES: usize = 16;

/// Whether `word` is a month's name or an abbreviation of one.
pub(super) fn is_month(word: &[u8]) -> bool {
    STEMS.iter().any(|stem| starts(word, stem.as_bytes()))
}

fn starts(word: &[u8], stem: &[u8]) -> bool {
    word.get(..stem.len())
        .is_some_and(|w| w.eq_ignore_ascii_case(stem))
}

/// Where a month's name, or the beginning of one, before `at` starts; `at` when there is none.
pub(super) fn lead(text: &[u8], at: usize) -> usize {
    word(text, at).map_or(at, |(start, end)| {
        let word = text.get(start..end).unwrap_or_default();
        let begins = |stem: &&str| {
            let length = word.len().min(stem.len());
            word.get(..length).is_some_and(|w| {
                stem.as_bytes()
                    .get(..length)
                    .is_some_and(|s| s.eq_ignore_ascii_case(w))
            })
        };
        if STEMS.iter().any(begins) { start } else { at }
    })
}

/// Start and end of the month's name that a space parts from `at`.
pub(super) fn before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (start, end) = word(text, at)?;
    (end < at && is_month(text.get(start..end)?)).then_some((start, end))
}

/// The word before `at`, with at most a dot and a space in between.
fn word(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut end = at;
    for between in [b' ', b'.'] {
        if end > 0 && text.get(end - 1) == Some(&between) {
            end -= 1;
        }
    }
    let low = end.saturating_sub(MAX_BYTES + 1);
    let letters = text
        .get(low..end)?
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80)
        .count();
    (1..=MAX_BYTES).contains(&letters).then_some((end - letters, end))
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_those_of_folded_text() {
        crate::detectors::context::assert_folded(&[super::STEMS]);
    }
}
