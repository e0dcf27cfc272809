//! What is known of every detector: its name and what stands in for its findings.

use super::{
    address, birth_date, card, email, iban, ip, key_rules, mac, national_id, person, phone, topic,
    url_credentials,
};
use crate::{custom, injection};

/// A detector, as policies and records name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Described {
    /// Family and name: `pii.email`.
    pub(crate) name: &'static str,
    /// What replaces a finding. It needs no escaping in a JSON string.
    pub(crate) placeholder: &'static str,
}

/// Every detector's name, each once.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    catalog().map(|detector| detector.name)
}

/// What replaces a finding of `detector`, such as `[REDACTED:credit_card]`; `[REDACTED]` for a name that is
/// not in the catalog. It needs no escaping in a JSON string.
pub fn placeholder(detector: &str) -> &'static str {
    catalog()
        .find(|described| described.name == detector)
        .map(|described| described.placeholder)
        .or_else(|| custom::placeholder(detector))
        .unwrap_or("[REDACTED]")
}

/// The detectors that have a module of their own.
const SINGLE: &[Described] = &[
    address::DESCRIBED,
    birth_date::DESCRIBED,
    card::DESCRIBED,
    email::DESCRIBED,
    iban::DESCRIBED,
    injection::DESCRIBED,
    ip::DESCRIBED,
    mac::DESCRIBED,
    person::DESCRIBED,
    phone::DESCRIBED,
    url_credentials::DESCRIBED,
];

fn catalog() -> impl Iterator<Item = Described> {
    let keys = key_rules::detectors().map(|detector| Described {
        name: detector.name,
        placeholder: detector.placeholder,
    });
    SINGLE
        .iter()
        .copied()
        .chain(national_id::described())
        .chain(topic::described())
        .chain(keys)
}
