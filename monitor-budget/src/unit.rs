//! What a budget counts, and what an exchange costs in each of these units.

/// What a budget counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Tokens, prompt and completion together.
    #[default]
    Tokens,
    /// Prompt tokens, those read from and written to a cache included.
    InputTokens,
    /// Completion tokens, reasoning included.
    OutputTokens,
    /// Prompt tokens read from or written to a cache.
    CacheTokens,
    /// Millionths of a US dollar.
    MicroUsd,
    /// Requests that went to a provider.
    Requests,
    /// Requests that are under way: held while one runs, never charged.
    Concurrency,
}

/// What an exchange costs, or may cost, in every unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spend {
    /// Prompt tokens, caches included.
    pub input: u64,
    /// Completion tokens, reasoning included.
    pub output: u64,
    /// Of the prompt: tokens read from or written to a cache.
    pub cache: u64,
    /// Its price in millionths of a US dollar.
    pub micro_usd: u64,
    /// Requests it made to a provider: one, or none where it was refused before.
    pub requests: u64,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 7] = [
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CacheTokens,
        Self::MicroUsd,
        Self::Requests,
        Self::Concurrency,
    ];

    /// The name in records, in the store and in answers of the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::CacheTokens => "cache_tokens",
            Self::MicroUsd => "micro_usd",
            Self::Requests => "requests",
            Self::Concurrency => "concurrency",
        }
    }

    /// The unit of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// How much of this unit must be held for an exchange that may cost `spend`.
    #[must_use]
    pub fn of(self, spend: &Spend) -> u64 {
        match self {
            Self::Tokens => spend.tokens(),
            Self::InputTokens => spend.input,
            Self::OutputTokens => spend.output,
            Self::CacheTokens => spend.cache,
            Self::MicroUsd => spend.micro_usd,
            Self::Requests => spend.requests,
            Self::Concurrency => 1,
        }
    }

    /// Whether what was held stays spent when the exchange has ended.
    #[must_use]
    pub fn is_charged(self) -> bool {
        self != Self::Concurrency
    }
}

impl Spend {
    /// One request of `input` prompt tokens and `output` completion tokens, free of charge.
    #[must_use]
    pub const fn request(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            cache: 0,
            micro_usd: 0,
            requests: 1,
        }
    }

    /// Prompt and completion tokens together.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The larger of the two in every part.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache: self.cache.max(other.cache),
            micro_usd: self.micro_usd.max(other.micro_usd),
            requests: self.requests.max(other.requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_takes_its_part() {
        let spend = Spend {
            input: 10,
            output: 5,
            cache: 3,
            micro_usd: 700,
            requests: 1,
        };
        let parts = Unit::ALL.map(|unit| unit.of(&spend));
        assert_eq!(parts, [15, 10, 5, 3, 700, 1, 1]);
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.name()), Some(unit));
        }
        assert_eq!(Unit::parse("pence"), None);
    }
}
