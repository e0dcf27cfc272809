//! The language that a text is written in, by the trigrams and scripts that `whatlang` knows.
//!
//! It is told only where it is certain: short texts, code, lists of names and neighbouring languages are not told apart, and no
//! language is better than a wrong one.

use whatlang::{Lang, detect};

/// Bytes of a text that are looked at: a paragraph or two are enough, and the cost does not grow with the text.
const LOOK_BYTES: usize = 2_048;
/// Letters below which no language is told.
const MIN_LETTERS: usize = 40;

/// Languages that are told apart, by their ISO 639-1 codes.
pub const LANGUAGES: [&str; 70] = [
    "af", "ak", "am", "ar", "az", "be", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es",
    "et", "fa", "fi", "fr", "gu", "he", "hi", "hr", "hu", "hy", "id", "it", "ja", "jv", "ka", "km", "kn",
    "ko", "la", "lt", "lv", "mk", "ml", "mr", "my", "nb", "ne", "nl", "or", "pa", "pl", "pt", "ro", "ru",
    "si", "sk", "sl", "sn", "sr", "sv", "ta", "te", "th", "tk", "tl", "tr", "uk", "ur", "uz", "vi", "yi",
    "zh", "zu",
];

/// The language of a text, by its ISO 639-1 code; `None` where it is too short or not certain.
#[must_use]
pub fn language(text: &str) -> Option<&'static str> {
    let looked_at = text.get(..text.floor_char_boundary(LOOK_BYTES)).unwrap_or(text);
    if looked_at.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS {
        return None;
    }
    let info = detect(looked_at)?;
    info.is_reliable().then(|| code(info.lang()))
}

/// The ISO 639-1 code of a language that `whatlang` knows by its ISO 639-3 code.
fn code(language: Lang) -> &'static str {
    use Lang::{
        Afr, Aka, Amh, Ara, Aze, Bel, Ben, Bul, Cat, Ces, Cmn, Cym, Dan, Deu, Ell, Eng, Epo, Est, Fin, Fra,
        Guj, Heb, Hin, Hrv, Hun, Hye, Ind, Ita, Jav, Jpn, Kan, Kat, Khm, Kor, Lat, Lav, Lit, Mal, Mar, Mkd,
        Mya, Nep, Nld, Nob, Ori, Pan, Pes, Pol, Por, Ron, Rus, Sin, Slk, Slv, Sna, Spa, Srp, Swe, Tam, Tel,
        Tgl, Tha, Tuk, Tur, Ukr, Urd, Uzb, Vie, Yid, Zul,
    };
    match language {
        Afr => "af",
        Aka => "ak",
        Amh => "am",
        Ara => "ar",
        Aze => "az",
        Bel => "be",
        Ben => "bn",
        Bul => "bg",
        Cat => "ca",
        Ces => "cs",
        Cmn => "zh",
        Cym => "cy",
        Dan => "da",
        Deu => "de",
        Ell => "el",
        Eng => "en",
        Epo => "eo",
        Est => "et",
        Fin => "fi",
        Fra => "fr",
        Guj => "gu",
        Heb => "he",
        Hin => "hi",
        Hrv => "hr",
        Hun => "hu",
        Hye => "hy",
        Ind => "id",
        Ita => "it",
        Jav => "jv",
        Jpn => "ja",
        Kan => "kn",
        Kat => "ka",
        Khm => "km",
        Kor => "ko",
        Lat => "la",
        Lav => "lv",
        Lit => "lt",
        Mal => "ml",
        Mar => "mr",
        Mkd => "mk",
        Mya => "my",
        Nep => "ne",
        Nld => "nl",
        Nob => "nb",
        Ori => "or",
        Pan => "pa",
        Pes => "fa",
        Pol => "pl",
        Por => "pt",
        Ron => "ro",
        Rus => "ru",
        Sin => "si",
        Slk => "sk",
        Slv => "sl",
        Sna => "sn",
        Spa => "es",
        Srp => "sr",
        Swe => "sv",
        Tam => "ta",
        Tel => "te",
        Tgl => "tl",
        Tha => "th",
        Tuk => "tk",
        Tur => "tr",
        Ukr => "uk",
        Urd => "ur",
        Uzb => "uz",
        Vie => "vi",
        Yid => "yi",
        Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_of_a_sentence_or_two() {
        for (text, language_code) in [
            (
                "Please summarise the following report and list the three most important findings for the board.",
                "en",
            ),
            (
                "Bitte fasse den folgenden Bericht zusammen und nenne die drei wichtigsten Ergebnisse für den Vorstand.",
                "de",
            ),
            (
                "Пожалуйста, составьте краткое изложение следующего отчёта и назовите три самых важных вывода. Объясните также, почему эти выводы имеют значение для руководства компании, и предложите, какие шаги следует предпринять в ближайшие месяцы.",
                "ru",
            ),
            (
                "请总结以下报告，并列出董事会需要了解的三个最重要的发现。报告涉及公司去年的财务状况、市场份额以及未来的发展计划。",
                "zh",
            ),
            (
                "次の報告書を要約し、取締役会にとって最も重要な三つの点を挙げてください。去年の財務状況についても説明をお願いします。",
                "ja",
            ),
        ] {
            assert_eq!(language(text), Some(language_code), "{text}");
        }
    }

    #[test]
    fn what_is_not_certain_has_no_language() {
        for text in ["", "Bonjour!", "1 2 3 4 5 6 7 8 9", "x = y + z; return 0;"] {
            assert_eq!(language(text), None, "{text}");
        }
    }

    #[test]
    fn codes_are_those_that_are_listed() {
        let told: Vec<_> = Lang::all().iter().map(|language| code(*language)).collect();
        assert_eq!(told.len(), LANGUAGES.len());
        assert!(told.iter().all(|code| LANGUAGES.contains(code)));
        assert!(LANGUAGES.is_sorted());
    }
}
