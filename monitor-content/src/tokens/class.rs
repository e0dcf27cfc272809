//! Kinds of tokens, by which one vocabulary's count is turned into an estimate of another's.
//!
//! Vocabularies agree on common English words and differ in how they cut numbers, white space, symbols and other scripts.
//! So a token is put in a class by its first character, and each class weighs what it costs in the other vocabulary.

/// How many classes there are.
pub(super) const CLASSES: usize = 8;

/// Tokens of a text, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; CLASSES]);

/// Tokens of a model for a thousand tokens of each class of the vocabulary that is counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weights(pub(super) [u16; CLASSES]);

impl Weights {
    /// The same for every class.
    pub const fn flat(permille: u16) -> Self {
        Self([permille; CLASSES])
    }

    /// Tokens in the model's own count, rounded up.
    pub(super) fn weigh(&self, tally: &Tally) -> u64 {
        let products = tally.0.iter().zip(self.0);
        let sum = products.fold(0_u64, |sum, (count, weight)| {
            sum.saturating_add(count.saturating_mul(u64::from(weight)))
        });
        sum.div_ceil(1000)
    }
}

impl Tally {
    /// Notes one token.
    pub(super) fn add(&mut self, token: &[u8]) {
        if let Some(count) = self.0.get_mut(class(token)) {
            *count += 1;
        }
    }

    /// Notes tokens of which the class does not matter.
    pub(super) const fn unclassed(count: u64) -> Self {
        let mut counts = [0; CLASSES];
        counts[0] = count;
        Self(counts)
    }

    /// The tokens of two texts.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (mine, theirs) in sum.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
        sum
    }

    /// The counts: words, numbers, white space, symbols, then scripts of two-byte characters, scripts of three-byte
    /// characters below U+2000 (Indic, Thai, Georgian), those above (CJK, kana, hangul, typographic signs), and parts of
    /// characters and what takes four bytes.
    pub fn counts(&self) -> [u64; CLASSES] {
        self.0
    }
}

fn class(token: &[u8]) -> usize {
    let token = match token {
        [b' ', rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    };
    match token.first().copied().unwrap_or(b' ') {
        byte if byte.is_ascii_alphabetic() => 0,
        b'0'..=b'9' => 1,
        byte if byte.is_ascii_whitespace() => 2,
        0..0x80 => 3,
        0xc2..0xe0 => 4,
        0xe0 | 0xe1 => 5,
        0xe2..0xf0 => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_classed_by_their_first_character_after_a_space() {
        let classes = [" word", "7", "\n\n", " {", "мир", "नम", " 你好", "\u{1f600}"]
            .map(|token| class(token.as_bytes()));
        assert_eq!(classes, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!([class(b" "), class(b""), class(b"\xbf")], [2, 2, 7]);
    }

    #[test]
    fn a_weighed_tally_rounds_up_and_does_not_overflow() {
        let mut tally = Tally::default();
        tally.add(b" a");
        tally.add(b"1");
        let mut weights = Weights::flat(1000);
        weights.0[1] = 1;
        assert_eq!(weights.weigh(&tally), 2);
        assert_eq!(
            Weights::flat(u16::MAX).weigh(&Tally([u64::MAX; CLASSES])),
            u64::MAX.div_ceil(1000)
        );
    }
}
