use proptest::prelude::*;

use super::*;
use crate::redact;

fn detectors() -> Arc<Detectors> {
    static ALL: std::sync::OnceLock<Arc<Detectors>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| Arc::new(Detectors::compile(&["*"]).unwrap()))
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
        assert!(window.held() <= hold, "held {} of {hold}", window.held());
        assert!(
            window.tail.0.len() <= MAX_HOLD_BYTES + CONTEXT_BYTES,
            "buffer {}",
            window.tail.0.len()
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
                assert_eq!((last.detector, last.end), (finding.detector, finding.start));
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
    detectors().scan(text, &mut out);
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

fn samples() -> Vec<String> {
    let key = ["sk", "-proj-", &"a1B2c3D4e5F6g7H8".repeat(6)].concat();
    vec![
        "Pay 4111 1111 1111 1111 or 5555-5555-5555-4444, mail anna.b@example.co.uk. Grüße 你好 4111111111111111。".to_owned(),
        format!("use {key}, not {key}x or {long}.", long = long_jwt()),
        format!("{}\nand after {}", private_key(), private_key().replace('\n', "\\n"))
            + &private_key().replace('\n', "\n  /// "),
        format!("{key}@example.com 4111-1111-1111-1111@example.com git@github.com:a/b.git {}", ["AK", "IAIOSFODNN7EXAMPLE"].concat()),
        "1234 4111 1111 1111 1111 5555 5555 5555 4444 99 12 4 0.4111111111111111 4111111111111111.5".to_owned(),
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
fn findings_of_the_samples() {
    let counts: Vec<usize> = samples().iter().map(|text| scan(text).len()).collect();
    assert_eq!(counts, [4, 3, 3, 4, 2, 1]);
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
        "a.",
        ".",
        "\\n",
        "é",
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
        "😀",
        "\t",
        "words and more words",
        "=",
        "\"",
        "gl",
        "pat-",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9]{1,90}",
        1 => "[0-9]{1,24}",
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
