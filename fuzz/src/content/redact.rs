//! Findings replaced: what is not found stays, and what is found goes.

use monitor_content::{placeholder, redact};

use super::{rules, text};

/// The input is a text.
pub fn check(input: &[u8]) {
    let text = text(input);
    let findings = rules::scan(&text);
    let redacted = redact(&text, &findings);
    let mut rest = redacted.as_str();
    let mut at = 0;
    for finding in &findings {
        for part in [&text[at..finding.start], placeholder(finding.detector)] {
            rest = rest
                .strip_prefix(part)
                .unwrap_or_else(|| panic!("{text:?} {findings:?}"));
        }
        at = finding.end;
    }
    assert_eq!(rest, &text[at..], "{text:?}");
}
