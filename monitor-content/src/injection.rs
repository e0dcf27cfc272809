//! Prompt injection: text that gives an assistant orders it should not take.
//!
//! A linear model over hashed character and word n-grams, trained by `cargo xtask train-injection`; what it learned from,
//! how well it does and what it cannot see is in `docs/injection-model.md`.
//!
//! 1. [`reader`] reads folded text once and adds up the weights of its features.
//! 2. [`spans`] scores the spans of about 150, 600 and 2,300 characters that end at each checkpoint: two prefix sums each.
//! 3. [`detector`] reports the spans over the threshold, without their harmless ends, out to the borders of sentences;
//!    [`follower`] does so for a text that is still growing.
//!
//! [`reader`]: self::reader
//! [`spans`]: self::spans
//! [`detector`]: self::detector
//! [`follower`]: self::follower

mod character;
mod detector;
mod follower;
mod model;
mod reader;
mod spans;

pub(crate) use detector::{DESCRIBED, Injection};
pub(crate) use follower::Follower;

use crate::detectors::MAX_LAYERS;
use crate::fold::Encoded;
use crate::{Folded, Profile};
use model::Head;
use reader::Reader;
use spans::Recent;

/// How likely `text` is, or contains, a prompt injection: the calibrated probability, 0 to 1, of its worst span.
///
/// Calibrated on as many attacks as harmless texts; take it as a score to rank by, not as a share of real traffic.
pub fn injection_score(text: &str, profile: Profile) -> f32 {
    let head = Head::of(profile);
    head.probability(worst_of_layers(head, text, MAX_LAYERS))
}

/// The score of the worst span of a text, as it is, with spaced-out letters joined, and of what it has in base64.
fn worst_of_layers(head: &Head, text: &str, layers: usize) -> f64 {
    let folded = Folded::of(text);
    let mut worst = worst_score(head, folded.text());
    if let Some(joined) = folded.joined() {
        worst = worst.max(worst_score(head, joined.text()));
    }
    let mut at = 0;
    while layers > 0
        && let Some(encoded) = Encoded::next(folded.text(), &mut at)
    {
        worst = worst.max(worst_of_layers(head, encoded.text(), layers - 1));
    }
    worst
}

/// The score of the worst span of a folded text.
fn worst_score(head: &Head, folded: &str) -> f64 {
    let mut recent = Recent::default();
    let mut worst = f64::MIN;
    let mut reader = Reader::default();
    let mut see = |check| recent.push(head, check, |span| worst = worst.max(span.score));
    reader.read(head, folded.as_bytes(), &mut see);
    reader.finish(head, &mut see);
    worst + head.bias()
}

#[cfg(test)]
mod tests;
