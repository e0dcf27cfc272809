//! Masks: what is customary to show of a text that is not to be read.

/// What stands for text of which nothing is customarily shown.
const HIDDEN: &str = "****";

/// The mask of a finding's text: of a card its last four digits (`**** 1111`), of an e-mail address its first letter and
/// its domain (`a****@example.org`), of a phone number its last two digits, of an IBAN its country and last four
/// characters; of everything else nothing, its length neither.
///
/// It needs no escaping in a JSON string.
#[must_use]
pub fn mask(detector: &str, text: &str) -> String {
    let shown = match detector {
        "pii.credit_card" => last(text, 4).map(|last| format!("{HIDDEN} {last}")),
        "pii.phone" => last(text, 2).map(|last| format!("{HIDDEN} {last}")),
        "pii.email" => email(text),
        "pii.iban" => iban(text),
        _ => None,
    };
    shown.unwrap_or_else(|| HIDDEN.to_owned())
}

/// The last `n` letters and digits; `None` where that would be half of them or more.
fn last(text: &str, n: usize) -> Option<String> {
    let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let hidden = kept.len().checked_sub(n).filter(|hidden| *hidden > n)?;
    kept.get(hidden..).map(str::to_owned)
}

fn email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let first = local.chars().next().filter(|first| first.is_alphanumeric())?;
    domain
        .chars()
        .all(plain)
        .then(|| format!("{first}{HIDDEN}@{domain}"))
}

fn iban(text: &str) -> Option<String> {
    let country = text.get(..2)?;
    let is_country = country.bytes().all(|byte| byte.is_ascii_alphabetic());
    let last = last(text, 4).filter(|_| is_country)?;
    Some(format!("{country}{HIDDEN}{last}"))
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn what_is_customary_is_shown() {
        for (detector, text, expected) in [
            ("pii.credit_card", "4111 1111 1111 1234", "**** 1234"),
            ("pii.credit_card", "378282246310005", "**** 0005"),
            ("pii.email", "anna.miller@example.org", "a****@example.org"),
            ("pii.email", "é@exämple.org", "é****@exämple.org"),
            ("pii.phone", "+49 (30) 1234-567", "**** 67"),
            ("pii.iban", "DE89 3704 0044 0532 0130 00", "DE****3000"),
            ("pii.national_id.us_ssn", "078-05-1120", "****"),
            ("secret.github", "ghp_abcdefghijklmnopqrstuvwxyz", "****"),
        ] {
            assert_eq!(mask(detector, text), expected);
        }
    }

    #[test]
    fn what_is_not_of_the_expected_form_is_hidden() {
        for (detector, text) in [
            ("pii.credit_card", "1111"),
            ("pii.email", "no address"),
            ("pii.email", "a@\"quoted\""),
            ("pii.email", "@"),
            ("pii.phone", "12"),
            ("pii.iban", "é"),
            ("pii.iban", "12345678901234"),
        ] {
            assert_eq!(mask(detector, text), "****", "{text}");
        }
    }
}
