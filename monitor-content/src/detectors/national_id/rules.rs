//! The table of rules, and the words that several of them share.

use super::super::Described;
use super::shape::Shape;
use super::{
    africa, east_asia, east_europe, france_benelux, german, islands, latin_america, nordic, north_america,
    oceania, passport, south_asia, south_europe, west_asia,
};

/// One kind of id.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) described: Described,
    /// What its check saw.
    pub(super) explanation: &'static str,
    /// The same where a word of the rule is near.
    pub(super) near_explanation: &'static str,
    /// Its own words and those it shares, without capitals in ASCII. One that ends in `*` may go on
    /// (`henkilötunnu*`); one that ends in `!`, a common word or code, must be close (`tin!`).
    pub(super) words: &'static [&'static [&'static str]],
    /// How it is written, the likeliest first.
    pub(super) shapes: &'static [Shape],
}

/// A [`Rule`]: family, name, what the check sees, words, and shapes as (pattern, check, confidence alone, near a word).
macro_rules! rule {
    (
        $family:literal $name:literal, $seen:literal, $words:expr,
        [$(($pattern:literal, $check:expr, $alone:literal, $near:literal)),+ $(,)?]
    ) => {
        $crate::detectors::national_id::rules::Rule {
            described: $crate::detectors::Described {
                name: concat!($family, $name),
                placeholder: concat!("[REDACTED:", $name, "]"),
            },
            explanation: $seen,
            near_explanation: concat!($seen, ", near a word for it"),
            words: $words,
            shapes: &[$($crate::detectors::national_id::shape::Shape {
                pattern: $pattern,
                check: $check,
                alone_percent: $alone,
                near_percent: $near,
            }),+],
        }
    };
}
pub(super) use rule;

/// Words for an identity number or card of any country.
pub(super) const IDENTITY: &[&str] = &[
    "national id",
    "national_id",
    "nationalid",
    "national-id",
    "national identification",
    "national identity",
    "national insurance",
    "identity number",
    "identity card",
    "identity document",
    "id card",
    "id-card",
    "citizen id",
    "personal id",
    "personal identification",
    "personal identity",
    "government id",
    "government-issued",
    "identification number",
    "national number",
    "resident id",
    "citizen card",
];

/// Words for a tax number of any country.
pub(super) const TAX: &[&str] = &[
    "tax id",
    "tax_id",
    "taxid",
    "tax-id",
    "tax number",
    "tax no",
    "tax file",
    "taxpayer",
    "tax payer",
    "tin!",
    "tax identification",
    "fiscal code",
    "fiscal number",
    "tax code",
];

/// Words for a social insurance number of any country.
pub(super) const INSURANCE: &[&str] = &[
    "social security",
    "social insurance",
    "social_security",
    "insurance number",
    "social-security",
    "socialsecurity",
    "insurance no",
];

/// Words for a health insurance or patient number of any country.
pub(super) const HEALTH: &[&str] = &[
    "health number",
    "health insurance",
    "health card",
    "patient id",
    "patient number",
    "health id",
    "health_number",
    "health service number",
];

const GROUPS: &[&[Rule]] = &[
    north_america::RULES,
    islands::RULES,
    german::RULES,
    france_benelux::RULES,
    south_europe::RULES,
    nordic::RULES,
    east_europe::RULES,
    latin_america::RULES,
    oceania::RULES,
    south_asia::RULES,
    east_asia::RULES,
    west_asia::RULES,
    africa::RULES,
    passport::RULES,
];

/// Every rule; its place is its number.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().copied().flatten()
}

/// A set of rules is kept as the bits of one word.
const _: () = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    assert!(count <= u128::BITS as usize);
};
