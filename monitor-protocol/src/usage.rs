//! Tokens as the provider counts them.

use crate::{JsonError, json::Reader};

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// The provider said so, or the count follows its published rule to the token.
    Exact,
    /// Counted here by a rule that is close.
    Estimated,
    /// Counted here, and something that costs tokens is not in the count.
    UnderEstimate,
}

/// Tokens of one exchange in disjoint buckets: their sum is what was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens neither read from nor written to a cache.
    pub input: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache.
    pub cache_write: u64,
    /// Tokens of the answer, without reasoning.
    pub output: u64,
    /// Tokens spent on reasoning, shown or not.
    pub reasoning: u64,
}

impl Usage {
    /// All prompt tokens.
    #[must_use]
    pub const fn total_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// All completion tokens.
    #[must_use]
    pub const fn total_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }

    /// All tokens.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total_input().saturating_add(self.total_output())
    }
}

/// Of an exchange's tokens, those that are no text, as far as the provider says: parts of the buckets of [`Usage`], not
/// beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modalities {
    /// Prompt tokens of audio.
    pub input_audio: u64,
    /// Prompt tokens of images.
    pub input_image: u64,
    /// Prompt tokens of video.
    pub input_video: u64,
    /// Tokens of spoken output.
    pub output_audio: u64,
    /// Tokens of images made.
    pub output_image: u64,
}

impl Modalities {
    fn merge(self, later: Self) -> Self {
        Self {
            input_audio: self.input_audio.max(later.input_audio),
            input_image: self.input_image.max(later.input_image),
            input_video: self.input_video.max(later.input_video),
            output_audio: self.output_audio.max(later.output_audio),
            output_image: self.output_image.max(later.output_image),
        }
    }
}

/// A provider's usage counters as they stand in one answer or event.
///
/// Providers send them cumulatively and sometimes in parts (Anthropic's `message_start` has the input, `message_delta`
/// the output and perhaps a corrected input), so readings are merged by **field-wise maximum**. That is right for the
/// provider's own counters and wrong for disjoint buckets (a later event that moves tokens from `output` to `reasoning`
/// would count them twice), so readings are merged first and normalised after: [`Self::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCounters {
    /// Whether `prompt` contains the cached tokens, as with OpenAI, or stands beside them, as with Anthropic.
    pub(crate) prompt_includes_cache: bool,
    pub(crate) prompt: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// Of `cache_write`, what is kept for an hour, where the provider tells them apart.
    pub(crate) cache_write_1h: u64,
    /// The completion, reasoning included (but see `total`).
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
    /// The provider's own sum, 0 when it gives none. More than prompt and completion means tokens shown nowhere else.
    pub(crate) total: u64,
    /// Tokens that the provider lists apart from its counters, already disjoint.
    pub(crate) aside: Usage,
    /// Of `aside.cache_write`, what is kept for an hour.
    pub(crate) aside_cache_write_1h: u64,
    /// What of it is no text.
    pub(crate) modalities: Modalities,
}

impl UsageCounters {
    /// Takes a later reading of the same exchange into account.
    #[must_use]
    pub fn merge(self, later: Self) -> Self {
        Self {
            prompt_includes_cache: self.prompt_includes_cache || later.prompt_includes_cache,
            prompt: self.prompt.max(later.prompt),
            cache_read: self.cache_read.max(later.cache_read),
            cache_write: self.cache_write.max(later.cache_write),
            cache_write_1h: self.cache_write_1h.max(later.cache_write_1h),
            completion: self.completion.max(later.completion),
            reasoning: self.reasoning.max(later.reasoning),
            total: self.total.max(later.total),
            aside: Usage {
                input: self.aside.input.max(later.aside.input),
                cache_read: self.aside.cache_read.max(later.aside.cache_read),
                cache_write: self.aside.cache_write.max(later.aside.cache_write),
                output: self.aside.output.max(later.aside.output),
                reasoning: self.aside.reasoning.max(later.aside.reasoning),
            },
            aside_cache_write_1h: self.aside_cache_write_1h.max(later.aside_cache_write_1h),
            modalities: self.modalities.merge(later.modalities),
        }
    }

    /// Of the prompt tokens written to a cache ([`Usage::cache_write`]), those that are kept for an hour instead of the
    /// usual minutes, which costs more.
    #[must_use]
    pub fn cache_write_1h(&self) -> u64 {
        self.cache_write_1h
            .saturating_add(self.aside_cache_write_1h)
            .min(self.usage().cache_write)
    }

    /// What of the tokens is no text.
    #[must_use]
    pub const fn modalities(&self) -> Modalities {
        self.modalities
    }

    /// The tokens in disjoint buckets.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (input, cache_read, cache_write) = if self.prompt_includes_cache {
            // A provider whose parts exceed the whole is believed on the whole.
            let cache_read = self.cache_read.min(self.prompt);
            let cache_write = self.cache_write.min(self.prompt - cache_read);
            (self.prompt - cache_read - cache_write, cache_read, cache_write)
        } else {
            (self.prompt, self.cache_read, self.cache_write)
        };
        let shown = input
            .saturating_add(cache_read)
            .saturating_add(cache_write)
            .saturating_add(self.completion);
        let hidden = self.total.saturating_sub(shown);
        // Reasoning stands inside the completion (OpenAI), beside it (xAI), or only in the total: the part of it that
        // the total does not place outside is inside.
        let inside = self.reasoning.saturating_sub(hidden).min(self.completion);
        Usage {
            input: input.saturating_add(self.aside.input),
            cache_read: cache_read.saturating_add(self.aside.cache_read),
            cache_write: cache_write.saturating_add(self.aside.cache_write),
            output: (self.completion - inside).saturating_add(self.aside.output),
            reasoning: inside.saturating_add(hidden).saturating_add(self.aside.reasoning),
        }
    }
}

/// Reads a count into `field`, if it is larger: the same count may stand in two places.
pub(crate) fn count(reader: &mut Reader<'_>, field: &mut u64) -> Result<(), JsonError> {
    if let Some((count, _)) = reader.count()? {
        *field = count.max(*field);
    }
    Ok(())
}
