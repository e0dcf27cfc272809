//! Folded text, whole; in pieces it is what the window reads.

use monitor_content::Folded;

/// The input is a text, in UTF-8 or piece by piece.
pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        check_text(text);
    }
    check_text(&super::text(input));
}

fn check_text(text: &str) {
    let folded = Folded::of(text);
    assert!(!text.is_ascii() || !folded.is_changed(), "{text:?}");
    let length = folded.text().len();
    assert!(length <= 6 * text.len(), "{text:?}");
    let mut before = 0;
    for at in 0..length {
        let one = folded.original(at..at + 1);
        assert!(
            text.get(one.clone()).is_some_and(|part| !part.is_empty()),
            "{text:?} {at}"
        );
        assert!(one.start >= before, "{text:?} {at}");
        before = one.start;
        let rest = folded.original(at..length);
        assert_eq!(rest.start, one.start, "{text:?} {at}");
        if !folded.is_changed() {
            assert!(one.contains(&at));
        }
    }
    if let Some(joined) = folded.joined() {
        assert!(joined.text().len() <= length);
        let mut floor = 0;
        for run in joined.runs() {
            assert!(floor <= run.start && joined.text().get(run.clone()).is_some());
            floor = run.end;
            let place = joined.original(run);
            assert!(text.get(place).is_some_and(|part| !part.is_empty()), "{text:?}");
        }
    }
}
