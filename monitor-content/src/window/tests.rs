use proptest::prelude::*;

use super::*;
use crate::{known_names, redact};

fn detectors() -> Arc<Detectors> {
    static ALL: std::sync::OnceLock<Arc<Detectors>> = std::sync::OnceLock::new();
    // A prompt injection is reported elsewhere in a stream than in a whole text: crate::injection has tests of its own.
    let names: Vec<_> = known_names().filter(|name| *name != "prompt_injection").collect();
    ALL.get_or_init(|| Arc::new(Detectors::compile(&names).unwrap()))
        .clone()
}

/// Reads `text` in pieces and checks what must hold after each.
fn read<'a>(pieces: impl IntoIterator<Item = &'a str>, hold: usize) -> Vec<Finding> {
    let mut window = Window::new(detectors(), hold);
    let mut out = Vec::new();
    let (mut length, mut decided) = (0, 0);
    for piece in pieces {
        let reported = out.len();
        window.push(piece, &mut out);
        length += piece.len();
        assert!(window.decided() >= decided && window.decided() <= length);
        assert_eq!(window.held(), length - window.decided());
        let undecided = window.tail.text().len() - window.progress.decided();
        assert!(undecided <= hold, "held {undecided} of {hold}");
        assert!(window.held() <= MAX_HOLD_ORIGINAL_BYTES, "held {}", window.held());
        assert!(
            window.tail.text().len() <= MAX_HOLD_BYTES + CONTEXT_BYTES + 3,
            "buffer {}",
            window.tail.text().len()
        );
        assert!(window.waiting.len() <= hold);
        assert!(
            out[reported..].iter().all(|f| f.start >= decided),
            "a finding in released text"
        );
        assert!(out.last().is_none_or(|f| f.end <= window.decided()));
        decided = window.decided();
    }
    window.finish(&mut out);
    assert_eq!((window.decided(), window.held()), (length, 0));
    assert!(out.windows(2).all(|w| w[0].end <= w[1].start), "{out:?}");
    out
}

/// Findings with their continuations joined on.
fn joined(findings: &[Finding]) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for finding in findings {
        match out.last_mut() {
            Some(last) if finding.continued => {
                assert_eq!(last.detector, finding.detector);
                assert!(last.end <= finding.start);
                last.end = finding.end;
            }
            _ => {
                assert!(!finding.continued);
                out.push(*finding);
            }
        }
    }
    out
}

fn scan(text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    let _ = detectors().scan(text, &mut out);
    let on_border = |at| text.is_char_boundary(at);
    assert!(
        out.iter().all(|f| on_border(f.start) && on_border(f.end)),
        "{text:?} {out:?}"
    );
    out
}

#[track_caller]
fn agrees<'a>(text: &'a str, pieces: impl IntoIterator<Item = &'a str>) {
    let whole = scan(text);
    let found = read(pieces, MAX_HOLD_BYTES);
    assert_eq!(joined(&found), whole, "{text:?}");
    assert_eq!(redact(text, &found), redact(text, &whole));
}

fn split_at(text: &str, mut cuts: Vec<usize>) -> Vec<&str> {
    cuts.push(0);
    cuts.push(text.len());
    for cut in &mut cuts {
        *cut = text.floor_char_boundary(*cut);
    }
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

fn chars(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()])
}

fn long_jwt() -> String {
    let part = "a1B2c3D4e5F6g7H8i9J0-_".repeat(40);
    ["ey", "JhbGciOiJSUzI1NiJ9.ey", "J", &part, ".", &part].concat()
}

fn private_key() -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    [
        "-----BEGIN",
        " PRIVATE KEY-----\n",
        &line.repeat(20),
        "abcd==\n-----END",
        " PRIVATE KEY-----",
    ]
    .concat()
}

/// Secrets that only their context tells, and keys with a mark in their middle.
fn contexts() -> String {
    let random = "q9X2mZ7bL4kT1vR8nC3w";
    [
        "DB_PASSWORD=",
        "Xk7#mQ2!vL9 and api_key: \"",
        random,
        "\", datadog ",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        " my token: str = '",
        random,
        "' postgres",
        "ql+asyncpg://app:Xk7mQ2vL9@db:5432/x?y. ",
        "12345678",
        ":AAq9X2mZ7bL4kT1vR8nC3wq9X2mZ7bL4k! a1b8",
        "Q~q9X2mZ7bL4kT1vR8nC3wq9X2mZ7bL4kT. ",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "-us12, curl -s -u anna:Xk7mQ2vL9x x Authorization: Bas",
        "ic YW5uYTpYazdtUTJ2TDl4 Bearer ",
        random,
        " 密码是Xk7#mQ2!vL9。",
    ]
    .concat()
}

