//! Every rule on hostile text.

use monitor_content::{Finding, Scanned};

use super::{ALL, check_spans, text};

/// The input is a text.
pub fn check(input: &[u8]) {
    let text = text(input);
    let first = scan(&text);
    check_spans(&text, &first);
    assert_eq!(first, scan(&text), "{text:?}");
}

pub(super) fn scan(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let scanned = ALL.scan(text, &mut findings);
    assert!(scanned == Scanned::Whole || text.len() > 64, "{text:?}");
    findings
}
