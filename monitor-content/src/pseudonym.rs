//! Pseudonyms: texts of the same type that stand for what was found, and are replaced by it again in the answer.
//!
//! 1. [`Pseudonyms::add`] takes each finding's text. What stands for it is chosen by a key and the text, so that the same
//!    text has the same pseudonym in the next prompt and a provider's cache of prompts goes on working.
//! 2. [`Pseudonyms::settle`] reads the prompt: a pseudonym that is somewhere in it, in whichever form it would be restored
//!    from, is chosen anew. No two texts share one.
//! 3. [`Pseudonyms::get`] says what stands for a text; [`Restorer`] and [`Restoration`] find it in the answer, with other
//!    separators or letters in another case too, and give the original in the same form.
//!
//! The texts live here only. No debug output shows them.

mod dice;
mod fake;
mod form;
mod names;
mod restorer;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use dice::Dice;
pub use dice::Keyed;
pub use restorer::{Restoration, Restored, Restorer};

/// Most texts of one exchange that have pseudonyms. A prompt with more is a dump of data, which no answer repeats.
pub const MAX_PSEUDONYMS: usize = 1_024;
/// Longest text that has a pseudonym: a private key is some 3 KiB.
pub const MAX_ORIGINAL_BYTES: usize = 4 * 1_024;
/// Most bytes of all texts that have pseudonyms.
pub const MAX_ORIGINALS_BYTES: usize = 256 * 1_024;

/// Times that a pseudonym that is taken is chosen anew.
const MAX_ATTEMPTS: u32 = 16;
/// Times that the prompt is read for pseudonyms. Already the first hardly finds any.
const MAX_READINGS: usize = 4;

/// The pseudonyms of one exchange, or of one conversation.
#[derive(Clone, Default)]
pub struct Pseudonyms {
    pairs: Vec<Pair>,
    /// Places in `pairs`, by original.
    known: HashMap<String, usize>,
    /// Letters and digits of the pseudonyms, in lower case.
    taken: HashSet<String>,
    originals_bytes: usize,
    /// Pairs before this one have been compared with a prompt.
    settled: usize,
}

/// A text and what stands for it.
#[derive(Clone)]
struct Pair {
    detector: &'static str,
    original: String,
    /// Empty where there is none.
    fake: String,
    attempt: u32,
}

impl fmt::Debug for Pseudonyms {
    /// Never shows a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pseudonyms", self.pairs.len())
    }
}

impl Pseudonyms {
    /// Chooses what stands for the text of a finding. A text beyond the bounds gets nothing.
    pub fn add(&mut self, detector: &'static str, original: &str, keyed: Keyed<'_>) {
        if original.is_empty() || self.known.contains_key(original) {
            return;
        }
        let fits = self.pairs.len() < MAX_PSEUDONYMS
            && original.len() <= MAX_ORIGINAL_BYTES
            && self.originals_bytes + original.len() <= MAX_ORIGINALS_BYTES;
        if !fits {
            return;
        }
        self.originals_bytes += original.len();
        self.known.insert(original.to_owned(), self.pairs.len());
        self.pairs.push(Pair {
            detector,
            original: original.to_owned(),
            fake: String::new(),
            attempt: 0,
        });
        self.choose(self.pairs.len() - 1, keyed);
    }

    /// Chooses anew what is somewhere in the prompt that the texts were found in.
    pub fn settle<'t>(&mut self, prompt: impl Iterator<Item = &'t str> + Clone, keyed: Keyed<'_>) {
        for reading in 1..=MAX_READINGS {
            let new = self.pairs.iter().enumerate().skip(self.settled);
            let Some(restorer) = Restorer::new(new.filter(|(_, pair)| !pair.fake.is_empty())) else {
                break;
            };
            let mut met = HashSet::new();
            for text in prompt.clone() {
                restorer.meet(text, &mut met);
            }
            if met.is_empty() {
                break;
            }
            for at in met {
                if reading < MAX_READINGS {
                    self.choose(at, keyed);
                } else if let Some(pair) = self.pairs.get_mut(at) {
                    pair.fake.clear();
                }
            }
        }
        self.settled = self.pairs.len();
    }

    /// What stands for a text; `None` where it has no pseudonym.
    #[must_use]
    pub fn get(&self, original: &str) -> Option<&str> {
        let pair = self.pairs.get(*self.known.get(original)?)?;
        Some(pair.fake.as_str()).filter(|fake| !fake.is_empty())
    }

    /// What finds them in the answer; `None` where there are none.
    #[must_use]
    pub fn restorer(&self) -> Option<Arc<Restorer>> {
        let all = self.pairs.iter().enumerate();
        Restorer::new(all.filter(|(_, pair)| !pair.fake.is_empty())).map(Arc::new)
    }

    fn choose(&mut self, at: usize, keyed: Keyed<'_>) {
        let Some(pair) = self.pairs.get_mut(at) else {
            return;
        };
        pair.fake.clear();
        while pair.attempt < MAX_ATTEMPTS {
            let mut dice = Dice::new(keyed, pair.detector, &pair.original, pair.attempt);
            let fake = if pair.attempt < MAX_ATTEMPTS / 2 {
                fake::fake(pair.detector, &pair.original, &mut dice)
            } else {
                fake::token(pair.detector, &mut dice)
            };
            pair.attempt += 1;
            if !self.known.contains_key(&fake) && self.taken.insert(compact(&fake)) {
                pair.fake = fake;
                return;
            }
        }
    }
}

/// What makes two pseudonyms the same in an answer, whatever their separators.
fn compact(fake: &str) -> String {
    let kept = fake.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
