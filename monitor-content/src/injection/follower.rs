//! The detector over a text that is still growing.
//!
//! Most of what a span is scored by has been let go when its score is known. So a finding marks the place where it was
//! known: the character before the checkpoint, which is the one character that is held back, and the one after it. It can
//! alert or cut a stream; it cannot take back what was released. A stretch of attack is reported once, where it is first
//! over the threshold. Letters that are spaced out are read as they are.

use super::detector::{Injection, Stretch};
use super::reader::{Check, Reader};
use super::spans::Recent;
use crate::finding::{Ahead, Finding};

/// What is remembered of the text so far: sums, no text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follower {
    reader: Reader,
    recent: Recent,
    /// End of the last stretch over the threshold; 0 for none.
    known_to: usize,
    /// Bytes of the text before the bytes at hand.
    dropped: usize,
    /// Bytes read, of those at hand.
    read: usize,
}

impl Follower {
    /// Takes note that `bytes` were dropped from the front.
    pub(crate) fn rebase(&mut self, bytes: usize) {
        self.dropped += bytes;
        self.read = self.read.saturating_sub(bytes);
    }

    /// Reads what is new in `text`, appends what it found, and returns the start of what is held: the last character.
    pub(crate) fn advance(
        &mut self,
        injection: &Injection,
        text: &[u8],
        ahead: Ahead,
        out: &mut Vec<Finding>,
    ) -> usize {
        let Self {
            reader,
            recent,
            known_to,
            dropped,
            read,
        } = self;
        let mut see = |recent: &mut Recent, check: Check| {
            if let Some(new) = injection.worst(recent, check) {
                if *known_to == 0 || new.start > *known_to {
                    out.push(finding(injection, text, check.at.saturating_sub(*dropped), new));
                }
                *known_to = new.end.max(*known_to);
            }
        };
        let new = text.get(*read..).unwrap_or_default();
        reader.read(injection.head(), new, &mut |check| see(recent, check));
        *read = text.len();
        match ahead {
            Ahead::Nothing => reader.finish(injection.head(), &mut |check| see(recent, check)),
            // What is let go now may be all there is of an attack.
            Ahead::Cut => {
                let mut recent = recent.clone();
                reader
                    .clone()
                    .finish(injection.head(), &mut |check| see(&mut recent, check));
            }
            Ahead::Wait => return previous(text, text.len()),
        }
        text.len()
    }
}

/// The start of the character before `at`.
fn previous(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before
        .iter()
        .rposition(|byte| *byte < 0x80 || *byte >= 0xC0)
        .unwrap_or(0)
}

fn finding(injection: &Injection, text: &[u8], at: usize, stretch: Stretch) -> Finding {
    let rest = text.get(at..).unwrap_or_default();
    let width = rest
        .iter()
        .skip(1)
        .take_while(|byte| (0x80..0xC0).contains(*byte))
        .count()
        + usize::from(!rest.is_empty());
    Finding {
        explanation: "wording of instructions to an assistant before this place, by a trained model",
        ..injection.finding(previous(text, at)..at + width, stretch.score)
    }
}
