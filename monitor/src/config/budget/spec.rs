//! A budget as it is written.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::config::spec::OneOrMany;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BudgetSpec {
    pub(super) limit: Spanned<String>,
    #[serde(default)]
    pub(super) window: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) time_zone: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) name: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) per: Option<OneOrMany>,
    #[serde(default)]
    pub(super) providers: Option<OneOrMany>,
    #[serde(default)]
    pub(super) models: Option<OneOrMany>,
    #[serde(default)]
    pub(super) operations: Option<OneOrMany>,
    #[serde(default)]
    pub(super) alert_at: Option<OneOrMany>,
    #[serde(default)]
    pub(super) at_limit: Option<Spanned<AtLimitSpec>>,
    #[serde(default)]
    pub(super) slow_down: Option<Spanned<SlowDownSpec>>,
    #[serde(default)]
    pub(super) clamp: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) reserve: Option<Spanned<super::Reserve>>,
    #[serde(default)]
    pub(super) scope: Option<Spanned<ScopeSpec>>,
    #[serde(default)]
    pub(super) on_store_loss: Option<Spanned<OnStoreLossSpec>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AtLimitSpec {
    Deny,
    Alert,
    Downgrade(Spanned<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowDownSpec {
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeSpec {
    Node,
    Cluster,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnStoreLossSpec {
    NodeShare,
    Deny,
    Allow,
}
