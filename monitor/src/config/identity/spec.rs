//! `identity` as it is written. A key that is a word or a mapping keeps the place of either.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_saphyr::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct IdentitySpec {
    pub(super) kubernetes: Option<Spanned<WordOr<KubernetesSpec>>>,
    pub(super) cri: Option<Spanned<String>>,
    pub(super) kubelet: Option<Spanned<WordOr<KubeletSpec>>>,
    pub(super) spiffe: Option<SpiffeSpec>,
    pub(super) command_line: Option<bool>,
    pub(super) hash_limit: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KubernetesSpec {
    pub(super) node: Option<Spanned<String>>,
    pub(super) api: Option<Spanned<String>>,
    pub(super) token_file: Option<Spanned<String>>,
    pub(super) ca_file: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KubeletSpec {
    pub(super) api: Spanned<String>,
    #[serde(default)]
    pub(super) token_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) ca_file: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpiffeSpec {
    pub(super) trust_domain: Spanned<String>,
}

/// A word such as `auto`, or a mapping.
#[derive(Debug)]
pub(super) enum WordOr<T> {
    Word(String),
    Mapping(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WordOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrVisitor(PhantomData))
    }
}

struct WordOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for WordOrVisitor<T> {
    type Value = WordOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word or a mapping")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(WordOr::Word(word.to_owned()))
    }

    // To YAML 1.1 `off` is a boolean.
    fn visit_bool<E: Error>(self, on: bool) -> Result<Self::Value, E> {
        Ok(WordOr::Word(if on { "on" } else { "off" }.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(mapping)).map(WordOr::Mapping)
    }
}
