//! The vocabularies that are built in.

use super::class::Tally;
use super::merge;
use super::ranks::{self, Ranks};
use super::split::Pattern;

/// A built-in byte-pair vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vocabulary {
    /// GPT-4o and later; `o200k_harmony` of gpt-oss reads ordinary text the same.
    O200kBase,
    /// GPT-4, GPT-3.5 and the embedding models.
    Cl100kBase,
}

impl Vocabulary {
    /// Reads the tables into memory and builds the pattern now, so that the first request does not wait for it.
    pub fn preload(self) {
        self.count("naïve 你好");
        self.ranks().touch();
    }

    /// Tokens in `text`. The cost of a byte is bounded, whatever the text.
    pub fn count(self, text: &str) -> u64 {
        let mut tokens = 0;
        self.tokens(text, |_| tokens += 1);
        tokens
    }

    /// Tokens in `text`, by class.
    pub fn tally(self, text: &str) -> Tally {
        let mut tally = Tally::default();
        let mut rest = text.as_bytes();
        self.tokens(text, |length| {
            let (token, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            tally.add(token);
            rest = after;
        });
        tally
    }

    /// Calls `token` with the length in bytes of each token of `text`, in order.
    pub(super) fn tokens(self, text: &str, mut token: impl FnMut(usize)) {
        let pattern = match self {
            Self::O200kBase => Pattern::O200k,
            Self::Cl100kBase => Pattern::Cl100k,
        };
        let ranks = self.ranks();
        pattern.split(text, |piece| merge::tokens(ranks, piece, &mut token));
    }

    fn ranks(self) -> &'static Ranks {
        match self {
            Self::O200kBase => &ranks::O200K,
            Self::Cl100kBase => &ranks::CL100K,
        }
    }
}
