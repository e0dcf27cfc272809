//! Which family of wire shapes a provider speaks.

use std::{fmt, str::FromStr};

/// A family of wire shapes. Providers that copy a family's shapes share its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// OpenAI's REST API, the many servers compatible with it, and what self-hosted ones have beside it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API and Vertex AI.
    Gemini,
    /// Amazon Bedrock's runtime.
    Bedrock,
    /// Cohere's API.
    Cohere,
    /// The Model Context Protocol over streamable HTTP.
    Mcp,
    /// Ollama's own API.
    Ollama,
}

impl Api {
    /// Every variant, for help texts and tests.
    pub const ALL: &[Self] = &[
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Cohere,
        Self::Mcp,
        Self::Ollama,
    ];

    /// The name used in configuration, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::Mcp => "mcp",
            Self::Ollama => "ollama",
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
pub struct UnknownApi(pub String);

impl fmt::Display for UnknownApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Api::ALL
            .iter()
            .map(|api| api.name())
            .collect::<Vec<_>>()
            .join(", ");
        write!(f, "unknown api `{}`: use one of {known}", self.0)
    }
}

impl FromStr for Api {
    type Err = UnknownApi;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|api| api.name() == name)
            .ok_or_else(|| UnknownApi(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for api in Api::ALL {
            assert_eq!(api.to_string().parse().as_ref(), Ok(api));
        }
        let unknown = "telnet".parse::<Api>().unwrap_err().to_string();
        assert!(unknown.contains("openai, anthropic"), "{unknown}");
    }
}
