//! Tokens of an image, by what providers publish of each family of models.
//!
//! OpenAI: "Images and vision", tiles of 512 pixels for the models before 2025-04 and their successors by name, patches of
//! 32 pixels for the small ones after (the factors of the small gpt-5 models are those its own price calculator uses, and
//! that users measure; its text says others). Anthropic: "Vision", patches of 28 pixels. Google: "Understand and count
//! tokens", tiles of 768 pixels before Gemini 3, a fixed number from there on.

use super::Size;

/// How a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formula {
    /// Fit into 2048 pixels with the shorter side at most 768; so many tokens and so many for each tile of 512.
    Tiles { base: u64, each: u64 },
    /// Patches of 32 pixels, 1536 of them at most; tokens for a thousand.
    Patches { permille: u64 },
    /// Patches of 28 pixels, after fitting into a longest side and a number of patches.
    Claude { longest: u32, most: u64 },
    /// Tiles of 768 pixels, or one where both sides are 384 at most.
    Gemini,
    /// The same for every image.
    Fixed(u64),
}

use Formula::{Claude, Fixed, Gemini, Patches, Tiles};

/// Most patches of 32 pixels that an image is scaled to.
const MOST_PATCHES: u64 = 1536;

/// By how a model's name begins; the first match counts.
const FAMILIES: &[(&str, Formula)] = &[
    (
        "gpt-4o-mini",
        Tiles {
            base: 2833,
            each: 5667,
        },
    ),
    ("gpt-4.1-mini", Patches { permille: 1620 }),
    ("gpt-4.1-nano", Patches { permille: 2460 }),
    ("gpt-5-mini", Patches { permille: 1200 }),
    ("gpt-5-nano", Patches { permille: 1500 }),
    ("o4-mini", Patches { permille: 1720 }),
    ("gpt-4o", Tiles { base: 85, each: 170 }),
    ("chatgpt-4o", Tiles { base: 85, each: 170 }),
    ("gpt-4.1", Tiles { base: 85, each: 170 }),
    ("gpt-4.5", Tiles { base: 85, each: 170 }),
    ("gpt-4-turbo", Tiles { base: 85, each: 170 }),
    ("o1", Tiles { base: 75, each: 150 }),
    ("o3", Tiles { base: 75, each: 150 }),
    ("gpt-5.1", Tiles { base: 70, each: 140 }),
    ("gpt-5-", Tiles { base: 70, each: 140 }),
    ("claude-opus-4-7", CLAUDE_LARGE),
    ("claude-opus-4-8", CLAUDE_LARGE),
    ("claude-opus-5", CLAUDE_LARGE),
    ("claude-sonnet-5", CLAUDE_LARGE),
    (
        "claude",
        Claude {
            longest: 1568,
            most: 1568,
        },
    ),
    ("gemini-1", Gemini),
    ("gemini-2", Gemini),
    ("gemini-3", Fixed(1120)),
    ("gemma-3", Fixed(256)),
];

const CLAUDE_LARGE: Formula = Claude {
    longest: 2576,
    most: 4784,
};

/// Tokens of an image of `size` in a prompt of `model`; `low`: the request asks for little detail. `None` where no formula
/// is published, or the size is not known and matters.
pub(crate) fn tokens(model: &str, size: Option<Size>, low: bool) -> Option<u64> {
    match (formula(model)?, size) {
        (Fixed(tokens), _) => Some(tokens),
        (Tiles { base, .. }, _) if low => Some(base),
        (Tiles { base, each }, Some(size)) => Some(base + each * size.fit(2048, 768).tiles(512)),
        (Patches { permille }, Some(size)) => {
            let patches = size.tiles(32).min(MOST_PATCHES);
            Some((patches * permille).div_ceil(1000))
        }
        (Claude { longest, most }, Some(size)) => Some(size.fit(longest, longest).tiles(28).min(most)),
        (Gemini, Some(size)) if size.width <= 384 && size.height <= 384 => Some(258),
        (Gemini, Some(size)) => Some(258 * size.tiles(768)),
        (_, None) => None,
    }
}

/// Names behind a router's or cloud's prefix (`openai/gpt-4o`, `us.anthropic.claude-…`) are the model's.
fn formula(model: &str) -> Option<Formula> {
    if model == "gpt-5" {
        return Some(Tiles { base: 70, each: 140 });
    }
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, name)| name);
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|lead| lead.eq_ignore_ascii_case(prefix))
    };
    let family = FAMILIES.iter().find(|(prefix, _)| begins(prefix));
    family.map(|(_, formula)| *formula)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str, width: u32, height: u32) -> Option<u64> {
        tokens(model, Some(Size { width, height }), false)
    }

    #[test]
    fn the_published_examples() {
        assert_eq!(of("gpt-4o", 1024, 1024), Some(765));
        assert_eq!(of("openai/gpt-4o-2024-08-06", 2048, 4096), Some(1105));
        assert_eq!(tokens("gpt-4o", None, true), Some(85));
        assert_eq!(of("gpt-4o-mini", 512, 512), Some(8500));
        assert_eq!(of("gpt-5-mini", 1280, 720), Some(1104));
        assert_eq!(of("gpt-4.1-mini", 4000, 1474), Some(2489), "capped");
        assert_eq!(of("gemini-2.5-flash", 384, 384), Some(258));
        assert_eq!(of("gemini-2.5-flash", 960, 540), Some(516));
        assert_eq!(of("claude-sonnet-4-5", 1000, 1000), Some(36 * 36));
        assert_eq!(
            of("us.anthropic.claude-3-haiku-20240307-v1:0", 8000, 8000),
            Some(1568)
        );
        assert_eq!(of("claude-opus-4-7", 1920, 1080), Some(69 * 39));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(of("my-azure-deployment", 10, 10), None);
        assert_eq!(of("gpt-6", 10, 10), None);
        assert_eq!(tokens("gpt-4o", None, false), None, "the image is behind a URL");
        assert_eq!(tokens("gemini-3-pro", None, false), Some(1120));
    }
}
