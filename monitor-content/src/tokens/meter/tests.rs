use proptest::prelude::*;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use super::*;
use crate::{Certainty, Vocabulary, Weights};

fn encoding(vocabulary: Vocabulary) -> Encoding {
    Encoding {
        vocabulary,
        certainty: Certainty::Exact,
        weights: Weights::flat(1000),
    }
}

fn oracle(vocabulary: Vocabulary) -> &'static CoreBPE {
    match vocabulary {
        Vocabulary::O200kBase => o200k_base_singleton(),
        Vocabulary::Cl100kBase => cl100k_base_singleton(),
    }
}

const BOTH: [Vocabulary; 2] = [Vocabulary::O200kBase, Vocabulary::Cl100kBase];

#[track_caller]
fn agrees<'a>(pieces: impl IntoIterator<Item = &'a str>, vocabulary: Vocabulary) {
    let mut meter = Meter::new(encoding(vocabulary));
    let mut text = String::new();
    for piece in pieces {
        text.push_str(piece);
        let expected = oracle(vocabulary).encode_ordinary(&text).len() as u64;
        assert_eq!(vocabulary.count(&text), expected, "whole {text:?}");
        assert_eq!(
            meter.push(piece),
            expected,
            "{vocabulary:?} after {piece:?} in {text:?}"
        );
        assert_eq!(meter.total(), expected);
    }
}

const SAMPLES: &[&str] = &[
    "Hello, world! It's 2024 and we'll have 12345678 things to do, don't we? I'M SURE HE'D'VE gone.",
    "fn main() {\n    let x: u64 = 0x1F_FF;\n\tprintln!(\"{x:?}\");\r\n}\r\n\r\n// done  \n   \n\n\tend   ",
    "{\"id\": 17, \"url\": \"https://x.example/a/b?c=d&e=%20\", \"tags\": [\"a\",\"b\"], \"n\": -1.5e-3}",
    "你好,世界。今天天气很好!「引用」、テスト。 한국어 문장입니다. ภาษาไทยไม่มีช่องว่าง Ελληνικά Привет, мир! עברית العربية ٣٤٥",
    "😀👩‍👩‍👧‍👦🏳️‍🌈 ok 👍🏽\u{3000}full-width ABC ½ Ⅷ ² é e\u{301} ǅ ʰ",
    "a  b   c\td \t e\n\n f\r\n g \r\n\r\n  \u{a0}\u{2009}h\u{85}i\u{2028}j",
    "<|endoftext|> <|im_start|>user<|im_end|> is text",
    "path/to/file.rs:12:5 ../../x// /// \n/// \n//\n/ snake_case camelCaseWord HTTPServer XMLHttp 中ABc中B'S",
    "---------- ========== | a | b |\n|---|---|\n**bold** `code` ~~~ !!! ??? ... '' '' 's 't",
];

#[test]
fn every_split_of_the_samples() {
    for text in SAMPLES {
        for vocabulary in BOTH {
            for (cut, _) in text.char_indices() {
                agrees([&text[..cut], &text[cut..]], vocabulary);
            }
            agrees(
                text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]),
                vocabulary,
            );
        }
    }
}

fn fragment() -> impl Strategy<Value = String> {
    let pieces = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{3000}",
        "\u{a0}",
        "'s",
        "'",
        "'LL",
        "/",
        "//",
        "a",
        "B",
        "Word",
        "word",
        "12",
        "3",
        "½",
        "٣",
        "²",
        ".",
        ",",
        "-",
        "_",
        "(",
        "。",
        ",",
        "中",
        "文字",
        "カ",
        "ー",
        "한",
        "é",
        "\u{301}",
        "😀",
        "\u{200d}",
        "ǅ",
        "ʰ",
        "Ⓐ",
        "Ⅷ",
        "<|endoftext|>",
        "{\"",
        "\":",
        "the",
        " the",
        "\u{b}",
        "\u{c}",
        "\0",
        "\u{85}",
    ];
    prop_oneof![
        10 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(SAMPLES.to_vec()).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9 ,.']{1,20}",
        1 => "\\PC{1,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 20_000 }))]

    #[test]
    fn the_total_is_exact_at_every_moment(pieces in prop::collection::vec(fragment(), 1..30)) {
        for vocabulary in BOTH {
            agrees(pieces.iter().map(String::as_str), vocabulary);
        }
    }
}

