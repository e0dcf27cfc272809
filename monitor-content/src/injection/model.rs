//! The trained weights, as the training script wrote them, read where they lie in the program.

use crate::Profile;

const BITS: u32 = 18;
/// Buckets of character n-grams, and as many of word n-grams after them.
const BUCKETS: usize = 1 << BITS;
/// A signed byte a bucket, then scale, bias, calibration's slope and offset, and threshold as little-endian `f32`.
const HEAD_BYTES: usize = 2 * BUCKETS + 5 * 4;
/// A span of fewer features is scored as if it had so many, so that two words alone prove nothing.
const FLOOR: u64 = 100;

static OWN: &[u8; HEAD_BYTES] = include_bytes!("own.bin");
static UNTRUSTED: &[u8; HEAD_BYTES] = include_bytes!("untrusted.bin");

/// One trained model: what text of one origin is judged by.
#[derive(Clone, Copy)]
pub(super) struct Head {
    bytes: &'static [u8; HEAD_BYTES],
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Head(threshold {:.2})", self.threshold())
    }
}

impl Head {
    /// The model for text of this origin.
    pub(super) fn of(profile: Profile) -> &'static Self {
        static HEADS: [Head; 2] = [Head { bytes: OWN }, Head { bytes: UNTRUSTED }];
        match profile {
            Profile::Own => &HEADS[0],
            Profile::Untrusted => &HEADS[1],
        }
    }

    /// The weight of a character n-gram's hash.
    pub(super) fn character(&self, hash: u32) -> i32 {
        i32::from(self.bytes[(hash >> (32 - BITS)) as usize].cast_signed())
    }

    /// The weight of a word n-gram's hash.
    pub(super) fn word(&self, hash: u32) -> i32 {
        i32::from(self.bytes[BUCKETS + (hash >> (32 - BITS)) as usize].cast_signed())
    }

    /// The score of a span by the sum of its weights and the number of its features, without the bias.
    pub(super) fn score(&self, sum: i64, features: u64) -> f64 {
        sum as f64 * self.number(0) / (features.max(FLOOR) as f64).sqrt()
    }

    /// What is added to every score.
    pub(super) fn bias(&self) -> f64 {
        self.number(1)
    }

    /// The calibrated probability of a score with its bias.
    pub(super) fn probability(&self, score: f64) -> f32 {
        let z = (self.number(2) * score + self.number(3)).clamp(-60.0, 60.0);
        (1.0 / (1.0 + (-z).exp())) as f32
    }

    /// The score, without bias, that has this probability.
    pub(super) fn score_of(&self, probability: f64) -> f64 {
        let p = probability.clamp(1e-6, 1.0 - 1e-6);
        ((p / (1.0 - p)).ln() - self.number(3)) / self.number(2) - self.bias()
    }

    /// The probability from which on a text counts as an attack, unless a policy says otherwise.
    pub(super) fn threshold(&self) -> f64 {
        self.number(4)
    }

    fn number(&self, index: usize) -> f64 {
        let at = 2 * BUCKETS + 4 * index;
        let bytes = [
            self.bytes[at],
            self.bytes[at + 1],
            self.bytes[at + 2],
            self.bytes[at + 3],
        ];
        f64::from(f32::from_le_bytes(bytes))
    }
}
