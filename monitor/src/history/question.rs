//! What can be asked of the history.

use super::level::Level;
use super::names::{Asked, Asker};
use crate::config::Glob;
use crate::event::Counts;

/// What usage is split by, or picked out by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Executable, user's number and cgroup.
    Workload,
    /// The pod's namespace.
    Namespace,
    /// The pod's service account.
    ServiceAccount,
    /// The pod's name.
    Pod,
    /// The systemd unit.
    Unit,
    /// The user's name.
    User,
    /// The provider.
    Provider,
    /// The model.
    Model,
    /// What was asked of the provider's API.
    Operation,
}

impl Dimension {
    /// Every dimension, in the order in which answers have them.
    pub const ALL: [Self; 9] = [
        Self::Workload,
        Self::Namespace,
        Self::ServiceAccount,
        Self::Pod,
        Self::Unit,
        Self::User,
        Self::Provider,
        Self::Model,
        Self::Operation,
    ];

    /// The name, as questions and answers have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Namespace => "namespace",
            Self::ServiceAccount => "service_account",
            Self::Pod => "pod",
            Self::Unit => "unit",
            Self::User => "user",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Operation => "operation",
        }
    }

    /// The dimension of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// The names that usage has in this dimension; a workload has two.
    pub(super) fn names<'a>(self, asker: &'a Asker, asked: &'a Asked) -> [Option<&'a str>; 2] {
        let name = match self {
            Self::Workload => return [asker.exe.as_deref(), asker.cgroup.as_deref()],
            Self::Namespace => &asker.namespace,
            Self::ServiceAccount => &asker.service_account,
            Self::Pod => &asker.pod,
            Self::Unit => &asker.unit,
            Self::User => &asker.user,
            Self::Provider => &asked.provider,
            Self::Model => &asked.model,
            Self::Operation => &asked.operation,
        };
        [name.as_deref(), None]
    }
}

/// What comes first in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Most prompt and completion tokens.
    #[default]
    Tokens,
    /// Most exchanges.
    Exchanges,
    /// Most money.
    Cost,
}

impl Order {
    /// The order of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "tokens" => Some(Self::Tokens),
            "exchanges" => Some(Self::Exchanges),
            "cost" => Some(Self::Cost),
            _ => None,
        }
    }

    pub(super) fn of(self, counts: &Counts) -> u64 {
        match self {
            Self::Tokens => counts.tokens(),
            Self::Exchanges => counts.exchanges,
            Self::Cost => counts.micro_usd,
        }
    }
}

/// A question to the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What to split by.
    pub by: Vec<Dimension>,
    /// With a step: one row for each combination and bucket that has usage. Without: one for each combination.
    pub step: Option<Level>,
    /// Unix milliseconds; the minute that it is in counts.
    pub since_ms: u64,
    /// Unix milliseconds; the minute that it is in counts, too. Without it, everything up to now counts, and what was recorded under a
    /// clock that was ahead.
    pub until_ms: Option<u64>,
    /// Only usage that has one of these patterns' names in a dimension; a workload is named by its executable and its cgroup.
    pub only: Vec<(Dimension, Glob)>,
    /// What comes first.
    pub order: Order,
    /// Combinations in the answer at most.
    pub limit: Option<usize>,
}

impl Question {
    /// The names that make up a combination: `None` where the usage is not asked for.
    pub(super) fn asker(&self, asker: &Asker) -> Option<Asker> {
        self.picks(asker, &Asked::default(), |dimension| {
            dimension < Dimension::Provider
        })
        .then(|| {
            let by = |dimension| self.by.contains(&dimension);
            Asker {
                exe: asker.exe.clone().filter(|_| by(Dimension::Workload)),
                uid: asker.uid.filter(|_| by(Dimension::Workload)),
                cgroup: asker.cgroup.clone().filter(|_| by(Dimension::Workload)),
                container: asker.container.clone().filter(|_| by(Dimension::Workload)),
                user: asker.user.clone().filter(|_| by(Dimension::User)),
                unit: asker.unit.clone().filter(|_| by(Dimension::Unit)),
                namespace: asker.namespace.clone().filter(|_| by(Dimension::Namespace)),
                pod: asker.pod.clone().filter(|_| by(Dimension::Pod)),
                service_account: asker
                    .service_account
                    .clone()
                    .filter(|_| by(Dimension::ServiceAccount)),
            }
        })
    }

    /// The same of what was asked.
    pub(super) fn asked(&self, asked: &Asked) -> Option<Asked> {
        self.picks(&Asker::default(), asked, |dimension| {
            dimension >= Dimension::Provider
        })
        .then(|| {
            let by = |dimension| self.by.contains(&dimension);
            Asked {
                provider: asked.provider.clone().filter(|_| by(Dimension::Provider)),
                model: asked.model.clone().filter(|_| by(Dimension::Model)),
                operation: asked.operation.clone().filter(|_| by(Dimension::Operation)),
            }
        })
    }

    fn picks(&self, asker: &Asker, asked: &Asked, part: impl Fn(Dimension) -> bool) -> bool {
        let mut only = self.only.iter().filter(|(dimension, _)| part(*dimension));
        only.all(|(dimension, pattern)| {
            dimension
                .names(asker, asked)
                .into_iter()
                .flatten()
                .any(|name| pattern.matches(name))
        })
    }
}