const WALL_BYTES: usize = if cfg!(debug_assertions) { 6_000 } else { 40_000 };

/// Texts without a place to cut; tiktoken-rs would overflow its stack on longer ones, bpe-openai does not.
fn walls() -> Vec<String> {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    };
    let random: String = (0..WALL_BYTES).map(|_| letter()).collect();
    let units = [
        "a",
        "A",
        " ",
        "\t",
        "\n",
        "\r\n",
        "-",
        "=",
        "*",
        "#",
        "/",
        "ab",
        "ha",
        "aB",
        "中",
        "字文",
        "中B",
        "😀",
        "👩‍👩‍👧‍👦",
        "é",
        "'",
        "!?",
        "\u{a0}",
        "\u{3000}",
        " \t",
        "การ",
        "the",
        "x'",
        "\0",
        "ʰ",
    ];
    units
        .iter()
        .map(|unit| unit.repeat(WALL_BYTES / unit.len()))
        .chain([random])
        .collect()
}

fn reference(vocabulary: Vocabulary) -> &'static bpe_openai::Tokenizer {
    match vocabulary {
        Vocabulary::O200kBase => bpe_openai::o200k_base(),
        Vocabulary::Cl100kBase => bpe_openai::cl100k_base(),
    }
}

#[test]
fn walls_of_text_are_counted_exactly() {
    for wall in walls() {
        for vocabulary in BOTH {
            for end in ["", "x", " end", "\nend"] {
                let text = format!("{wall}{end}");
                let count = vocabulary.count(&text);
                assert_eq!(
                    count,
                    reference(vocabulary).count(&text) as u64,
                    "{vocabulary:?} {:?}",
                    &text[..8]
                );
            }
        }
    }
}

#[test]
fn walls_of_text_are_metered_exactly() {
    for wall in walls() {
        let part = &wall[..wall.floor_char_boundary(WALL_BYTES / 8)];
        for vocabulary in BOTH {
            let mut meter = Meter::new(encoding(vocabulary));
            for (at, c) in part.char_indices() {
                let text = &part[..at + c.len_utf8()];
                let total = meter.push(&text[at..]);
                if at % 97 < 3 {
                    assert_eq!(
                        total,
                        reference(vocabulary).count(text) as u64,
                        "{vocabulary:?} {:?} {at}",
                        &text[..c.len_utf8()]
                    );
                }
                assert!(meter.tail.len() <= MAX_TAIL_BYTES);
            }
            let mut whole = Meter::new(encoding(vocabulary));
            assert_eq!(
                whole.push(&wall),
                reference(vocabulary).count(&wall) as u64,
                "{vocabulary:?} {:?}",
                &wall[..8]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 5_000 }))]

    /// Texts put together from tokens, most of them rare.
    #[test]
    fn any_tokens_are_counted_exactly(ranks in prop::collection::vec(any::<prop::sample::Index>(), 1..200)) {
        for vocabulary in BOTH {
            let bpe = &reference(vocabulary).bpe;
            let text: String = ranks
                .iter()
                .filter_map(|rank| std::str::from_utf8(bpe.token_bytes(rank.index(bpe.num_tokens()) as u32)).ok())
                .collect();
            let expected = reference(vocabulary).count(&text) as u64;
            prop_assert_eq!(vocabulary.count(&text), expected);
            let mut meter = Meter::new(encoding(vocabulary));
            for piece in text.split_inclusive(|c: char| c.is_alphabetic()) {
                meter.push(piece);
            }
            prop_assert_eq!(meter.total(), expected);
        }
    }
}
