//! Totals by workload, provider and model since the agent's start.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use serde::Serialize;

use crate::event::{Connection, Exchange, ShortText, Verdict};
use crate::identity::{Placement, Workload};

/// Workloads with totals of their own. The one not seen for longest makes room; its figures stay in the sums, under no
/// workload.
pub const MAX_WORKLOADS: usize = 4_096;
const WORKLOADS: NonZeroUsize = match NonZeroUsize::new(MAX_WORKLOADS) {
    Some(bound) => bound,
    None => NonZeroUsize::MIN,
};
/// Pairs of provider and model with totals of their own in one workload, which chooses the names; later ones share one
/// total without a model.
pub const MAX_MODELS_PER_WORKLOAD: usize = 64;

/// What a total is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Executable, user and cgroup.
    Workload,
    /// The provider.
    Provider,
    /// The model.
    Model,
}

impl Dimension {
    /// The dimension of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "workload" => Some(Self::Workload),
            "provider" => Some(Self::Provider),
            "model" => Some(Self::Model),
            _ => None,
        }
    }
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Exchanges, whatever became of them.
    pub exchanges: u64,
    /// Of these, with text replaced.
    pub redacted: u64,
    /// Of these, ended in mid-stream.
    pub cut: u64,
    /// Of these, refused.
    pub denied: u64,
    /// Prompt tokens, caches included.
    pub input: u64,
    /// Completion tokens, reasoning included.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache.
    pub cache_write: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning: u64,
}

impl Counts {
    fn of(exchange: &Exchange) -> Self {
        let usage = exchange.usage;
        let tokens = |pick: fn(&crate::event::TokenUsage) -> u64| usage.as_ref().map_or(0, pick);
        let is = |verdict| u64::from(exchange.verdict == verdict);
        Self {
            exchanges: 1,
            redacted: is(Verdict::Redacted),
            cut: is(Verdict::Cut),
            denied: is(Verdict::Denied),
            input: tokens(|usage| usage.input),
            output: tokens(|usage| usage.output),
            cache_read: tokens(|usage| usage.cache_read),
            cache_write: tokens(|usage| usage.cache_write),
            reasoning: tokens(|usage| usage.reasoning),
        }
    }

    fn add(&mut self, other: &Self) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.redacted = self.redacted.saturating_add(other.redacted);
        self.cut = self.cut.saturating_add(other.cut);
        self.denied = self.denied.saturating_add(other.denied);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

/// One workload's total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkloadTotal {
    /// Executable's path.
    pub exe: Option<Arc<str>>,
    /// Uid.
    pub uid: u32,
    /// User's name.
    pub user: Option<String>,
    /// Path in the cgroup2 hierarchy.
    pub cgroup: Arc<str>,
    /// The systemd unit.
    pub unit: Option<String>,
    /// The container's id.
    pub container: Option<String>,
    /// The container's name.
    pub container_name: Option<String>,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The pod's service account.
    pub service_account: Option<String>,
    /// The SPIFFE id.
    pub spiffe: Option<String>,
    /// The process seen last.
    pub last_pid: u32,
    /// When it was seen last, Unix milliseconds.
    pub last_seen_ms: u64,
    /// Connections it closed.
    pub connections: u64,
    /// What its exchanges came to.
    #[serde(flatten)]
    pub counts: Counts,
}

/// One total of a split. A dimension that it was not split by, or that is not known, is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageTotal {
    /// The workload.
    pub workload: Option<WorkloadKey>,
    /// The provider.
    pub provider: Option<Arc<str>>,
    /// The model.
    pub model: Option<ShortText>,
    /// What its exchanges came to.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What tells workloads apart here: processes come and go, these stay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct WorkloadKey {
    /// Executable's path.
    pub exe: Option<Arc<str>>,
    /// Uid.
    pub uid: u32,
    /// Path in the cgroup2 hierarchy.
    pub cgroup: Arc<str>,
    /// The container's id, where the path does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
}

impl WorkloadKey {
    fn of(workload: &Workload) -> Self {
        Self {
            exe: workload.exe.as_deref().map(Arc::from),
            uid: workload.uid,
            cgroup: workload.placement.cgroup.as_str().into(),
            container: workload.placement.container_beside_path().map(Arc::from),
        }
    }
}

#[derive(Debug)]
struct Row {
    user: Option<String>,
    placement: Arc<Placement>,
    last_pid: u32,
    last_seen_ms: u64,
    connections: u64,
    models: Models,
}

type Models = Vec<((Arc<str>, Option<ShortText>), Counts)>;

#[derive(Debug)]
pub(super) struct Totals {
    rows: LruCache<WorkloadKey, Row>,
    /// Exchanges of no known workload, and of workloads that made room.
    rest: Models,
}

impl Default for Totals {
    fn default() -> Self {
        // `unbounded` allocates nothing until there are workloads; the bound is kept in `row`.
        Self {
            rows: LruCache::unbounded(),
            rest: Models::new(),
        }
    }
}

