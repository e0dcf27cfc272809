use super::*;
use crate::redact;

fn found(patterns: &[&str], text: &str) -> Vec<(&'static str, String)> {
    let detectors = Detectors::compile(patterns).unwrap();
    let mut out = Vec::new();
    assert_eq!(detectors.scan(text, &mut out), Scanned::Whole);
    out.iter()
        .map(|f| (f.detector, text[f.start..f.end].to_owned()))
        .collect()
}

#[track_caller]
fn finds(detector: &str, text: &str, expected: &str) {
    let found = found(&["*"], text);
    assert!(
        found
            .iter()
            .any(|(name, span)| *name == detector && span == expected),
        "{detector} should find {expected:?} in {text:?}, found {found:?}"
    );
}

#[track_caller]
fn passes(detector: &str, text: &str) {
    let found = found(&[detector], text);
    assert!(
        found.is_empty(),
        "{detector} should find nothing in {text:?}, found {found:?}"
    );
}

mod addresses;
mod birth_dates;
mod cards;
mod contexts;
mod emails;
mod encoded;
mod ibans;
mod issuers;
mod keys;
mod persons;
mod phones;
mod postal_addresses;
mod url_credentials;

#[test]
fn patterns_select() {
    let names: Vec<_> = known_names().collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "a name stands twice");
    for name in &names {
        assert!(Detectors::compile(&[name]).is_ok());
        let kind = name.rsplit('.').next().unwrap();
        assert_eq!(placeholder(name), format!("[REDACTED:{kind}]"));
    }
    assert_eq!(placeholder("pii.nothing"), "[REDACTED]");
    assert!(found(&["pii.email"], "4111111111111111").is_empty());
    assert!(found(&[], "4111111111111111").is_empty());
    assert_eq!(found(&["pii.*"], "4111111111111111 a@b.example").len(), 2);
    for wrong in ["pii", "pii.", "pii.*x", "secret.none", "", "sec*", ".*"] {
        let error = Detectors::compile(&["pii.*", wrong]).unwrap_err();
        assert_eq!(error.pattern, wrong);
        assert!(error.to_string().contains("secret.github"), "{error}");
    }
}

#[test]
fn findings_are_in_order_and_disjoint() {
    let key = format!("gh{}_{}", "p", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let text = format!("{key}@example.com 4111-1111-1111-1111@example.com x@y.example {key}");
    let detectors = Detectors::compile(&["*"]).unwrap();
    let mut out = Vec::new();
    assert_eq!(detectors.scan(&text, &mut out), Scanned::Whole);
    assert!(out.windows(2).all(|w| w[0].end <= w[1].start), "{out:?}");
    let clean = redact(&text, &out);
    assert!(
        !clean.contains("4111") && !clean.contains("a1B2") && !clean.contains("example"),
        "{clean}"
    );
    let before = out.len();
    assert_eq!(detectors.scan(&text, &mut out), Scanned::Whole);
    assert_eq!(out.len(), 2 * before, "a second scan appends");
}
