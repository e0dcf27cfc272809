//! Placeholders in place of findings.

use crate::{Finding, placeholder};

/// Copies `text` with every finding replaced by its detector's [`placeholder`].
///
/// `findings` must come from a scan of this text: in order, disjoint, on character boundaries. A continued
/// finding is removed without a second placeholder. A span that does not lie in the text is ignored.
pub fn redact(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in findings {
        let (Some(clean), Some(_)) = (text.get(at..finding.start), text.get(finding.start..finding.end))
        else {
            continue;
        };
        out.push_str(clean);
        if !finding.continued {
            out.push_str(placeholder(finding.detector));
        }
        at = finding.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Detectors, Scanned};

    #[test]
    fn replaces_each_finding_once() {
        let detectors = Detectors::compile(&["pii.*"]).unwrap();
        let text = "Pay with 4111 1111 1111 1111, receipt to anna@example.org – thanks";
        let mut findings = Vec::new();
        assert_eq!(detectors.scan(text, &mut findings), Scanned::Whole);
        assert_eq!(
            redact(text, &findings),
            "Pay with [REDACTED:credit_card], receipt to [REDACTED:email] – thanks"
        );
        assert_eq!(redact(text, &[]), text);
    }

    #[test]
    fn a_span_outside_the_text_changes_nothing() {
        let stray = Finding {
            detector: "pii.email",
            start: 2,
            end: 90,
            confidence_percent: 1,
            explanation: "",
            continued: false,
        };
        assert_eq!(redact("short", &[stray]), "short");
    }
}
