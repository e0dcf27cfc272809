//! Which vocabulary a model counts with, and how far that can be trusted.

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::Vocabulary;

/// Whether a count is the provider's own or derived from another model's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// The model's own vocabulary: the tokens of a text are exactly these.
    Exact,
    /// Another vocabulary's count times a ratio measured on English text.
    Estimated,
}

/// How the tokens of one model are counted. Small, to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The vocabulary that is counted with.
    pub vocabulary: Vocabulary,
    /// Whether it is the model's own.
    pub certainty: Certainty,
    /// Tokens of the model for a thousand tokens of the vocabulary; 1000 when exact.
    pub ratio_permille: u32,
}

/// Families whose vocabulary is not built in, by how their names begin, with their tokens for a thousand of
/// o200k on English text or code, whichever is more. The first match counts.
const FAMILIES: &[(&str, u32)] = &[
    // Anthropic publishes no vocabulary. Older models need a fifth more than o200k, newer ones half as much again.
    ("claude-instant", 1200),
    ("claude-2", 1200),
    ("claude-3", 1200),
    ("claude-sonnet-4-0", 1200),
    ("claude-sonnet-4-2025", 1200),
    ("claude-opus-4-0", 1200),
    ("claude-opus-4-1", 1200),
    ("claude-opus-4-2025", 1200),
    ("claude", 1550),
    ("gemini", 1210),
    ("gemma", 1210),
    ("llama", 1000),
    ("meta-llama", 1000),
    ("qwen", 1050),
    ("qwq", 1050),
    ("deepseek", 1080),
    ("mistral", 1090),
    ("ministral", 1090),
    ("magistral", 1090),
    ("codestral", 1090),
    ("devstral", 1090),
    ("pixtral", 1090),
    ("mixtral", 1090),
    ("open-mistral", 1090),
    ("open-mixtral", 1090),
];

impl Encoding {
    /// The encoding of the model that a request names: dated snapshots, fine-tunes (`ft:gpt-4o:…`) and names behind a
    /// router's or cloud's prefix (`openai/gpt-4o`, `us.anthropic.claude-…`) are the model's. Any other name, such as
    /// an Azure deployment's, is an estimate by o200k.
    pub fn for_model(model: &str) -> Self {
        if let Some(exact) = Self::of_openai(model) {
            return exact;
        }
        let name = model.rsplit('/').next().unwrap_or(model);
        if let Some(exact) = Self::of_openai(name) {
            return exact;
        }
        let ratio = (name.split('.').scan(0, |at, part| {
            let start = *at;
            *at += part.len() + 1;
            Some(start)
        }))
        .filter_map(|start| name.get(start..))
        .find_map(family_ratio);
        Self::estimated(ratio.unwrap_or(1000))
    }

    /// An estimate by o200k with a ratio learnt elsewhere, such as from a provider's own usage figures.
    pub const fn estimated(ratio_permille: u32) -> Self {
        Self {
            vocabulary: Vocabulary::O200kBase,
            certainty: Certainty::Estimated,
            ratio_permille,
        }
    }

    /// Tokens in `text`, rounded up when the ratio does not come out even.
    pub fn count(&self, text: &str) -> u64 {
        self.scaled(self.vocabulary.count(text))
    }

    pub(super) fn scaled(&self, tokens: u64) -> u64 {
        if self.ratio_permille == 1000 {
            tokens
        } else {
            tokens
                .saturating_mul(u64::from(self.ratio_permille))
                .div_ceil(1000)
        }
    }

    fn of_openai(model: &str) -> Option<Self> {
        let (vocabulary, certainty) = match get_tokenizer(model)? {
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => (Vocabulary::O200kBase, Certainty::Exact),
            Tokenizer::Cl100kBase => (Vocabulary::Cl100kBase, Certainty::Exact),
            // The vocabularies of models shut down long ago are not built in.
            Tokenizer::P50kBase | Tokenizer::R50kBase | Tokenizer::P50kEdit | Tokenizer::Gpt2 => {
                (Vocabulary::Cl100kBase, Certainty::Estimated)
            }
        };
        Some(Self {
            vocabulary,
            certainty,
            ratio_permille: 1000,
        })
    }
}

fn family_ratio(name: &str) -> Option<u32> {
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|lead| lead.eq_ignore_ascii_case(prefix))
    };
    FAMILIES
        .iter()
        .find(|(prefix, _)| begins(prefix))
        .map(|(_, ratio)| *ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(vocabulary: Vocabulary) -> Encoding {
        Encoding {
            vocabulary,
            certainty: Certainty::Exact,
            ratio_permille: 1000,
        }
    }

    #[test]
    fn openai_models_are_exact() {
        for model in [
            "gpt-4o",
            "gpt-4o-2024-08-06",
            "gpt-4o-mini",
            "ft:gpt-4o-mini:org::id",
            "o3",
            "gpt-5.2",
            "gpt-oss-20b",
            "openai/gpt-4o",
            "openai/gpt-oss-120b",
            "gpt-4.1-mini",
        ] {
            assert_eq!(
                Encoding::for_model(model),
                exact(Vocabulary::O200kBase),
                "{model}"
            );
        }
        for model in [
            "gpt-4",
            "gpt-4-0613",
            "gpt-3.5-turbo",
            "gpt-35-turbo",
            "text-embedding-3-small",
            "ft:gpt-3.5-turbo:o:n:i",
        ] {
            assert_eq!(
                Encoding::for_model(model),
                exact(Vocabulary::Cl100kBase),
                "{model}"
            );
        }
    }

    #[test]
    fn others_are_estimates() {
        for (model, ratio) in [
            ("claude-3-5-sonnet-20241022", 1200),
            ("claude-sonnet-4-20250514", 1200),
            ("claude-opus-4-7", 1550),
            ("us.anthropic.claude-3-haiku-20240307-v1:0", 1200),
            ("anthropic/claude-haiku-4.5", 1550),
            ("gemini-2.5-pro", 1210),
            ("Qwen/Qwen3-8B", 1050),
            ("meta-llama/Llama-3.1-8B-Instruct", 1000),
            ("deepseek-chat", 1080),
            ("my-azure-deployment", 1000),
            ("", 1000),
            ("ft:", 1000),
            ("é.ß/ü", 1000),
        ] {
            assert_eq!(Encoding::for_model(model), Encoding::estimated(ratio), "{model}");
        }
        assert_eq!(
            Encoding::for_model("text-davinci-003").certainty,
            Certainty::Estimated
        );
    }

    #[test]
    fn an_estimate_rounds_up() {
        let text = "One two three.";
        let tokens = Vocabulary::O200kBase.count(text);
        assert_eq!(tokens, 4);
        assert_eq!(Encoding::estimated(1200).count(text), 5);
        assert_eq!(Encoding::estimated(1200).count(""), 0);
    }
}