impl Totals {
    pub(super) fn add_exchange(&mut self, exchange: &Exchange) {
        let counts = Counts::of(exchange);
        let ended_ms = exchange.started_ms.saturating_add(exchange.duration_us / 1_000);
        let models = match &exchange.workload {
            Some(workload) => &mut self.row(workload, ended_ms).models,
            None => &mut self.rest,
        };
        add(models, &exchange.provider, exchange.model.as_ref(), &counts);
    }

    pub(super) fn add_connection(&mut self, connection: &Connection) {
        if let Some(workload) = &connection.workload {
            let row = self.row(workload, connection.closed_ms.unwrap_or(connection.opened_ms));
            row.connections = row.connections.saturating_add(1);
        }
    }

    fn row(&mut self, workload: &Workload, seen_ms: u64) -> &mut Row {
        let key = WorkloadKey::of(workload);
        if !self.rows.contains(&key)
            && self.rows.len() >= WORKLOADS.get()
            && let Some((_, gone)) = self.rows.pop_lru()
        {
            for ((provider, model), counts) in &gone.models {
                add(&mut self.rest, provider, model.as_ref(), counts);
            }
        }
        let row = self.rows.get_or_insert_mut(key, || Row {
            user: None,
            placement: Arc::clone(&workload.placement),
            last_pid: 0,
            last_seen_ms: 0,
            connections: 0,
            models: Models::new(),
        });
        row.last_pid = workload.pid;
        if !Arc::ptr_eq(&row.placement, &workload.placement) {
            row.placement = Arc::clone(&workload.placement);
        }
        row.last_seen_ms = row.last_seen_ms.max(seen_ms);
        if row.user != workload.user {
            row.user.clone_from(&workload.user);
        }
        row
    }

    pub(super) fn workloads(&self) -> Vec<WorkloadTotal> {
        let mut totals: Vec<_> = self
            .rows
            .iter()
            .map(|(key, row)| {
                let mut counts = Counts::default();
                row.models.iter().for_each(|(_, more)| counts.add(more));
                let placement = &row.placement;
                let (container, pod) = (placement.container.as_ref(), placement.pod.as_deref());
                WorkloadTotal {
                    exe: key.exe.clone(),
                    uid: key.uid,
                    user: row.user.clone(),
                    cgroup: key.cgroup.clone(),
                    unit: placement.unit.clone(),
                    container: container.map(|container| container.id.clone()),
                    container_name: container.and_then(|container| container.name.clone()),
                    namespace: pod.and_then(|pod| pod.namespace.clone()),
                    pod: pod.and_then(|pod| pod.name.clone()),
                    service_account: pod.and_then(|pod| pod.service_account.clone()),
                    spiffe: placement.spiffe.as_ref().map(|spiffe| spiffe.id.clone()),
                    last_pid: row.last_pid,
                    last_seen_ms: row.last_seen_ms,
                    connections: row.connections,
                    counts,
                }
            })
            .collect();
        totals.sort_by_key(|total| std::cmp::Reverse(total.last_seen_ms));
        totals
    }

    pub(super) fn usage(&self, by: &[Dimension]) -> Vec<UsageTotal> {
        let mut sums: HashMap<_, Counts> = HashMap::new();
        let known = self.rows.iter().map(|(key, row)| (Some(key), &row.models));
        for (workload, models) in known.chain([(None, &self.rest)]) {
            for ((provider, model), counts) in models {
                let group = (
                    workload.filter(|_| by.contains(&Dimension::Workload)),
                    by.contains(&Dimension::Provider).then_some(provider),
                    model.as_ref().filter(|_| by.contains(&Dimension::Model)),
                );
                sums.entry(group).or_default().add(counts);
            }
        }
        let mut groups: Vec<_> = sums.into_iter().collect();
        groups.sort_by(|(a, a_counts), (b, b_counts)| {
            let tokens = |counts: &Counts| counts.input.saturating_add(counts.output);
            tokens(b_counts).cmp(&tokens(a_counts)).then_with(|| a.cmp(b))
        });
        groups
            .into_iter()
            .map(|((workload, provider, model), counts)| UsageTotal {
                workload: workload.cloned(),
                provider: provider.cloned(),
                model: model.cloned(),
                counts,
            })
            .collect()
    }
}

/// Adds to the total of a provider and model; beyond the bound, to the provider's total without a model. Providers are
/// named by the operator and so do not need a bound.
fn add(models: &mut Models, provider: &Arc<str>, model: Option<&ShortText>, counts: &Counts) {
    let find = |models: &Models, model: Option<&ShortText>| {
        models
            .iter()
            .position(|((one, other), _)| one == provider && other.as_ref() == model)
    };
    let model = if find(models, model).is_some() || models.len() < MAX_MODELS_PER_WORKLOAD {
        model
    } else {
        None
    };
    match find(models, model).and_then(|index| models.get_mut(index)) {
        Some((_, sum)) => sum.add(counts),
        None => models.push(((provider.clone(), model.cloned()), *counts)),
    }
}

#[cfg(test)]
mod tests;
