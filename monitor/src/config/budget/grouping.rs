//! Who shares one budget: the `per` of a budget.

use std::fmt;

use serde::{Serialize, Serializer};

/// Longest key of a label (Kubernetes: a DNS subdomain of 253 bytes, a slash and a name of 63).
pub const MAX_LABEL_BYTES: usize = 317;

/// One thing that budgets are told apart by. What is not there has a stand-in: the workload for what names who runs, `-` for the rest
/// ([`Dimension::falls_back`]). The order is that of an account's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Each container, else each systemd unit, else each cgroup.
    Workload,
    /// The container, by its id.
    Container,
    /// The pod, by its uid.
    Pod,
    /// The pod's namespace.
    Namespace,
    /// The pod's service account, with its namespace.
    ServiceAccount,
    /// The systemd unit.
    Unit,
    /// The SPIFFE id.
    Spiffe,
    /// A label of the pod.
    Label(String),
    /// The executable, by its path.
    Exe,
    /// The real user, by its number.
    User,
    /// The node, by `node.name`.
    Node,
    /// The provider.
    Provider,
    /// The model, as the request names it, in lower case.
    Model,
    /// The operation.
    Operation,
    /// The API key, by its fingerprint.
    ApiKey,
}

/// Dimensions without a key of their own, in the order in which a message lists them.
const PLAIN: [Dimension; 14] = [
    Dimension::Workload,
    Dimension::Exe,
    Dimension::User,
    Dimension::Container,
    Dimension::Pod,
    Dimension::Namespace,
    Dimension::ServiceAccount,
    Dimension::Unit,
    Dimension::Spiffe,
    Dimension::Node,
    Dimension::Provider,
    Dimension::Model,
    Dimension::Operation,
    Dimension::ApiKey,
];

const LABEL: &str = "label:";

/// Not a dimension of budgets; says what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is nothing that budgets are told apart by; write `all`, one or more of {}, or `label:KEY` with the key of a pod's label",
    names()
)]
pub struct UnknownDimension {
    text: String,
}

fn names() -> String {
    PLAIN
        .map(|dimension| format!("`{}`", dimension.name()))
        .join(", ")
}

impl Dimension {
    /// Reads a name of the configuration.
    ///
    /// # Errors
    /// There is no such dimension, or the label's key is empty or too long.
    pub fn parse(text: &str) -> Result<Self, UnknownDimension> {
        if let Some(key) = text.strip_prefix(LABEL) {
            let fits = (1..=MAX_LABEL_BYTES).contains(&key.len())
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
            if fits {
                return Ok(Self::Label(key.to_owned()));
            }
        }
        let known = PLAIN.into_iter().find(|dimension| dimension.name() == text);
        known.ok_or_else(|| UnknownDimension {
            text: text.chars().take(MAX_LABEL_BYTES).collect(),
        })
    }

    /// The name in the configuration and in keys, without a label's key.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Namespace => "namespace",
            Self::ServiceAccount => "service_account",
            Self::Unit => "unit",
            Self::Spiffe => "spiffe",
            Self::Label(_) => "label",
            Self::Exe => "exe",
            Self::User => "user",
            Self::Node => "node",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Operation => "operation",
            Self::ApiKey => "api_key",
        }
    }

    /// Whether it depends on the exchange, and not on its workload and node alone.
    #[must_use]
    pub const fn is_of_exchange(&self) -> bool {
        matches!(
            self,
            Self::Provider | Self::Model | Self::Operation | Self::ApiKey
        )
    }

    /// Whether the workload stands in for it where it is not known: it names who runs.
    #[must_use]
    pub const fn falls_back(&self) -> bool {
        matches!(
            self,
            Self::Container
                | Self::Pod
                | Self::Namespace
                | Self::ServiceAccount
                | Self::Unit
                | Self::Spiffe
                | Self::Label(_)
        )
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(f, "{LABEL}{key}"),
            plain => f.write_str(plain.name()),
        }
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What budgets are told apart by: each combination of values has one of its own. Without any, all share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grouping(Box<[Dimension]>);

impl Grouping {
    /// One budget for all.
    #[must_use]
    pub fn all() -> Self {
        Self(Box::default())
    }

    /// A budget for each combination of these, whatever the order.
    #[must_use]
    pub fn by(mut dimensions: Vec<Dimension>) -> Self {
        dimensions.sort();
        dimensions.dedup();
        Self(dimensions.into())
    }

    /// The dimensions in the order of keys.
    #[must_use]
    pub fn dimensions(&self) -> &[Dimension] {
        &self.0
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, dimension: &Dimension) -> bool {
        self.0.contains(dimension)
    }
}

impl Default for Grouping {
    /// Each workload has its own.
    fn default() -> Self {
        Self::by(vec![Dimension::Workload])
    }
}
