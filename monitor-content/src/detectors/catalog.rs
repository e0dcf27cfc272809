//! The names of all detectors and what stands in for their findings.

use super::{card, email, key_rules};

/// Every detector's name, each once.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    catalog().map(|(name, _)| name)
}

/// What replaces a finding of `detector`, such as `[REDACTED:credit_card]`; `[REDACTED]` for a name that is
/// not in the catalog. It needs no escaping in a JSON string.
pub fn placeholder(detector: &str) -> &'static str {
    catalog()
        .find(|(name, _)| *name == detector)
        .map_or("[REDACTED]", |(_, placeholder)| placeholder)
}

fn catalog() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        (card::NAME, "[REDACTED:credit_card]"),
        (email::NAME, "[REDACTED:email]"),
    ]
    .into_iter()
    .chain(key_rules::DETECTORS.iter().map(|d| (d.name, d.placeholder)))
}
