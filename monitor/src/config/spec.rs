//! The YAML as it is written: every key optional unless it is the point of its mapping, unknown keys refused, and
//! every value that has a meaning to check kept with its place in the file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigSpec {
    pub(super) node: Option<NodeSpec>,
    pub(super) intercept: Option<InterceptSpec>,
    pub(super) identity: Option<super::identity::IdentitySpec>,
    pub(super) cluster: Option<super::cluster::ClusterSpec>,
    pub(super) prices: Option<super::prices::PricesSpec>,
    pub(super) detectors: Option<Vec<super::detectors::DetectorSpec>>,
    pub(super) guardrails: Option<Vec<super::guardrail::GuardrailSpec>>,
    pub(super) policies: Option<Vec<PolicySpec>>,
    pub(super) usage: Option<super::usage::UsageSpec>,
    pub(super) events: Option<EventsSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NodeSpec {
    pub(super) name: Option<Spanned<String>>,
    pub(super) cgroup: Option<Spanned<String>>,
    pub(super) state_dir: Option<Spanned<String>>,
    pub(super) run_dir: Option<Spanned<String>>,
    pub(super) listen: Option<Spanned<String>>,
    pub(super) api_users: Option<OneOrMany>,
    pub(super) pin_dir: Option<Spanned<String>>,
    pub(super) drain: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InterceptSpec {
    #[serde(rename = "match")]
    pub(super) matches: Option<super::Match>,
    pub(super) older_connections: Option<super::OlderConnections>,
    pub(super) endpoints: Option<Vec<EndpointSpec>>,
    pub(super) upstream_ca: Option<OneOrMany>,
    pub(super) request_limit: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointSpec {
    pub(super) host: Spanned<String>,
    #[serde(default)]
    pub(super) ports: Option<Spanned<Vec<Spanned<u32>>>>,
    pub(super) api: Spanned<String>,
    #[serde(default)]
    pub(super) tls: Option<bool>,
    #[serde(default)]
    pub(super) upstream_ca: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) name: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySpec {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) owner: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) workloads: Option<SelectorSpec>,
    #[serde(default)]
    pub(super) mode: Option<super::Mode>,
    #[serde(default)]
    pub(super) models: Option<ModelsSpec>,
    #[serde(default)]
    pub(super) operations: Option<NamesSpec>,
    #[serde(default)]
    pub(super) tools: Option<NamesSpec>,
    #[serde(default)]
    pub(super) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) deny: Option<Vec<super::condition::DenySpec>>,
    #[serde(default)]
    pub(super) max_prompt: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) languages: Option<super::condition::LanguagesSpec>,
    #[serde(default)]
    pub(super) meter: Option<super::Meter>,
    pub(super) on_detector_limit: Option<super::OnDetectorLimit>,
    #[serde(default)]
    pub(super) budgets: Option<Vec<super::budget::BudgetSpec>>,
    #[serde(default)]
    pub(super) content: Option<Vec<super::content::ContentSpec>>,
    #[serde(default)]
    pub(super) guardrails: Option<Vec<super::guardrail::GuardrailRuleSpec>>,
    #[serde(default, rename = "match")]
    pub(super) matches: Option<Spanned<super::Match>>,
    #[serde(default)]
    pub(super) on_agent_down: Option<Spanned<super::OnAgentDown>>,
    #[serde(default)]
    pub(super) on_bypass: Option<Spanned<super::OnBypass>>,
    #[serde(default)]
    pub(super) quic: Option<Spanned<super::Quic>>,
    #[serde(default)]
    pub(super) on_untrusted_ca: Option<Spanned<super::OnUntrustedCa>>,
    #[serde(default)]
    pub(super) on_unknown: Option<Spanned<super::OnUnknown>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SelectorSpec {
    pub(super) user: Option<OneOrMany>,
    pub(super) exe: Option<OneOrMany>,
    pub(super) cgroup: Option<OneOrMany>,
    pub(super) unit: Option<OneOrMany>,
    pub(super) namespace: Option<OneOrMany>,
    pub(super) pod: Option<OneOrMany>,
    pub(super) labels: Option<BTreeMap<String, OneOrMany>>,
    pub(super) service_account: Option<OneOrMany>,
    pub(super) container: Option<OneOrMany>,
    pub(super) image: Option<OneOrMany>,
    pub(super) spiffe: Option<OneOrMany>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelsSpec {
    pub(super) allow: OneOrMany,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NamesSpec {
    pub(super) allow: Option<OneOrMany>,
    pub(super) deny: Option<OneOrMany>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EventsSpec {
    pub(super) sinks: Option<Vec<SinkSpec>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum SinkSpec {
    File(FileSinkSpec),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSinkSpec {
    pub(super) path: Spanned<String>,
    #[serde(default)]
    pub(super) format: Option<super::Format>,
}

/// A value or a list of values, each with its place.
#[derive(Debug)]
pub(super) struct OneOrMany {
    pub(super) at: Location,
    pub(super) values: Vec<Spanned<String>>,
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned {
            value: Values(mut values),
            referenced: at,
            ..
        } = Spanned::deserialize(deserializer)?;
        for value in &mut values {
            // A single value has no place of its own: it is where the whole is.
            if value.referenced == Location::UNKNOWN {
                value.referenced = at;
            }
        }
        Ok(Self { at, values })
    }
}

struct Values(Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl ValuesVisitor {
    fn one(value: impl ToString) -> Values {
        Values(vec![Spanned::new(
            value.to_string(),
            Location::UNKNOWN,
            Location::UNKNOWN,
        )])
    }
}

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Values, E> {
        Ok(Self::one(value))
    }

    // A user may be written as a number.
    fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
        Ok(Self::one(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Values, E> {
        Ok(Self::one(value))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Values, E> {
        Ok(Self::one(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }
}
