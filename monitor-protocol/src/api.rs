//! Which wire protocol a provider speaks, and which of its operations a request asks for.

use std::{fmt, str::FromStr};

/// A family of wire shapes. Providers that copy a family's shapes share its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// OpenAI's REST API and the many servers compatible with it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
}

impl Api {
    /// Every variant, for help texts and tests.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// The name used in configuration, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Api`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown api `{0}`: use `openai` or `anthropic`")]
pub struct UnknownApi(pub String);

impl FromStr for Api {
    type Err = UnknownApi;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|api| api.name() == name)
            .ok_or_else(|| UnknownApi(name.to_owned()))
    }
}

/// What a request asks its provider to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// OpenAI `POST …/chat/completions`.
    ChatCompletions,
    /// Anthropic `POST …/messages`.
    Messages,
    /// Any other request to a known provider: attributed and recorded, not read.
    Other,
}

impl Operation {
    /// Whose shapes the operation's bodies have, at a provider that speaks `api`. The operation decides: Anthropic's host
    /// also serves chat completions, and several OpenAI-compatible hosts serve messages.
    #[must_use]
    pub const fn shape(self, api: Api) -> Api {
        match self {
            Self::ChatCompletions => Api::OpenAi,
            Self::Messages => Api::Anthropic,
            Self::Other => api,
        }
    }

    /// The name used in configuration, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Messages => "messages",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for api in Api::ALL {
            assert_eq!(api.to_string().parse(), Ok(api));
        }
        assert_eq!("gemini".parse::<Api>(), Err(UnknownApi("gemini".into())));
    }
}
