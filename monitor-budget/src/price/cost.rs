//! Rates, quantities, and what they come to.

use jiff::civil::Date;

use super::{MicroUsd, PicoUsd};

const PICO_PER_MICRO: u128 = 1_000_000;

/// One figure for each kind of tokens that is billed apart. As quantities they are disjoint: their sum is what was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets<T> {
    /// Text of the prompt, neither read from nor written to a cache.
    pub input: T,
    /// Of the prompt, read from a cache.
    pub cache_read: T,
    /// Of the prompt, written to a cache for the provider's default time.
    pub cache_write: T,
    /// Of the prompt, written to a cache for an hour.
    pub cache_write_1h: T,
    /// Text of the answer, without reasoning.
    pub output: T,
    /// Reasoning, shown or not.
    pub reasoning: T,
    /// Audio of the prompt, not read from a cache.
    pub input_audio: T,
    /// Audio of the prompt, read from a cache.
    pub cache_read_audio: T,
    /// Images of the prompt.
    pub input_image: T,
    /// Video of the prompt.
    pub input_video: T,
    /// Spoken output.
    pub output_audio: T,
    /// Images made.
    pub output_image: T,
}

/// What an exchange used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantities {
    /// Tokens.
    pub tokens: Buckets<u64>,
    /// Calls that the provider bills; 1 for an exchange, 0 for one that it refused.
    pub requests: u64,
}

/// Prices per token.
pub type Rates = Buckets<PicoUsd>;

/// What of an exchange may be other than text, for its worst case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Media {
    /// The prompt may hold audio, images or video.
    pub prompt: bool,
    /// The answer may hold audio or images.
    pub answer: bool,
}

impl Media {
    /// Nothing but text.
    pub const TEXT: Self = Self {
        prompt: false,
        answer: false,
    };
    /// Whatever the model takes and makes.
    pub const ANY: Self = Self {
        prompt: true,
        answer: true,
    };
}

/// What a model costs from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// For prompts of any length, or up to the first of `long_context`.
    pub rates: Rates,
    /// For longer prompts, by rising length.
    pub long_context: Box<[LongContext]>,
    /// Beside the tokens, for each request.
    pub per_request: PicoUsd,
    /// The first day, UTC, on which it holds; `None` where it has always held.
    pub from: Option<Date>,
}

/// Rates of all tokens of an exchange whose prompt is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongContext {
    /// They hold for prompts of more tokens than this, cached ones included.
    pub above_prompt_tokens: u64,
    /// The rates.
    pub rates: Rates,
}

impl<T: Copy> Buckets<T> {
    fn prompt(&self) -> [T; 8] {
        [
            self.input,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.input_audio,
            self.cache_read_audio,
            self.input_image,
            self.input_video,
        ]
    }

    fn answer(&self) -> [T; 4] {
        [self.output, self.reasoning, self.output_audio, self.output_image]
    }
}

impl Buckets<u64> {
    /// Tokens of the prompt, cached or not, of any kind.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt().into_iter().fold(0, u64::saturating_add)
    }
}

impl Rates {
    /// Every kind of prompt token at one rate and every kind of output at another.
    #[must_use]
    pub const fn flat(input: PicoUsd, output: PicoUsd) -> Self {
        Self {
            input,
            cache_read: input,
            cache_write: input,
            cache_write_1h: input,
            output,
            reasoning: output,
            input_audio: input,
            cache_read_audio: input,
            input_image: input,
            input_video: input,
            output_audio: output,
            output_image: output,
        }
    }

    fn dearest_prompt(&self, media: Media) -> PicoUsd {
        let text = self
            .input
            .max(self.cache_write)
            .max(self.cache_write_1h)
            .max(self.cache_read);
        if media.prompt {
            self.prompt().into_iter().fold(text, PicoUsd::max)
        } else {
            text
        }
    }

    fn dearest_answer(&self, media: Media) -> PicoUsd {
        let text = self.output.max(self.reasoning);
        if media.answer {
            self.answer().into_iter().fold(text, PicoUsd::max)
        } else {
            text
        }
    }
}

impl Price {
    /// A price of two rates, always.
    #[must_use]
    pub fn flat(input: PicoUsd, output: PicoUsd) -> Self {
        Self {
            rates: Rates::flat(input, output),
            long_context: Box::default(),
            per_request: PicoUsd(0),
            from: None,
        }
    }

    /// What an exchange costs: exact, and rounded up once.
    #[must_use]
    pub fn cost(&self, used: &Quantities) -> MicroUsd {
        let rates = self.rates_for(used.tokens.prompt_tokens());
        let amounts = used.tokens.prompt().into_iter().zip(rates.prompt());
        let amounts = amounts.chain(used.tokens.answer().into_iter().zip(rates.answer()));
        rounded_up(amounts.chain([(used.requests, self.per_request)]))
    }

    /// The most that one request can cost whose prompt has at most `prompt_tokens` and whose answer at most
    /// `max_output_tokens`: as if all of the prompt were billed at its dearest rate, cached or not, and all of the answer at its
    /// dearest, reasoning or not.
    #[must_use]
    pub fn worst_case(&self, prompt_tokens: u64, max_output_tokens: u64, media: Media) -> MicroUsd {
        let longer = self
            .long_context
            .iter()
            .filter(|tier| prompt_tokens > tier.above_prompt_tokens);
        let (prompt, answer) = longer.map(|tier| &tier.rates).fold(
            (self.rates.dearest_prompt(media), self.rates.dearest_answer(media)),
            |(prompt, answer), rates| {
                (
                    prompt.max(rates.dearest_prompt(media)),
                    answer.max(rates.dearest_answer(media)),
                )
            },
        );
        rounded_up(
            [
                (prompt_tokens, prompt),
                (max_output_tokens, answer),
                (1, self.per_request),
            ]
            .into_iter(),
        )
    }

    fn rates_for(&self, prompt_tokens: u64) -> &Rates {
        let tier = self
            .long_context
            .iter()
            .rev()
            .find(|tier| prompt_tokens > tier.above_prompt_tokens);
        tier.map_or(&self.rates, |tier| &tier.rates)
    }
}

/// The sum fits: thirteen products of 64 bits and of at most 60 bits (the largest rate).
fn rounded_up(amounts: impl Iterator<Item = (u64, PicoUsd)>) -> MicroUsd {
    let pico = amounts
        .map(|(count, rate)| u128::from(count) * u128::from(rate.0))
        .fold(0, u128::saturating_add);
    MicroUsd(u64::try_from(pico.div_ceil(PICO_PER_MICRO)).unwrap_or(u64::MAX))
}
