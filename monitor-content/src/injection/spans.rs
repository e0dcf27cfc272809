//! The spans that end at a checkpoint.

use super::model::Head;
use super::reader::Check;

/// How many checkpoints before its end a span starts: about 150, 600 and 2,300 characters.
const BACK: [usize; 3] = [4, 16, 64];
/// Checkpoints to remember: the longest span's start, and the one at hand.
const RING: usize = 128;

/// A span and its score, without bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Checkpoints from its start to its end.
    pub(super) back: usize,
    pub(super) score: f64,
}

/// The last checkpoints.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    ring: [Check; RING],
    /// The number of checkpoints so far, the text's start among them.
    seen: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            ring: [Check::default(); RING],
            seen: 1,
        }
    }
}

impl Recent {
    /// The checkpoint `back` before the last one.
    pub(super) fn before(&self, back: usize) -> Check {
        self.ring[(self.seen - 1).saturating_sub(back) % RING]
    }

    /// Takes the next checkpoint and shows the spans that end there, shortest first.
    pub(super) fn push(&mut self, head: &Head, check: Check, mut see: impl FnMut(Span)) {
        self.ring[self.seen % RING] = check;
        self.seen += 1;
        for back in BACK {
            let back = back.min(self.seen - 1);
            let start = self.before(back);
            see(Span {
                back,
                score: head.score(check.sum - start.sum, check.features - start.features),
            });
            if back == self.seen - 1 {
                break;
            }
        }
    }
}
