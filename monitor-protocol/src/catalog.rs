//! Which host names are providers, and which API each speaks.
//!
//! The built-in list is data: `catalog.tsv` beside the crate's manifest.

use std::collections::HashMap;

use crate::Api;

const BUILTIN: &str = include_str!("../catalog.tsv");

/// A provider of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provider {
    /// The name used in configuration, records and metrics, such as `openai` or `groq`.
    pub name: String,
    /// The API it speaks.
    pub api: Api,
}

/// A host pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host pattern: write a host name such as `api.example.com`, or `*.example.com` for all names below one"
)]
pub struct CatalogError(pub String);

/// Providers by host name. A pattern is an exact name, or `*.suffix` for every name below the suffix, at any depth.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    exact: HashMap<String, Provider>,
    /// Keyed by the suffix without its `*.`.
    below: HashMap<String, Provider>,
}

impl Catalog {
    /// The providers known to this build.
    #[must_use]
    pub fn builtin() -> Self {
        let mut catalog = Self::default();
        for line in BUILTIN
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let mut columns = line.split('\t');
            let (Some(name), Some(Ok(api)), Some(host)) =
                (columns.next(), columns.next().map(str::parse), columns.next())
            else {
                continue;
            };
            // A test checks that no line of the file is left out.
            let _ = catalog.add(host, name, api);
        }
        catalog
    }

    /// The catalog with one more pattern. It wins over the same pattern of the built-in list.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] when `pattern` is neither a host name (or address) nor `*.` and one.
    pub fn with_endpoint(mut self, pattern: &str, name: &str, api: Api) -> Result<Self, CatalogError> {
        self.add(pattern, name, api)?;
        Ok(self)
    }

    fn add(&mut self, pattern: &str, name: &str, api: Api) -> Result<(), CatalogError> {
        let normal = normal(pattern);
        let (map, host) = match normal.strip_prefix("*.") {
            Some(suffix) => (&mut self.below, suffix),
            None => (&mut self.exact, normal.as_str()),
        };
        let is_host = !host.is_empty()
            && host.split('.').all(|label| !label.is_empty())
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
        if !is_host {
            return Err(CatalogError(pattern.to_owned()));
        }
        map.insert(
            host.to_owned(),
            Provider {
                name: name.to_owned(),
                api,
            },
        );
        Ok(())
    }

    /// The provider at `host` (a name without port; case and a trailing dot do not matter). An exact pattern wins over a
    /// suffix, a longer suffix over a shorter.
    #[must_use]
    pub fn lookup(&self, host: &str) -> Option<&Provider> {
        let host = normal(host);
        if let Some(provider) = self.exact.get(&host) {
            return Some(provider);
        }
        let mut rest = host.as_str();
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(provider) = self.below.get(suffix) {
                return Some(provider);
            }
            rest = suffix;
        }
        None
    }

    /// Every pattern, in lower case without trailing dot, sorted: what the kernel matches DNS answers against.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self
            .exact
            .keys()
            .cloned()
            .chain(self.below.keys().map(|suffix| format!("*.{suffix}")))
            .collect();
        hosts.sort_unstable();
        hosts
    }
}

fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_a_pattern() {
        let lines = BUILTIN
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert!(lines > 30);
        assert_eq!(Catalog::builtin().hosts().len(), lines);
    }

    #[test]
    fn lookup_ignores_case_and_trailing_dot() {
        let catalog = Catalog::builtin();
        let name = |host| {
            catalog
                .lookup(host)
                .map(|provider| (provider.name.as_str(), provider.api))
        };
        assert_eq!(name("API.OpenAI.com."), Some(("openai", Api::OpenAi)));
        assert_eq!(name("api.anthropic.com"), Some(("anthropic", Api::Anthropic)));
        assert_eq!(name("my-res.openai.azure.com"), Some(("azure", Api::OpenAi)));
        assert_eq!(
            name("openai.azure.com"),
            None,
            "a suffix pattern is for names below it"
        );
        assert_eq!(
            name("europe-west4-aiplatform.googleapis.com"),
            Some(("vertex", Api::Gemini))
        );
        assert_eq!(name("storage.googleapis.com"), None);
        assert_eq!(name("evilapi.openai.com"), None);
        assert_eq!(name("api.openai.com.evil.example"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn endpoints_of_the_operator() {
        let catalog = Catalog::builtin()
            .with_endpoint("*.LLM.corp.example", "corp", Api::Anthropic)
            .and_then(|catalog| catalog.with_endpoint("vllm.models.svc", "vllm", Api::OpenAi))
            .and_then(|catalog| catalog.with_endpoint("10.0.0.7", "lab", Api::OpenAi))
            .unwrap();
        assert_eq!(
            catalog
                .lookup("a.b.llm.corp.example")
                .map(|provider| provider.api),
            Some(Api::Anthropic)
        );
        assert_eq!(
            catalog
                .lookup("vllm.models.svc")
                .map(|provider| provider.name.as_str()),
            Some("vllm")
        );
        assert!(catalog.lookup("10.0.0.7").is_some());
        assert!(catalog.hosts().contains(&"*.llm.corp.example".to_owned()));
        for bad in ["", "*", "*.", "a..b", "a b", "https://x", "a.*.b", "x/y"] {
            assert_eq!(
                Catalog::default().with_endpoint(bad, "x", Api::OpenAi).err(),
                Some(CatalogError(bad.into())),
                "{bad}"
            );
        }
    }
}
