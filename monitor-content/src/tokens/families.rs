//! Families of models whose vocabulary is not built in, and how their tokens are estimated from o200k's.
//!
//! Where a publisher ships the vocabulary, the weights are fitted to it by `cargo xtask measure-tokens`, which prints how
//! far they are off on text that was not fitted on. Where none does, they are one ratio for all text.

use super::class::Weights;

/// The vocabulary of Gemma 3, which is Gemini's.
const GEMINI: Weights = Weights([963, 1267, 1734, 1282, 971, 793, 792, 479]);
/// Tekken, of Mistral's models since 2024.
const MISTRAL: Weights = Weights([1020, 1418, 984, 1074, 1020, 1187, 926, 975]);
const LLAMA: Weights = Weights([1075, 1035, 1008, 915, 1191, 1802, 977, 727]);
const QWEN: Weights = Weights([1093, 1350, 1059, 892, 1234, 3069, 905, 732]);
const DEEPSEEK: Weights = Weights([1147, 1412, 1286, 898, 1175, 1961, 858, 651]);
const COMMAND: Weights = Weights([936, 1202, 1016, 1287, 905, 2377, 739, 572]);
const CLAUDE_2: Weights = Weights([1219, 996, 1066, 1003, 2603, 3923, 1533, 734]);
/// Anthropic publishes no vocabulary of these. By users' reports of its own counts, older models need a fifth more than
/// o200k on English text, newer ones half as much again.
const CLAUDE_OLDER: Weights = Weights::flat(1200);
const CLAUDE: Weights = Weights::flat(1550);

/// By how a model's name begins; the first match counts.
const FAMILIES: &[(&str, Weights)] = &[
    ("claude-instant", CLAUDE_2),
    ("claude-2", CLAUDE_2),
    ("claude-3", CLAUDE_OLDER),
    ("claude-sonnet-4-0", CLAUDE_OLDER),
    ("claude-sonnet-4-2025", CLAUDE_OLDER),
    ("claude-opus-4-0", CLAUDE_OLDER),
    ("claude-opus-4-1", CLAUDE_OLDER),
    ("claude-opus-4-2025", CLAUDE_OLDER),
    ("claude", CLAUDE),
    ("gemini", GEMINI),
    ("gemma", GEMINI),
    ("llama", LLAMA),
    ("meta-llama", LLAMA),
    ("qwen", QWEN),
    ("qwq", QWEN),
    ("deepseek", DEEPSEEK),
    ("command", COMMAND),
    ("mistral", MISTRAL),
    ("ministral", MISTRAL),
    ("magistral", MISTRAL),
    ("codestral", MISTRAL),
    ("devstral", MISTRAL),
    ("pixtral", MISTRAL),
    ("mixtral", MISTRAL),
    ("open-mistral", MISTRAL),
    ("open-mixtral", MISTRAL),
];

/// The weights of the family that `name` begins as, in any case of letters.
pub(super) fn weights(name: &str) -> Option<Weights> {
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|lead| lead.eq_ignore_ascii_case(prefix))
    };
    FAMILIES
        .iter()
        .find(|(prefix, _)| begins(prefix))
        .map(|(_, weights)| *weights)
}
