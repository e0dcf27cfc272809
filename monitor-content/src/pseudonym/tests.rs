use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;
use crate::{Detectors, Scanned};

/// Keyed well enough for tests.
fn keyed(input: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (at, chunk) in out.chunks_exact_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (at, 4_711, input).hash(&mut hasher);
        chunk.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    out
}

const ORIGINALS: [(&str, &str); 14] = [
    ("pii.credit_card", "4111 1111 1111 1111"),
    ("pii.credit_card", "3782-822463-10005"),
    ("pii.email", "Anna.Miller@corp.test"),
    ("pii.phone", "+1 (415) 867-5309"),
    ("pii.phone", "030 1234 5678"),
    ("pii.iban", "DE89 3704 0044 0532 0130 00"),
    ("pii.iban", "GB82WEST12345698765432"),
    ("pii.ip_address", "10.1.2.3"),
    ("pii.mac_address", "AA:BB:CC:00:11:22"),
    ("pii.national_id.us_ssn", "536-22-1234"),
    ("pii.person", "Jörg \"Joe\" Müller"),
    ("secret.github", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    (
        "secret.private_key",
        "-----BEGIN KEY-----\nMIIB\n-----END KEY-----",
    ),
    ("pii.postal_address", "1 Main Street, Springfield"),
];

fn pseudonyms(prompt: &str) -> Pseudonyms {
    let mut all = Pseudonyms::default();
    for (detector, original) in ORIGINALS {
        all.add(detector, original, &keyed);
    }
    all.settle([prompt].into_iter(), &keyed);
    all
}

fn restored(restorer: &Arc<Restorer>, pieces: &[&str]) -> String {
    let mut restoration = Restoration::new(restorer.clone());
    let mut out = Vec::new();
    for piece in pieces {
        restoration.push(piece, &mut out);
    }
    restoration.release(&mut out);
    let text = pieces.concat();
    assert_eq!(restoration.decided(), text.len());
    let (mut whole, mut at) = (String::new(), 0);
    for one in out {
        whole.push_str(&text[at..one.start]);
        whole.push_str(&one.original);
        at = one.end;
    }
    whole + &text[at..]
}

#[test]
fn each_keeps_its_type() {
    let all = pseudonyms("");
    let detectors = Detectors::compile(&["*"]).unwrap();
    for (detector, original) in ORIGINALS {
        let fake = all.get(original).unwrap();
        assert_ne!(fake, original);
        assert!(
            !fake.contains(['"', '\\', '/', '\n', '<', '>', '&', '\'']),
            "{fake}"
        );
        assert!(fake.is_ascii(), "{fake}");
        if matches!(detector, "pii.credit_card" | "pii.email") {
            let mut findings = Vec::new();
            assert_eq!(detectors.scan(fake, &mut findings), Scanned::Whole);
            assert_eq!((findings.len(), findings[0].detector), (1, detector), "{fake}");
        }
        if detector.starts_with("pii.") && original.chars().any(|c| c.is_ascii_digit()) {
            let separators =
                |text: &str| -> String { text.chars().filter(|c| " -():".contains(*c)).collect() };
            assert!(
                fake.starts_with('[') || separators(fake) == separators(original),
                "{fake}"
            );
        }
    }
    assert!(all.get("4111 1111 1111 1111").unwrap().starts_with("4000 00"));
    assert!(all.get("+1 (415) 867-5309").unwrap().contains("555-01"));
    assert!(all.get("536-22-1234").unwrap().starts_with('9'));
    let address: std::net::IpAddr = all.get("10.1.2.3").unwrap().parse().unwrap();
    assert!(address.to_string().starts_with("198."));
    for iban in ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"] {
        let fake: Vec<char> = all.get(iban).unwrap().chars().filter(|c| *c != ' ').collect();
        let rest = fake[4..].iter().chain(&fake[..4]).fold(0, |rest, c| {
            let value = c.to_digit(36).unwrap();
            (rest * if value > 9 { 100 } else { 10 } + value) % 97
        });
        assert_eq!(rest, 1, "{fake:?}");
        assert_eq!(fake[..2], iban.chars().collect::<Vec<_>>()[..2]);
    }
    assert!(all.get(ORIGINALS[11].1).unwrap().starts_with("ghp_"));
    assert!(all.get(ORIGINALS[12].1).unwrap().starts_with("[PRIVATE_KEY_"));
}

#[test]
fn the_same_text_has_the_same_pseudonym_in_the_next_prompt() {
    let (first, second) = (pseudonyms(""), pseudonyms("other text"));
    for (_, original) in ORIGINALS {
        assert_eq!(first.get(original), second.get(original));
    }
}

#[test]
fn what_is_in_the_prompt_is_no_pseudonym() {
    let first = pseudonyms("");
    for (_, original) in ORIGINALS {
        let fake = first.get(original).unwrap();
        for form in [
            fake.to_owned(),
            fake.to_uppercase(),
            fake.replace([' ', '-', '(', ')', '+'], ""),
        ] {
            let second = pseudonyms(&format!("before {form} after"));
            assert_ne!(second.get(original), Some(fake), "{form}");
            assert!(second.get(original).is_some());
        }
    }
}

