use std::sync::Arc;

use super::*;
use crate::{DetectorCatalog, Judgement, MAX_HOLD_BYTES, Scanned, Window, placeholder};

fn spec(name: &str, regex: &str, keywords: &[&str]) -> CustomSpec {
    CustomSpec {
        name: name.into(),
        regex: regex.into(),
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        confidence_percent: 80,
        ..CustomSpec::default()
    }
}

fn spans(spec: &CustomSpec, text: &str) -> Vec<String> {
    let detector = Arc::new(CustomDetector::new(spec).unwrap());
    let name = detector.name();
    let catalog = DetectorCatalog::with_custom(vec![detector]).unwrap();
    let detectors = Arc::new(catalog.compile(&[name], Judgement::default()).unwrap());
    let mut whole = Vec::new();
    assert_eq!(detectors.scan(text, &mut whole), Scanned::Whole);
    // In a stream the same, wherever it is cut.
    for size in [1, 2, 7] {
        let mut window = Window::new(detectors.clone(), MAX_HOLD_BYTES);
        let mut found = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
            window.push(piece, &mut found);
            rest = after;
        }
        window.finish(&mut found);
        assert_eq!(found, whole, "in pieces of {size} bytes: {text}");
    }
    whole.iter().map(|f| text[f.start..f.end].to_owned()).collect()
}

#[test]
fn a_pattern_finds_its_matches() {
    let projects = spec("corp.project", "PRJ-[0-9]{4,6}", &[]);
    assert_eq!(
        spans(&projects, "see PRJ-1234, PRJ-12 and PRJ-12345678"),
        ["PRJ-1234", "PRJ-123456"]
    );
    let words = spec("corp.word", r"\bmerger\b|\bmergers?\s+and", &[]);
    assert_eq!(
        spans(&words, "merger, mergers, mergers and, submerger"),
        ["merger", "mergers and"]
    );
    assert_eq!(placeholder("corp.project"), "[REDACTED:project]");
}

#[test]
fn keywords_are_whole_words_in_any_case() {
    let topic = spec(
        "topic.merger",
        "",
        &["project falcon", "term sheet", "C++", "falcon"],
    );
    let text = "Project  Falcon's TERM\nSHEET; falconry; the falcon in c++";
    assert_eq!(
        spans(&topic, text),
        ["Project  Falcon", "TERM\nSHEET", "falcon", "c++"]
    );
}

#[test]
fn a_keyword_must_be_near_on_either_side() {
    let badge = spec("corp.badge", r"\b[0-9]{6}\b", &["badge", "employee"]);
    assert_eq!(spans(&badge, "badge 123456"), ["123456"]);
    assert_eq!(spans(&badge, "123456 is my Badge."), ["123456"]);
    assert!(spans(&badge, "order 123456 of the day").is_empty());
    let far = format!("badge {} 123456 {} badge", "x ".repeat(40), "y ".repeat(40));
    assert!(spans(&badge, &far).is_empty());
}

#[test]
fn spans_keep_to_characters() {
    let any = spec("corp.any", "a.b", &[]);
    assert!(spans(&any, "aжb").is_empty());
    let tail = spec("corp.tail", "x..", &[]);
    assert_eq!(spans(&tail, "xж x\u{20ac} "), ["xж", "x\u{20ac}"]);
}

#[test]
fn what_cannot_be_meant_or_would_be_slow_is_refused() {
    let refused = |regex: &str| CustomDetector::new(&spec("corp.a", regex, &[])).unwrap_err();
    for empty in ["a*", "", "(a|)", r"\b", "^", "$", "x{0,3}"] {
        let error = refused(empty);
        assert!(
            matches!(error, CustomError::Empty | CustomError::Nothing),
            "{empty}: {error}"
        );
    }
    for wrong in ["(", "a{5,2}", "(?=a)", r"(a)\1", "[z-a]"] {
        assert!(matches!(refused(wrong), CustomError::Pattern(_)), "{wrong}");
    }
    let large = refused("[ab]*a[ab]{20}").to_string();
    assert!(large.contains("table would exceed"), "{large}");
    assert_eq!(refused(&"a".repeat(5000)), CustomError::Long(5000));
    for name in ["pii.mine", "secret.x", "one", "A.b", "a..b", ".a", "a.", "a.b-c"] {
        let error = CustomDetector::new(&spec(name, "abc", &[])).unwrap_err();
        assert!(matches!(error, CustomError::Name(_)), "{name}");
    }
    let long = "k".repeat(MAX_KEYWORD_BYTES + 1);
    for word in ["", "  ", &long] {
        let error = CustomDetector::new(&spec("corp.a", "", &[word])).unwrap_err();
        assert!(matches!(error, CustomError::Keyword(_)), "{word}");
    }
}

#[test]
fn examples_are_tried() {
    let mut spec = spec("corp.project", "PRJ-[0-9]{4}", &[]);
    spec.finds = vec!["PRJ-1234".into(), "PRJ-12".into()];
    assert_eq!(CustomDetector::new(&spec).unwrap_err(), CustomError::Finds(2));
    spec.finds.pop();
    spec.passes = vec!["PRJ-4321".into()];
    assert_eq!(CustomDetector::new(&spec).unwrap_err(), CustomError::Passes(1));
}