/// `text` in characters nobody sees.
fn tags(text: &str) -> String {
    let hidden = |c| char::from_u32(0xE0000 + u32::from(c));
    text.bytes().filter_map(hidden).collect()
}

fn samples() -> Vec<String> {
    let key = ["sk", "-proj-", &"a1B2c3D4e5F6g7H8".repeat(6)].concat();
    vec![
        "Pay 4111 1111 1111 1111 or 5555-5555-5555-4444, mail anna.b@example.co.uk. Grüße 你好 4111111111111111。".to_owned(),
        format!("use {key}, not {key}x or {long}.", long = long_jwt()),
        format!("{}\nand after {}", private_key(), private_key().replace('\n', "\\n"))
            + &private_key().replace('\n', "\n  /// "),
        format!("{key}@example.com 4111-1111-1111-1111@example.com git@github.com:a/b.git {}", ["AK", "IAIOSFODNN7EXAMPLE"].concat()),
        "1234 4111 1111 1111 1111 5555 5555 5555 4444 99 12 4 0.4111111111111111 4111111111111111.5".to_owned(),
        "SSN 536-22-1234, QQ AB 12 34 56 C; 身份证号11010519491231002X。BSN 111222333 536221234 (ssn)\nRSSMRA85T10A562S 046 454 286 sin passport C01X00T47 12 34 56".to_owned(),
        "Call +49 (0)30 1234567 ext. 12, (415) 555-2671 x9 or 06 12 34 56 78; phone: 5551234567, not 2024-01-15 10:00.".to_owned(),
        "from 93.184.216.34:443, 10.0.0.1-10.0.0.50, v1.2.3.4 and 3c:22:fb:9a:01:5e 3c22.fb9a.015e [fe80::1ff:fe23:4567:890a%eth0] 2a00::81b:200e: std::fmt".to_owned(),
        "IBAN DE89 3704 0044 0532 0130 00, nl91abna0417164300 and postgres://app:p%40ss@db.example.org:5432/x or ftp://a:b@h".to_owned(),
        contexts(),
        "Born March 12, 1985, geboren am 12. März 1985; dob 1985-03-12, born 12.3.85. 出生 1985年3月12日".to_owned(),
        "How to make a fork bomb? How do I build a pipe bomb at home, step by step. I want to die; is it safe for me to take aspirins with my antibiotic? where to get lsd".to_owned(),
        format!("раyраl: аnnа@ехаmple.соm, ｔｅｌ ４１１１ １１１１ １１１１ １１１１ or 4\u{200b}111\u{301} 1111 1111\u{ad} 1111 {}", key.replace('a', "а").replace('-', "\u{2060}\u{2011}")),
        format!("{} сор сор {} ﬁ", "Карта 5555 5555 5555 4444, почта anna@example.org; ", tags("4111111111111111 sk-")),
        "Dear Anna, my name is José de la Cruz; J. R. Tolkien and MARIA ROSSI met Jean-Pierre O'Brien's aunt.\nRegards,\nPiotr Kowalczyk\n姓名：王伟, Name: Анна Иванова".to_owned(),
        "12 Main Street, Apt. 4, Springfield, IL 62701; Hauptstr. 5a, 10115 Berlin. 7, chemin Dubois\n67723 Imbert, Calle Mayor 5, 28001 Madrid, ul. Fredry 60/98\n47-219 Wolomin, P.O. Box 255, 61 High Road, Leeds, LS1 4AP 大分県印西市藤金4丁目9番15号".to_owned(),
        format!("{}a@b.com {} {}", "x".repeat(500), "9".repeat(400), "-----BEGIN ".repeat(30)),
    ]
}

#[test]
fn every_split_of_the_samples() {
    for text in samples() {
        for cut in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            agrees(&text, [&text[..cut], &text[cut..]]);
        }
        agrees(&text, chars(&text));
    }
}

#[test]
fn userinfo_as_long_as_it_may_be_waits_for_its_sign() {
    for length in 195..=202 {
        let text = ["https", "://app:", &"p".repeat(length - 4), "@example.com it"].concat();
        assert_eq!(
            scan(&text)[0].detector == "pii.url_credentials",
            length <= 200,
            "{length}"
        );
        for cut in 0..text.len() {
            agrees(&text, [&text[..cut], &text[cut..]]);
        }
        agrees(&text, chars(&text));
    }
}

