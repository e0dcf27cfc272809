//! What stands in a finding's place, and the keyed hash that a finding has on record.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use monitor_content::{Finding, mask, placeholder};

use super::{Fingerprint, Fingerprints};
use crate::config::Redaction;

/// Most bytes of a finding that its hash is of. All but private keys and the longest tokens are shorter, and so much of
/// those tells them apart; a finding in a stream is waited for so far and no farther, so that its hash does not depend on
/// the pieces in which it comes.
pub(super) const MAX_HASHED_BYTES: usize = 1_024;
/// Digits of a hash that are shown in a finding's place: enough to tell the texts of one prompt apart.
const SHOWN_DIGITS: usize = 8;

/// A span of a text and what stands there instead.
#[derive(Clone)]
pub(super) struct Replaced {
    pub(super) range: Range<usize>,
    pub(super) with: Cow<'static, str>,
    /// A pseudonym is to stand there, once they are chosen.
    pub(super) awaits_pseudonym: bool,
}

impl fmt::Debug for Replaced {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaced")
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Replaced {
    /// What stands in the place of a finding whose text is `found`; the rest of one that was replaced before goes without a
    /// trace.
    pub(super) fn new(
        finding: &Finding,
        redaction: Redaction,
        found: &str,
        hash: Option<Fingerprint>,
    ) -> Self {
        let range = finding.start..finding.end;
        if finding.continued {
            return Self::text(range, Cow::Borrowed(""));
        }
        let with = match (redaction, hash) {
            (Redaction::Mask, _) => mask(finding.detector, found).into(),
            (Redaction::Hash, Some(hash)) => hashed(finding.detector, hash).into(),
            (Redaction::Placeholder | Redaction::Hash | Redaction::Reversible, _) => {
                placeholder(finding.detector).into()
            }
        };
        Self {
            awaits_pseudonym: redaction.is_reversible(),
            ..Self::text(range, with)
        }
    }

    /// What stands in the place of a span, whatever else is known of it.
    pub(super) fn text(range: Range<usize>, with: Cow<'static, str>) -> Self {
        Self {
            range,
            with,
            awaits_pseudonym: false,
        }
    }
}

/// The hash of a finding's text.
pub(super) fn hash(fingerprints: &Fingerprints, found: &str) -> Fingerprint {
    let bytes = found.as_bytes();
    fingerprints.of(bytes.get(..MAX_HASHED_BYTES).unwrap_or(bytes))
}

/// `[email:3fa9c2d1]`.
fn hashed(detector: &str, hash: Fingerprint) -> String {
    let name = detector.rsplit('.').next().unwrap_or_default();
    let digits = hash.as_str();
    format!("[{name}:{}]", digits.get(..SHOWN_DIGITS).unwrap_or(digits))
}

/// Puts the replacements of several rules in order; where two overlap, the later one removes what the earlier leaves of it.
pub(super) fn make_disjoint(replaced: &mut Vec<Replaced>) {
    replaced.sort_by_key(|r| (r.range.start, usize::MAX - r.range.end));
    let mut end = 0;
    replaced.retain_mut(|r| {
        if r.range.end <= end {
            return false;
        }
        if r.range.start < end {
            *r = Replaced::text(end..r.range.end, Cow::Borrowed(""));
        }
        end = r.range.end;
        true
    });
}

/// The text with the replacements made, which are disjoint and in order.
pub(super) fn replace(text: &str, replaced: &[Replaced]) -> String {
    replace_in_piece(text, 0, replaced.iter()).unwrap_or_else(|| text.to_owned())
}

/// The piece that starts at `offset` of its text, with the replacements made that touch it; `None` if there are none. What
/// stands for a span that lies over several pieces is in the first of them.
pub(super) fn replace_in_piece<'r>(
    piece: &str,
    offset: usize,
    replaced: impl Iterator<Item = &'r Replaced>,
) -> Option<String> {
    let mut out = None;
    let mut at = 0;
    for Replaced { range, with, .. } in replaced {
        let out = out.get_or_insert_with(String::new);
        let start = range.start.saturating_sub(offset);
        let end = (range.end - offset).min(piece.len());
        out.push_str(piece.get(at..start).unwrap_or_default());
        if range.start >= offset {
            out.push_str(with);
        }
        at = end;
    }
    out.map(|mut out| {
        out.push_str(piece.get(at..).unwrap_or_default());
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(detector: &'static str, start: usize, end: usize) -> Finding {
        Finding {
            detector,
            start,
            end,
            confidence_percent: 90,
            explanation: "",
            continued: false,
        }
    }

    #[test]
    fn each_way_of_redacting_has_its_form() {
        let keys = Fingerprints::with_key(b"Jefe");
        let text = "what do ya want for nothing?";
        let found = finding("pii.email", 0, text.len());
        // RFC 4231, test case 2.
        let hash = Some(hash(&keys, text));
        let with = |redaction| Replaced::new(&found, redaction, text, hash).with;
        assert_eq!(with(Redaction::Placeholder), "[REDACTED:email]");
        assert_eq!(with(Redaction::Hash), "[email:5bdcc146]");
        assert_eq!(with(Redaction::Mask), "****");
        assert_eq!(
            with(Redaction::Reversible),
            "[REDACTED:email]",
            "until there is a pseudonym"
        );
        let rest = Finding {
            continued: true,
            ..found
        };
        assert_eq!(Replaced::new(&rest, Redaction::Hash, text, hash).with, "");
        let shown = format!("{:?}", Replaced::new(&found, Redaction::Mask, text, hash));
        assert!(!shown.contains("****"), "{shown}");
    }

    #[test]
    fn a_hash_is_of_a_texts_beginning() {
        let keys = Fingerprints::with_key(b"k");
        let long = "x".repeat(MAX_HASHED_BYTES);
        assert_eq!(hash(&keys, &long), hash(&keys, &format!("{long}y")));
        assert_ne!(hash(&keys, &long), hash(&keys, &long[1..]));
    }

    #[test]
    fn what_overlaps_is_replaced_once() {
        let spans = |detector, start, end| {
            Replaced::new(&finding(detector, start, end), Redaction::Placeholder, "", None)
        };
        let mut all = vec![
            spans("pii.email", 6, 12),
            spans("pii.credit_card", 2, 8),
            spans("pii.iban", 3, 5),
        ];
        make_disjoint(&mut all);
        assert_eq!(replace("0123456789abcdef", &all), "01[REDACTED:credit_card]cdef");
    }
}
