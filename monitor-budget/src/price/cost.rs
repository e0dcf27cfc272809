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
    /// Audio, images and video of the prompt, read from a cache.
    pub cache_read_media: T,
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
            self.cache_read_media,
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
            cache_read_media: input,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn buckets<T: std::fmt::Debug + Clone>(
        each: impl Strategy<Value = T> + Clone,
    ) -> impl Strategy<Value = Buckets<T>> {
        proptest::collection::vec(each, 12).prop_map(|values| {
            let mut values = values.into_iter();
            let mut next = || values.next().unwrap();
            Buckets {
                input: next(),
                cache_read: next(),
                cache_write: next(),
                cache_write_1h: next(),
                output: next(),
                reasoning: next(),
                input_audio: next(),
                cache_read_media: next(),
                input_image: next(),
                input_video: next(),
                output_audio: next(),
                output_image: next(),
            }
        })
    }

    fn price() -> impl Strategy<Value = Price> {
        let rates = || buckets((0..=1_000_000_000_000_u64).prop_map(PicoUsd));
        (
            rates(),
            rates(),
            0..1_000_000_u64,
            0..=1_000_000_000_000_000_000_u64,
        )
            .prop_map(|(rates, long, above_prompt_tokens, fee)| Price {
                rates,
                long_context: Box::new([LongContext {
                    above_prompt_tokens,
                    rates: long,
                }]),
                per_request: PicoUsd(fee),
                from: None,
            })
    }

    proptest! {
        #[test]
        fn a_cost_is_never_below_and_less_than_a_micro_usd_above(
            price in price(),
            tokens in buckets(0..1_000_000_u64),
            requests in 0..3_u64,
        ) {
            let cost = u128::from(price.cost(&Quantities { tokens, requests }).0) * PICO_PER_MICRO;
            let is_long = tokens.prompt_tokens() > price.long_context[0].above_prompt_tokens;
            let rates = if is_long { price.long_context[0].rates } else { price.rates };
            let pairs = [
                (tokens.input, rates.input),
                (tokens.cache_read, rates.cache_read),
                (tokens.cache_write, rates.cache_write),
                (tokens.cache_write_1h, rates.cache_write_1h),
                (tokens.output, rates.output),
                (tokens.reasoning, rates.reasoning),
                (tokens.input_audio, rates.input_audio),
                (tokens.cache_read_media, rates.cache_read_media),
                (tokens.input_image, rates.input_image),
                (tokens.input_video, rates.input_video),
                (tokens.output_audio, rates.output_audio),
                (tokens.output_image, rates.output_image),
                (requests, price.per_request),
            ];
            let exact: u128 = pairs.iter().map(|(count, rate)| u128::from(*count) * u128::from(rate.0)).sum();
            prop_assert!(cost >= exact);
            prop_assert!(cost - exact < PICO_PER_MICRO);
        }

        #[test]
        fn no_exchange_costs_more_than_the_worst_case(
            price in price(),
            tokens in buckets(0..1_000_000_u64),
            more in 0..1_000_u64,
        ) {
            let answer = tokens.output + tokens.reasoning + tokens.output_audio + tokens.output_image;
            let cost = price.cost(&Quantities { tokens, requests: 1 });
            prop_assert!(cost <= price.worst_case(tokens.prompt_tokens() + more, answer, Media::ANY));
            let text = Buckets {
                input: tokens.input,
                cache_read: tokens.cache_read,
                cache_write: tokens.cache_write,
                cache_write_1h: tokens.cache_write_1h,
                output: tokens.output,
                reasoning: tokens.reasoning,
                ..Buckets::default()
            };
            let cost = price.cost(&Quantities { tokens: text, requests: 1 });
            let worst = price.worst_case(text.prompt_tokens() + more, text.output + text.reasoning, Media::TEXT);
            prop_assert!(cost <= worst);
        }
    }

    #[test]
    fn the_largest_figures_do_not_overflow() {
        let price = Price {
            per_request: PicoUsd(1_000_000_000_000_000_000),
            ..Price::flat(PicoUsd(1_000_000_000_000), PicoUsd(1_000_000_000_000))
        };
        let tokens = Buckets {
            input: u64::MAX,
            output: u64::MAX,
            output_image: u64::MAX,
            ..Buckets::default()
        };
        assert_eq!(
            price.cost(&Quantities {
                tokens,
                requests: u64::MAX
            }),
            MicroUsd(u64::MAX)
        );
        assert_eq!(
            price.worst_case(u64::MAX, u64::MAX, Media::ANY),
            MicroUsd(u64::MAX)
        );
        assert_eq!(price.cost(&Quantities::default()), MicroUsd(0));
    }
}