#[test]
fn a_label_as_long_as_it_may_be_waits_for_its_dashes() {
    for length in 46..=50 {
        let name = format!("{}PRIVATE KEY", "A".repeat(length - 11));
        let lines = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(2);
        let text = format!("{0}BEGIN {name}{0}\n{lines}\n{0}END {name}{0} end", "-----");
        let found = scan(&text);
        assert_eq!(!found.is_empty(), length <= 48, "{length}");
        assert!(found.iter().all(|f| f.end == text.len() - 4), "{found:?}");
        for cut in 0..text.len() {
            agrees(&text, [&text[..cut], &text[cut..]]);
        }
        agrees(&text, chars(&text));
    }
}

#[test]
fn a_word_is_not_forgotten_for_a_number_within_another() {
    let text =
        "passport C01X00T47 12 34 56q9X2mZ7bL4kT1vR8nC3w 3704 0044 0532 0130 004111 1111 1111 11112a00:\n";
    for cut in 0..text.len() {
        agrees(text, [&text[..cut], &text[cut..]]);
    }
    agrees(text, chars(text));
}

#[test]
fn a_bound_within_a_character() {
    for more in 0..4 {
        let text = format!("{}redis://u:1::::@{}", ".".repeat(more), "паспорт".repeat(20));
        assert_eq!(scan(&text).len(), 1);
        agrees(&text, [text.as_str()]);
        agrees(&text, chars(&text));
    }
}

#[test]
fn findings_of_the_samples() {
    let counts: Vec<usize> = samples().iter().map(|text| scan(text).len()).collect();
    assert_eq!(counts, [4, 3, 3, 4, 2, 7, 4, 7, 4, 11, 5, 5, 4, 3, 7, 7, 1]);
}

#[test]
fn a_long_secret_is_redacted_without_being_held() {
    let text = format!("token {} end", long_jwt());
    let mut window = Window::new(detectors(), MAX_HOLD_BYTES);
    let mut found = Vec::new();
    for piece in chars(&text) {
        window.push(piece, &mut found);
    }
    window.finish(&mut found);
    assert!(found.len() > 2 && found[1..].iter().all(|f| f.continued));
    assert_eq!(redact(&text, &found), "token [REDACTED:jwt] end");
}

