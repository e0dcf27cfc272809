//! The forms in which a model may write a pseudonym, and how the original is written then.

use super::Pair;

/// Fewest letters and digits of a number that is looked for in other forms than its own.
const MIN_NUMBER: usize = 7;

/// How the original is written in the place of a pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it was.
    Whole,
    /// With the separators that the answer has.
    Number,
    /// As it was, where no letter or digit stands beside it.
    Word,
}

impl Form {
    pub(super) fn is_word(self) -> bool {
        self == Self::Word
    }

    /// The original in the form of what was found.
    pub(super) fn restored(self, matched: &str, fake: &str, original: &str) -> String {
        let shouts =
            |text: &str| text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase);
        match self {
            Self::Number => {
                let mut kept = original.chars().filter(char::is_ascii_alphanumeric);
                let fill = |c: char| {
                    if c.is_ascii_alphanumeric() {
                        kept.next()
                    } else {
                        Some(c)
                    }
                };
                matched.chars().filter_map(fill).collect()
            }
            Self::Word if shouts(matched) && !shouts(fake) => original.to_uppercase(),
            Self::Whole | Self::Word => original.to_owned(),
        }
    }
}

/// What is looked for, in which form, and the original for it.
pub(super) fn forms(pair: &Pair) -> Vec<(String, Form, String)> {
    let (fake, original) = (pair.fake.as_str(), pair.original.as_str());
    // An encoder of JSON may escape the plus sign; it is the same in both.
    let (fake, original) = match (fake.strip_prefix('+'), original.strip_prefix('+')) {
        (Some(fake), Some(original)) => (fake, original),
        _ => (fake, original),
    };
    let whole = |form| (fake.to_owned(), form, original.to_owned());
    if pair.detector == "pii.person" && !fake.starts_with('[') {
        let mut forms = vec![whole(Form::Word)];
        let parts = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let (fakes, originals) = (parts(fake), parts(original));
        if let ([given, family], [first, .., last]) = (fakes.as_slice(), originals.as_slice()) {
            forms.push((given.clone(), Form::Word, first.clone()));
            forms.push((family.clone(), Form::Word, last.clone()));
        }
        return forms;
    }
    let mut forms = vec![whole(Form::Whole)];
    let kept = |text: &str| text.bytes().filter(u8::is_ascii_alphanumeric).count();
    if !is_number(pair.detector) || kept(fake) != kept(original) || kept(fake) < MIN_NUMBER {
        return forms;
    }
    let groups: Vec<&str> = fake
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|group| !group.is_empty())
        .collect();
    let compact = groups.concat();
    let number = |text: String| (text, Form::Number, original.to_owned());
    let fours = |separator: &str| -> String {
        let fours: Vec<String> = compact
            .chars()
            .collect::<Vec<_>>()
            .chunks(4)
            .map(|four| four.iter().collect())
            .collect();
        fours.join(separator)
    };
    for separator in [" ", "-", ".", ""] {
        forms.push(number(groups.join(separator)));
    }
    if matches!(pair.detector, "pii.credit_card" | "pii.iban") {
        forms.extend([" ", "-"].map(|separator| number(fours(separator))));
    }
    forms
}

fn is_number(detector: &str) -> bool {
    matches!(
        detector,
        "pii.credit_card" | "pii.phone" | "pii.iban" | "pii.mac_address" | "pii.passport"
    ) || detector.starts_with("pii.national_id.")
}
