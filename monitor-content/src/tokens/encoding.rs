//! Which vocabulary a model counts with, and how far that can be trusted.

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::class::{Tally, Weights};
use super::{Vocabulary, families};

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
    /// What each class of the vocabulary's tokens costs in the model's; a thousand each when exact.
    pub weights: Weights,
}

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
        let weights = (name.split('.').scan(0, |at, part| {
            let start = *at;
            *at += part.len() + 1;
            Some(start)
        }))
        .filter_map(|start| name.get(start..))
        .find_map(families::weights);
        Self::estimated(weights.unwrap_or(Weights::flat(1000)))
    }

    /// An estimate by o200k.
    const fn estimated(weights: Weights) -> Self {
        Self {
            vocabulary: Vocabulary::O200kBase,
            certainty: Certainty::Estimated,
            weights,
        }
    }

    /// Tokens in `text`, rounded up when an estimate does not come out even.
    pub fn count(&self, text: &str) -> u64 {
        self.weigh(&self.tally(text))
    }

    /// The vocabulary's tokens in `text`; by class only where classes weigh differently.
    pub(super) fn tally(&self, text: &str) -> Tally {
        if self.certainty == Certainty::Exact {
            Tally::unclassed(self.vocabulary.count(text))
        } else {
            self.vocabulary.tally(text)
        }
    }

    pub(super) fn weigh(&self, tally: &Tally) -> u64 {
        self.weights.weigh(tally)
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
            weights: Weights::flat(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(vocabulary: Vocabulary) -> Encoding {
        Encoding {
            vocabulary,
            certainty: Certainty::Exact,
            weights: Weights::flat(1000),
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
        for (model, family) in [
            ("claude-3-5-sonnet-20241022", "claude-3"),
            ("us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3"),
            ("claude-opus-4-7", "claude"),
            ("anthropic/claude-haiku-4.5", "claude"),
            ("gemini-2.5-pro", "gemini"),
            ("Qwen/Qwen3-8B", "qwen"),
            ("meta-llama/Llama-3.1-8B-Instruct", "llama"),
            ("deepseek-chat", "deepseek"),
        ] {
            let weights = families::weights(family).unwrap();
            assert_eq!(
                Encoding::for_model(model),
                Encoding::estimated(weights),
                "{model}"
            );
        }
        for model in ["my-azure-deployment", "", "ft:", "é.ß/ü"] {
            let plain = Encoding::estimated(Weights::flat(1000));
            assert_eq!(Encoding::for_model(model), plain, "{model}");
        }
        assert_eq!(
            Encoding::for_model("text-davinci-003").certainty,
            Certainty::Estimated
        );
    }

    #[test]
    fn an_estimate_rounds_up() {
        let text = "One two three.";
        assert_eq!(Vocabulary::O200kBase.count(text), 4);
        let encoding = Encoding::estimated(Weights::flat(1200));
        assert_eq!((encoding.count(text), encoding.count("")), (5, 0));
    }
}