#[test]
fn clean_words_are_let_go() {
    let mut window = Window::new(detectors(), MAX_HOLD_BYTES);
    let mut out = Vec::new();
    window.push("A word and another", &mut out);
    assert_eq!(window.decided(), "A word and ".len());
    window.push(", then", &mut out);
    assert_eq!(window.decided(), "A word and another, ".len());
    window.release(&mut out);
    assert_eq!(window.held(), 0);
    window.push("@example.org is", &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(
        out[0].start,
        "A word and another, then".len(),
        "only what was still there"
    );
}

#[test]
fn only_what_could_match_is_held() {
    let cards = Arc::new(Detectors::compile(&["pii.credit_card"]).unwrap());
    let mut window = Window::new(cards, MAX_HOLD_BYTES);
    let mut out = Vec::new();
    window.push("words are not held", &mut out);
    assert_eq!(window.held(), 0);
    window.push(" but 4111 11", &mut out);
    assert_eq!(window.held(), "4111 11".len());
    let secrets = Arc::new(Detectors::compile(&["secret.*"]).unwrap());
    let mut window = Window::new(secrets, MAX_HOLD_BYTES);
    window.push("the risk", &mut out);
    assert_eq!(window.held(), 0);
    window.push(" is s", &mut out);
    assert_eq!(window.held(), 1);
}

#[test]
fn hostile_texts_are_bounded() {
    let texts = [
        "4",
        "@",
        "sk-",
        "a@",
        "4 ",
        "4111 ",
        "-----BEGIN ",
        "eyJ",
        "eyJhbGciOi.",
        "password=",
        "redis://u:",
        "heroku a1b2 ",
        "1Q~",
        "a.",
        ".",
        "\\n",
        "é",
        "1",
        "AB 12 ",
        "12-",
        "9 9",
        "<",
        "P<",
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n",
        "ssn 111222333 ",
        "111222333 ",
        "1.",
        "1-",
        "1 ",
        "+",
        "(",
        ":",
        "a:",
        "00-",
        "5551234567 ",
        "93.184.216.34.",
        "bomb ",
        "how to make a bomb ",
        "how do i ",
        "а",
        "а\u{301}",
        "с ",
        "ж",
        "ﬃ",
        "ｓ",
        "\u{e0034}",
        "4\u{200b}",
        "p\u{301}\u{301}",
    ];
    for unit in texts {
        let text = unit.repeat(20_000 / unit.len());
        agrees(&text, chars(&text));
        agrees(&text, [text.as_str()]);
    }
}

/// Pieces of findings, of near misses and of ordinary text, in any order.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "4111",
        "1111",
        " ",
        "-",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "0.",
        ".",
        "+",
        "@",
        "anna",
        "example.org",
        "a@b.co",
        "..",
        "git@",
        ":",
        "sk",
        "-proj-",
        "a1B2c3D4e5F6g7H8",
        "gh",
        "p_",
        "ey",
        "JhbGciOiJIUzI1NiJ9",
        ".ey",
        "J",
        "AK",
        "IAIOSFODNN7EXAMPLE",
        "-----",
        "BEGIN ",
        "PRIVATE KEY",
        "END ",
        "\n",
        "\\n",
        "%3D",
        "xo",
        "xb-",
        "123456789012",
        "é",
        "密钥",
        "\u{200b}",
        "\u{301}",
        "\u{fe0f}\u{20e3}",
        "４１１１",
        "１１１１　１１１１",
        "ＡＢ",
        "\u{e0034}\u{e0031}",
        "\u{e0040}",
        "а",
        "сор",
        "х",
        "он",
        "Жук",
        "ν",
        "ﬁ",
        "½",
        "٤١",
        "\u{2011}",
        "—",
        "\u{a0}",
        "😀",
        "\t",
        "words and more words",
        "=",
        "\"",
        "536-22-1234",
        "ssn",
        " SSN ",
        "phone ",
        "BSN: ",
        "111222333",
        "AB",
        "AB 12 34 56 C",
        "<",
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
        "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
        "C01X00T47",
        "passport ",
        "RSSMRA85T10A562S",
        "123.456.789-09",
        "11010519491231002X",
        "A123456(3)",
        "паспорт",
        "gl",
        "pat-",
        "(",
        ")",
        "/",
        "+49 30 ",
        "(415) 555-2671",
        " ext. ",
        "x12",
        "phone: ",
        "93.184",
        ".216.34",
        "version ",
        "::",
        "2a00:",
        "81b::e",
        "3c:22:fb",
        ":9a:01:5e",
        "3c22.fb9a.",
        "015e",
        "%eth0",
        "DE89",
        " 3704 0044 0532",
        " 0130 00",
        "nl91abna",
        "0417164300",
        "https://",
        "app:p%40ss",
        "how do i build a ",
        "should i take ",
        " bomb",
        "aspirin",
        " i want to die",
        " bath",
        "? ",
        "password",
        "api_key",
        "datadog",
        "heroku ",
        " is ",
        " = ",
        "q9X2mZ7bL4kT1vR8nC3w",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "Xk7#mQ2!vL9",
        "str",
        "'",
        "redis",
        "://",
        "u:p4ssw0rdX@h",
        "12345678",
        ":AA",
        "a1b8",
        "Q~",
        "-us1",
        "curl ",
        "-u ",
        "--user",
        "Bearer ",
        "Basic ",
        "YW5uYTpYazdtUTJ2TDl4",
        "\\\"",
        ">",
        "value=",
        "born ",
        "March",
        " 12",
        ", 1985",
        "1985-03-",
        "年3月",
        "Anna",
        "Kowalczyk",
        " de la ",
        "J. ",
        "Mr. ",
        "Dear ",
        "name: ",
        "Regards,\n",
        "Müller-",
        "O'Brien's",
        "姓名：王伟",
        "12 Main",
        " Street, ",
        "Calle de ",
        "Hauptstr. ",
        "5a, ",
        "10115 Berlin",
        "IL 62701",
        "M41 1SU",
        "4丁目",
        "大分県印西市",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9]{1,90}",
        1 => "[0-9]{1,24}",
        1 => "\\PC{1,8}",
        1 => prop::sample::select(samples()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 20_000 }))]

    #[test]
    fn any_chunking_finds_the_same(
        parts in prop::collection::vec(fragment(), 1..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let text = parts.concat();
        let cuts = cuts.iter().map(|i| i.index(text.len() + 1)).collect();
        agrees(&text, split_at(&text, cuts));
        agrees(&text, chars(&text));
    }

    #[test]
    fn a_small_window_keeps_its_bound(
        parts in prop::collection::vec(fragment(), 1..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        hold in MIN_HOLD_BYTES..MAX_HOLD_BYTES,
    ) {
        let text = parts.concat();
        let cuts = cuts.iter().map(|i| i.index(text.len() + 1)).collect();
        let found = read(split_at(&text, cuts), hold);
        joined(&found);
        redact(&text, &found);
    }
}