#[test]
fn a_model_may_write_it_in_another_form() {
    let all = pseudonyms("");
    let restorer = all.restorer().unwrap();
    let fake = |original| all.get(original).unwrap();
    let card = fake("4111 1111 1111 1111");
    let compact = card.replace(' ', "");
    assert_eq!(restored(&restorer, &[&compact]), "4111111111111111");
    assert_eq!(
        restored(&restorer, &[&card.replace(' ', "-")]),
        "4111-1111-1111-1111"
    );
    let email = fake("Anna.Miller@corp.test").to_uppercase();
    assert_eq!(
        restored(&restorer, &[&format!("<{email}>")]),
        "<Anna.Miller@corp.test>"
    );
    let phone = fake("+1 (415) 867-5309");
    let dashed = phone.replace("+1 (", "+1-").replace(") ", "-");
    assert_eq!(restored(&restorer, &[&dashed]), "+1-415-867-5309");
    let escaped = phone.replace('+', "\\u002b");
    assert_eq!(restored(&restorer, &[&escaped]), "\\u002b1 (415) 867-5309");
    let iban = fake("GB82WEST12345698765432");
    let fours: Vec<&str> = (0..iban.len())
        .step_by(4)
        .map(|at| &iban[at..(at + 4).min(iban.len())])
        .collect();
    assert_eq!(
        restored(&restorer, &[&fours.join(" ")]),
        "GB82 WEST 1234 5698 7654 32"
    );
    let name = fake("Jörg \"Joe\" Müller");
    let (given, family) = name.split_once(' ').unwrap();
    assert_eq!(
        restored(&restorer, &[&format!("Dear {given}, Mr {family}'s")]),
        "Dear Jörg, Mr Müller's"
    );
    let longer = format!("x{family} {family}son");
    assert_eq!(restored(&restorer, &[&longer]), longer);
}

#[test]
fn beyond_the_bounds_there_is_none() {
    let mut all = Pseudonyms::default();
    all.add("secret.x", &"x".repeat(MAX_ORIGINAL_BYTES + 1), &keyed);
    assert!(all.restorer().is_none());
    for n in 0..=MAX_PSEUDONYMS {
        all.add("pii.credit_card", &format!("4111 1111 {n:04} 1111"), &keyed);
    }
    assert_eq!(all.get(&format!("4111 1111 {MAX_PSEUDONYMS:04} 1111")), None);
    let fakes: HashSet<&str> = (0..MAX_PSEUDONYMS)
        .filter_map(|n| all.get(&format!("4111 1111 {n:04} 1111")))
        .collect();
    assert_eq!(fakes.len(), MAX_PSEUDONYMS, "no two share one");
    assert_eq!(format!("{all:?}"), format!("{MAX_PSEUDONYMS} pseudonyms"));
}

#[test]
fn two_persons_of_one_given_name_are_told_apart_by_the_whole_name_only() {
    let mut all = Pseudonyms::default();
    for n in 0..200 {
        all.add("pii.person", &format!("Given{n} Family{n}"), &keyed);
    }
    let restorer = all.restorer().unwrap();
    for n in 0..200 {
        let (original, mut out) = (format!("Given{n} Family{n}"), Vec::new());
        let fake = all.get(&original).unwrap();
        restorer.restore(fake, &mut out);
        assert_eq!((out.len(), out[0].original.as_str()), (1, original.as_str()));
    }
}

proptest! {
    #[test]
    fn whatever_the_pieces_the_same_is_restored(
        parts in prop::collection::vec((0..ORIGINALS.len() + 4, any::<bool>()), 1..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let all = pseudonyms("");
        let restorer = all.restorer().unwrap();
        let (mut told, mut expected) = (String::new(), String::new());
        for (at, whole) in parts {
            match ORIGINALS.get(at) {
                Some((_, original)) => {
                    let fake = all.get(original).unwrap();
                    if whole {
                        told.push_str(fake);
                        expected.push_str(original);
                    } else {
                        // A beginning only, which is neither a given name nor cut behind one.
                        let beginning = &fake[..fake.len() / 3];
                        let given = fake.split(' ').next().unwrap_or_default();
                        if beginning.len() < given.len() {
                            told.push_str(beginning);
                            expected.push_str(beginning);
                        }
                    }
                }
                None => {
                    let plain = [" 4", "; Übung", "[", "\n"][at - ORIGINALS.len()];
                    told.push_str(plain);
                    expected.push_str(plain);
                }
            }
            told.push_str(" | ");
            expected.push_str(" | ");
        }
        let whole = restored(&restorer, &[&told]);
        prop_assert_eq!(&whole, &expected);
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut.index(told.len() + 1)).collect();
        bounds.retain(|at| told.is_char_boundary(*at));
        bounds.extend([0, told.len()]);
        bounds.sort_unstable();
        let pieces: Vec<&str> = bounds.windows(2).map(|pair| &told[pair[0]..pair[1]]).collect();
        prop_assert_eq!(restored(&restorer, &pieces), expected.clone());
        let letters: Vec<&str> = told.split_inclusive(|_: char| true).collect();
        prop_assert_eq!(restored(&restorer, &letters), expected);
    }
}
