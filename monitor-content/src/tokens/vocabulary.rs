//! The vocabularies that are built in.

use bpe_openai::Tokenizer;

/// A built-in byte-pair vocabulary. Each is decoded when it is first used and then stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vocabulary {
    /// GPT-4o and later; `o200k_harmony` of gpt-oss reads ordinary text the same.
    O200kBase,
    /// GPT-4, GPT-3.5 and the embedding models.
    Cl100kBase,
}

impl Vocabulary {
    /// Decodes the vocabulary now, so that the first request does not wait for it.
    pub fn preload(self) {
        self.tokenizer();
    }

    /// Tokens in `text`. Linear in its length, whatever it is.
    pub fn count(self, text: &str) -> u64 {
        if text.is_empty() {
            0
        } else {
            self.tokenizer().count(text) as u64
        }
    }

    pub(super) fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::O200kBase => bpe_openai::o200k_base(),
            Self::Cl100kBase => bpe_openai::cl100k_base(),
        }
    }
}
