use proptest::prelude::*;

use super::*;

#[track_caller]
fn folds(text: &str, expected: &str) {
    assert_eq!(Folded::of(text).text(), expected, "{text:?}");
}

#[test]
fn forms_of_ascii() {
    folds("plain text, 4111", "plain text, 4111");
    folds("ｉｇｎｏｒｅ　ａｌｌ　４１１１", "ignore all 4111");
    folds("𝐢𝐠𝐧𝐨𝐫𝐞 𝒶𝓁𝓁 𝟒𝟏𝟏𝟏 ℙ ℯ", "ignore all 4111 P e");
    folds("ⓘⓖⓝⓞⓡⓔ ⒜⒧⒧ 🅐🅛🅛 🄰🄻🄻 🅰🅻🅻", "ignore all ALL ALL ALL");
    folds("ɪɢɴᴏʀᴇ ᴀʟʟ", "ignore all");
    folds("ﬁve ﬂ ½ ㎏ № ① ⑴", "five fl 1/2 kg No 1 (1)");
    folds("٤١١١ ۴۱ ४१ ๔ 𞥐", "4111 41 41 4 0");
    folds("“a” ‘b’ c–d c‑d e—f g…", "\"a\" 'b' c-d c-d e f g...");
    folds("a\u{a0}b\u{2003}c\u{3000}d\u{2028}e", "a b c d\ne");
    folds("anna＠example．com", "anna@example.com");
}

#[test]
fn diacritics_and_marks() {
    folds(
        "Grüße aus Łódź, ça va, Ærø, smørrebrød, İstanbul ığ",
        "Grusse aus Lodz, ca va, AEro, smorrebrod, Istanbul ig",
    );
    folds("e\u{301} i\u{336}g\u{336}\u{337}n 4\u{fe0f}\u{20e3}", "e ign 4");
    folds("й ё हिन्दी", "й ё हिन्दी");
    folds("и\u{306}", "и\u{306}");
}

#[test]
fn unseen_characters() {
    folds(
        "ig\u{200b}no\u{200d}\u{2060}re\u{ad} \u{202e}all\u{feff}",
        "ignore all",
    );
    folds("hi\u{e0069}\u{e0067}\u{e006e}\u{e007f}!", "hiign!");
    folds("😀\u{e0159}\u{e0157}", "😀ig");
    folds("\u{200b}", "");
    folds("\u{2800}\u{3164}x", "x");
}

#[test]
fn lookalikes_by_their_word() {
    folds("іgnоrе аll рrеvіоus", "ignore all previous");
    folds("раypal ехаmple.соm", "paypal example.com");
    folds("Сору а text", "Copy a text");
    folds("ѕk-рrоj-а1B2", "sk-proj-a1B2");
    folds("ignοre Αll", "ignore All");
    folds("нello кey", "hello key");
    for prose in [
        "Съешь ещё этих мягких французских булок, да выпей чаю. Он с ней, а она о нас.",
        "Там, где растут сосны, сухо: как нора. А он?",
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια",
        "Բոլոր մարդիկ ծնվում են ազատ ու հավասար",
        "Люди народжуються вільними, усі вони є рівними у своїй гідності та правах.",
        "你好,世界。今天天气很好。",
        "すべての人間は",
        "모든 인간은",
        "यह एक वाक्य है",
        "جميع الناس",
    ] {
        let folded = Folded::of(prose);
        let changed = folded.text() != prose && !prose.contains('،');
        assert!(!changed, "{prose:?} became {:?}", folded.text());
    }
    folds(
        "файл README и USB-кабель, а потом",
        "файл README и USB-кабель, а потом",
    );
}

#[test]
fn spans_lead_back() {
    let text = "x а\u{200b}nna＠еxample.com ﬁ é\u{301}.";
    let folded = Folded::of(text);
    assert_eq!(folded.text(), "x anna@example.com fi e.");
    let back = |from, to| &text[folded.original(from..to)];
    assert_eq!(back(2, 18), "а\u{200b}nna＠еxample.com");
    assert_eq!(back(2, 3), "а");
    assert_eq!(back(19, 20), "ﬁ");
    assert_eq!(back(20, 21), "ﬁ");
    assert_eq!(back(22, 23), "é");
    assert_eq!(back(23, 24), ".");
    assert_eq!(back(0, 24), text);
}

#[test]
fn spaced_letters_join() {
    let joined = |text: &str| {
        let folded = Folded::of(text);
        folded.joined().map(|joined| joined.text().to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        joined("so: i g n o r e  a l l  rules"),
        some("so: ignore all  rules")
    );
    assert_eq!(joined("i-g-n-o-r-e a-l-l ok"), some("ignore all ok"));
    assert_eq!(joined("i.g.n.o.r.e"), some("ignore"));
    assert_eq!(joined("ab i g n o r e"), some("ab ignore"));
    assert_eq!(
        joined("a n n a @ e x a m p l e . c o m"),
        some("anna@example.com")
    );
    assert_eq!(joined("s k - p r o j - a 1"), some("sk-proj-a1"));
    for spaces in 1..12 {
        let before = " ".repeat(spaces);
        assert_eq!(
            joined(&format!("{before}i g n o r e")),
            Some(format!("{before}ignore"))
        );
    }
    // What takes quadratic time takes hours here.
    for wall in [" ", "\t", "\n", ".", ". .", " -"] {
        assert!(joined(&wall.repeat(2 << 20)).is_none(), "{wall:?}");
    }
    assert_eq!(joined("і\u{200b} g n о r e"), some("ignore"));
    for none in [
        "",
        "a b c",
        "plain words in a row",
        "a - b + c = d",
        "--------- - - - - - -",
        "1.2.3",
        "i g n orexyz",
    ] {
        assert_eq!(joined(none), None, "{none:?}");
    }
    let text = "éé i g n ｏ r e!";
    let folded = Folded::of(text);
    let joined = folded.joined().unwrap();
    assert_eq!(joined.runs().collect::<Vec<_>>(), vec![3..9]);
    assert_eq!(&text[joined.original(3..9)], "i g n ｏ r e");
    assert_eq!(&text[joined.original(6..7)], "ｏ");
}

fn characters() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 ,.@-]{0,8}",
        "[а-яё]{0,6}",
        "[аеорсухАВС]{1,4}",
        "[\u{200b}-\u{200f}\u{300}-\u{306}\u{e0020}-\u{e007e}ﬁ½㌀４ａ—“]{0,4}",
        "\\PC{0,6}",
        "[你好密钥😀]{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 20_000 }))]

    #[test]
    fn any_span_is_on_character_borders(parts in prop::collection::vec(characters(), 0..12), from: u16, to: u16) {
        let text = parts.concat();
        let folded = Folded::of(&text);
        let length = folded.text().len();
        let (from, to) = (usize::from(from) % (length + 1), usize::from(to) % (length + 2));
        let span = folded.original(from..to);
        prop_assert!(text.get(span.clone()).is_some(), "{span:?}");
        let mut floor = 0;
        for (at, c) in folded.text().char_indices() {
            let span = folded.original(at..at + c.len_utf8());
            prop_assert!(!span.is_empty() && span.start >= floor && text.get(span.clone()).is_some());
            floor = span.start;
        }
        prop_assert_eq!(Folded::of(folded.text()).joined().is_some(), folded.joined().is_some());
        if let Some(joined) = folded.joined() {
            for run in joined.runs() {
                prop_assert!(!text[joined.original(run)].is_empty());
            }
        }
    }
}
